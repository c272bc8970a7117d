"""Fixtures of the store's tests."""

import pytest

pytest.register_assert_rewrite("tests.store.conformance", "tests.store.recount", "tests.store.opened")

from collections.abc import Iterator  # noqa: E402 - asserts are rewritten before the modules are imported
from contextlib import closing  # noqa: E402
from pathlib import Path  # noqa: E402

from console.store import Store, open_store  # noqa: E402
from tests.store.backends import BACKENDS, Backend  # noqa: E402
from tests.store.worlds import make_world  # noqa: E402


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, store_path: Path) -> Iterator[Backend]:
    backend = BACKENDS[request.param](store_path)
    yield backend
    backend.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    """A new store of each backend."""
    return backend.open()


@pytest.fixture
def world_path(store_path: Path) -> Path:
    """A closed store with something in it."""
    with closing(open_store(store_path)) as store:
        make_world(store)
    return store_path
