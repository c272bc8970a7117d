"""Stores of earlier versions, opened by this one."""

from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from console.domain.failure_group import UNTOLD_WORDS
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, EventId, OperationId
from console.domain.outcome import Cause
from console.domain.retention import DAY_S
from console.store import open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.schema import APPLICATION_ID, migrations
from tests.factories import NOW_MS, add_source, attempt_all, delivered, make_arrival, start_engine
from tests.store import recount

_OPERATIONS = """
INSERT INTO operations (id, kind, actor, target, started_at, finished_at, done, result) VALUES
  (1, 'delivery_retry', 'ada', 'all', 5, 9, 12, '12 deliveries'),
  (2, 'delivery_retry', 'ada', 'all', 7, NULL, 2000, NULL)
"""


_TROUBLES = """
INSERT INTO endpoints (seq, id, name, url, types, secrets, policy, state, state_since, created_at, version) VALUES
  (1, 'ep_a', 'crm', 'https://x', '["*"]', '[]', '{}', 'active', 0, 0, 1),
  (2, 'ep_b', 'erp', 'https://x', '["*"]', '[]', '{}', 'active', 0, 0, 1);
INSERT INTO events (seq, id, type, payload, accepted_at, source) VALUES (1, 'evt_1', 'x', x'7b7d', 0, 'cli');
INSERT INTO deliveries (id, event, endpoint, state, next_attempt_at, last_cause, last_status, last_attempt_at,
  created_at, updated_at) VALUES
  (1, 1, 1, 'failed', NULL, 'http_5xx', 503, 70, 10, 70),
  (2, 1, 1, 'pending', 900, 'http_5xx', 503, 90, 20, 90),
  (3, 1, 2, 'failed', NULL, 'http_5xx', 503, 80, 30, 80),
  (4, 1, 1, 'failed', NULL, 'dns', NULL, 60, 40, 60),
  (5, 1, 1, 'cancelled', NULL, 'dns', NULL, 60, 40, 60),
  (6, 1, 1, 'delivered', NULL, NULL, 200, 60, 40, 60);
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at) VALUES
  (7, 2, 1, 1, 0, 80), (8, 2, 1, 2, 0, 89)
"""


_OF_THE_THIRD = """
INSERT INTO endpoints (seq, id, name, url, types, secrets, policy, state, state_since, created_at, version) VALUES
  (1, 'ep_a', 'crm', 'https://x/', '["*"]', '[]', '{}', 'active', 0, 0, 1);
INSERT INTO events (seq, id, type, payload, accepted_at, source, copy_of) VALUES
  (1, 'evt_1', 'x', x'7b7d', 5, 'cli', NULL), (2, 'evt_2', 'x', x'7b7d', 6, 'cli', 1);
INSERT INTO deliveries (id, event, endpoint, state, next_attempt_at, created_at, updated_at) VALUES
  (1, 1, 1, 'delivered', NULL, 5, 7), (2, 2, 1, 'pending', 6, 6, 6);
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at, ended_at, status) VALUES
  (1, 1, 1, 1, 0, 5, 7, 200);
INSERT INTO exchanges (attempt, url, request_headers, response_body, truncated) VALUES
  (1, 'https://x/', '[]', x'6f6b', 0);
INSERT INTO gauges (endpoint, pending, delivered) VALUES (1, 1, 1);
INSERT INTO settings (key, value, updated_at) VALUES ('retention', '{"delivered_s":0,"bodies_s":60}', 5)
"""


def make_first(path: Path, *more: str) -> None:
    """A store as the first version made it, with a retry in it whose process died."""
    make_old(path, 1, "m002_full_strength", *(more or (_OPERATIONS,)))


def make_old(path: Path, version: int, next_migration: str, *statements: str) -> None:
    """A store as an earlier version made it, with these rows in it."""
    path.touch()
    with closing(Connection(path, read_only=False)) as connection:
        with connection.transaction():
            migrations().apply(Database(connection.raw, execute_plugins=False), stop_before=next_migration)
            connection.run(f"PRAGMA application_id={APPLICATION_ID}")
            connection.run(f"PRAGMA user_version={version}")
        connection.run("PRAGMA journal_mode=WAL")
        for statement in statements:
            connection.run(statement)


def test_failures_of_before_errors_were_told_apart_are_in_groups(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_first(path, *_TROUBLES.split(";\n"))
    with closing(open_store(path)) as store:
        groups = store.failure_groups(DeliveryFilter())
        assert [(g.endpoint_name, g.cause, g.status, g.deliveries, g.newest) for g in groups] == [
            ("crm", Cause.HTTP_5XX, 503, 2, 2),
            ("crm", Cause.DNS, None, 1, 4),
            ("erp", Cause.HTTP_5XX, 503, 1, 3),
        ]
        first = groups[0]
        assert (first.words, first.first_at_ms, first.last_at_ms, first.example) == (UNTOLD_WORDS, 10, 90, 8)


def test_a_retry_that_nobody_can_carry_on_is_not_under_way_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_first(path)
    assert recount.read(path, "SELECT count(*) FROM operations WHERE finished_at IS NULL") == [(1,)]
    with closing(open_store(path)) as store:
        whole, died = store.operation(OperationId(1)), store.operation(OperationId(2))
        assert (whole.result, whole.finished_at_ms, whole.is_bulk) == ("12 deliveries", 9, False)
        assert (died.result, died.finished_at_ms, died.done, died.is_open) == ("interrupted", 7, 2000, False)
        assert store.open_operations() == []
        assert store.advance_operation(died.id, limit=10, now_ms=NOW_MS) == died


def test_what_was_there_before_intake_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_old(path, 3, "m004_intake", *_OF_THE_THIRD.split(";\n"))
    with closing(open_store(path)) as store:
        (endpoint,) = store.endpoints()
        assert (endpoint.filter, endpoint.transform, endpoint.dry_run) == (None, None, False)
        event = store.event(EventId("evt_2"))
        assert (event.hops, event.via, event.flaw, event.copy_of) == (0, None, None, "evt_1")
        exchange = store.exchange(AttemptId(1))
        assert exchange is not None
        assert (exchange.request_method, exchange.request_body, exchange.response_body) == ("POST", None, b"ok")
        (claimed,) = attempt_all(store, start_engine(store), delivered())
        assert (claimed.accepted_at_ms, claimed.hops, claimed.via) == (6, 0, None)
        assert (store.sources(), store.tokens(), store.schemas(), store.listening()) == ([], [], [], ())
        assert (store.retention().delivered_s, store.retention().inbox_s) == (0, 30 * DAY_S)
        store.record_arrivals([make_arrival(add_source(store), event_id=event.id)])
        assert store.damage(full=True) == []
        named = store.instance()
    with closing(open_store(path)) as store:
        assert store.instance() == named
    other = tmp_path / "other.db"
    with closing(open_store(other)) as store:
        assert store.instance() != named
