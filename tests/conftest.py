"""What every test may use: a place for a store, a store, and how long hypothesis may search."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from console.store import Store, open_store

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 2**30


def pytest_configure() -> None:
    """Tests keep their files where syncing costs nothing, if the machine has such a place and none was asked for."""
    if "TMPDIR" not in os.environ and _holds_files(_MEMORY):
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def _holds_files(folder: Path) -> bool:
    try:
        system = os.statvfs(folder)
    except OSError:
        return False
    runs = not system.f_flag & os.ST_NOEXEC
    return runs and os.access(folder, os.W_OK) and system.f_bavail * system.f_frsize >= _ROOM_BYTES


# Here and not in the folders: one folder's tests may import another's before its conftest is read.
for _module in (
    "store.conformance",
    "store.recount",
    "store.opened",
    "engine.rig",
    "faults.invariants",
    "faults.world",
):
    pytest.register_assert_rewrite(f"tests.{_module}")

# No deadline: the machine's other work is no fault of the code. WEBHOOK_CONSOLE_HYPOTHESIS=long searches for minutes.
_SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("quick", deadline=None, suppress_health_check=_SLOW)
settings.register_profile(
    "long", deadline=None, suppress_health_check=_SLOW, max_examples=2000, stateful_step_count=100
)
settings.load_profile(os.environ.get("WEBHOOK_CONSOLE_HYPOTHESIS", "quick"))


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "stores" / "store.db"


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    """A new store."""
    store = open_store(store_path)
    yield store
    store.close()


_LONG = ("tests/e2e/", "tests/ui/test_snapshots", "tests/faults/", "tests/ui/test_terminal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: a worker that begins one of them last would keep the others waiting."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))
