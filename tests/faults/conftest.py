import pytest

pytest.register_assert_rewrite("tests.faults.invariants", "tests.faults.world", "tests.store.recount")
