from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.engine.rig", "tests.store.recount")

from tests.engine.rig import Rig  # noqa: E402 - its assertions are to be explained too


@pytest.fixture
async def rig(store_path: Path) -> AsyncIterator[Rig]:
    """A store without an engine; the test starts one."""
    rig = Rig(store_path)
    yield rig
    await rig.close()
