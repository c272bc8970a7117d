"""What only intake asks of a store is loaded when somebody asks it."""

from pathlib import Path

import pytest

from console.store import Store, open_store
from tests.store.opened import run_python

_ACCEPTS = """
import sys
from pathlib import Path
from console.domain.event import NewEvent
from console.store import open_store

store = open_store(Path(sys.argv[1]))
store.accept([NewEvent(type="a.b", payload=b"{}")], 0)
store.endpoints(), store.gauges()
loaded = {"console.domain.source", "console.domain.inbound", "console.domain.token", "minijinja"} & set(sys.modules)
assert not loaded, loaded
assert store.sources() == store.tokens() == store.schemas() == []
assert "console.domain.inbound" in sys.modules
"""


def test_accepting_loads_nothing_of_it(store_path: Path) -> None:
    done = run_python(_ACCEPTS, store_path)
    assert done.returncode == 0, done.stderr


def test_a_store_for_reading_has_all_of_it_and_no_more(store: Store) -> None:
    reading = open_store(store.path, read_only=True)
    try:
        assert reading.endpoints() == []
        assert reading.listening() == ()
        assert reading.sources() == []
        with pytest.raises(AttributeError, match="no_such_thing"):
            reading.no_such_thing  # type: ignore[attr-defined]  # noqa: B018  # that is the point
    finally:
        reading.close()
