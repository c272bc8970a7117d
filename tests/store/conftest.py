"""Fixtures of the store's tests."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.store import Store, open_store
from tests.store.backends import BACKENDS, Backend
from tests.store.worlds import make_world


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
