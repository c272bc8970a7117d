"""Fixtures of the store's tests."""

import pytest

pytest.register_assert_rewrite("tests.store.conformance", "tests.store.recount")

from collections.abc import Iterator  # noqa: E402 - asserts are rewritten before the modules are imported
from pathlib import Path  # noqa: E402

from console.store import Store  # noqa: E402
from tests.store.backends import BACKENDS, Backend  # noqa: E402


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, store_path: Path) -> Iterator[Backend]:
    backend = BACKENDS[request.param](store_path)
    yield backend
    backend.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    """A new store of each backend."""
    return backend.open()
