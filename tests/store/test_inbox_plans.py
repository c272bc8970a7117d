"""What the inbox costs does not grow with what came in: whatever the filter, also one that finds nothing."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from console.domain.ids import EventId
from console.domain.inbound import Fate, InboxFilter, RequestId
from console.domain.retention import Phase, Retention, cutoffs
from console.domain.source import SourceId
from console.store import open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.store import SqliteStore
from tests.factories import NOW_MS, add_source, make_arrival, make_event
from tests.store.test_plans import Probe
from tests.store.worlds import rolled_back

ROWS = 40_000
EVERY_MS = 20
FEW = 20_000
"""Instructions. A page of 50 rows takes some thousands; looking at each of 40,000 rows at least 120,000."""

RARE = ROWS // 3
"""The one request to its source, and the one with an event."""

_ROWS = """
INSERT INTO inbox (id, source, received_at, fate, event, status, remote_address, method, path, query, size, headers,
  body) VALUES (?, ?, ?, ?, ?, 202, '', 'POST', '', '', 2, '[]', x'7b7d')
"""
SOURCES = (None, "src_a", "src_rare", "src_none")
FATES = (None, Fate.ACCEPTED, Fate.REJECTED, Fate.ANSWERED)
EVENTS = (None, EventId("evt_1"), EventId("evt_none"))
TIMES = (
    (None, None),
    (NOW_MS + 400_000, NOW_MS + 400_800),
    (NOW_MS + 10**9, None),
    (None, NOW_MS),
)


class InboxProbe(Probe):
    """Two sources that share most of it; the oldest hundred were rejected, all others accepted."""

    def __init__(self, path: Path) -> None:
        open_store(path).close()
        self.connection = Connection(path, read_only=False)
        self.connection.prepare()
        self.store = SqliteStore(self.connection)
        self.sources = [add_source(self.store, name=name) for name in ("a", "b", "rare")]
        self.store.accept([make_event(id=EventId("evt_1"))], NOW_MS)
        with self.connection.transaction():
            self.connection.run_many(_ROWS, map(self._row, range(1, ROWS + 1)))

    def _row(self, i: int) -> tuple[object, ...]:
        source = 3 if i == RARE else 1 + i % 2
        return i, source, NOW_MS + i * EVERY_MS, "rejected" if i <= 100 else "accepted", 1 if i == RARE else None


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InboxProbe]:
    probe = InboxProbe(tmp_path_factory.mktemp("inbox") / "store.db")
    with closing(probe.connection):
        yield probe


@pytest.mark.parametrize("times", TIMES)
def test_no_filter_walks_the_inbox(probe: InboxProbe, times: tuple[int | None, int | None]) -> None:
    for source, fate, event in product(SOURCES, FATES, EVENTS):
        where = InboxFilter(
            source=None if source is None else SourceId(source),
            fate=fate,
            event_id=event,
            since_ms=times[0],
            until_ms=times[1],
        )
        listed = partial(probe.store.arrivals, where, limit=50)
        assert probe.work_of(listed) < FEW, where
        assert probe.work_of(partial(listed, before=RequestId(ROWS // 2))) < FEW, where
        followed = partial(probe.store.arrivals_after, RequestId(ROWS // 2), where, limit=50)
        assert probe.work_of(followed) < FEW, where


def test_the_measure_of_work_sees_a_walk(probe: InboxProbe) -> None:
    """Else the tests above prove nothing."""
    assert probe.work_of(lambda: probe.connection.rows("SELECT count(*) FROM inbox WHERE method = 'x'")) > 5 * FEW


def test_what_came_in_lately_is_counted_along_an_index(probe: InboxProbe) -> None:
    since_ms = NOW_MS + ROWS * EVERY_MS - 20_000
    assert probe.store.count_arrivals(since_ms=since_ms)[SourceId("src_a")] == {"accepted": 501}
    assert probe.work_of(lambda: probe.store.count_arrivals(since_ms=since_ms)) < 2 * FEW
    assert probe.store.count_arrivals(since_ms=0) == {
        "src_a": {"accepted": 10_000, "rejected": 50},
        "src_b": {"accepted": 10_000, "rejected": 50},
        "src_rare": {"accepted": 1},
    }, "some ten thousand of each are enough"


def test_a_request_is_kept_and_found_with_little_work(probe: InboxProbe) -> None:
    arrivals = [make_arrival(probe.sources[0], event_id=EventId("evt_1")) for _ in range(64)]
    with rolled_back(probe.store):
        assert probe.work_of(lambda: probe.store.record_arrivals(arrivals)) < FEW
    assert probe.work_of(lambda: probe.store.arrival(RequestId(RARE))) < FEW // 10


def test_old_requests_go_a_piece_at_a_time(probe: InboxProbe) -> None:
    old = cutoffs(Retention(), NOW_MS + 10**12)
    find = partial(probe.store.find_old, Phase.INBOX, old, after=ROWS // 2, limit=50)
    ids = find().ids
    assert len(ids) == 50
    assert probe.work_of(find) < FEW
    young = cutoffs(Retention(), NOW_MS)
    assert probe.store.find_old(Phase.INBOX, young, after=0, limit=50).after is None, "nothing behind is older"
    with rolled_back(probe.store):
        assert probe.work_of(lambda: probe.store.drop_old(Phase.INBOX, ids, old)) < FEW
    assert probe.work_of(probe.store.space) < 1000
