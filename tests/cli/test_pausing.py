"""`endpoints pause` and `resume`: what is held is counted and aged, drained at a pace, or skipped when too old."""

import pytest

from console.cli.records import iso
from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.operation import OperationKind
from console.store import Store
from tests.cli.support import CommandLine, make_endpoint, make_events, now

HOUR_MS = 3_600_000


def old_events(store: Store, count: int, age_ms: int) -> None:
    store.accept([NewEvent(type="invoice.paid", payload=b"{}") for _ in range(count)], now() - age_ms)


def states(store: Store) -> list[str]:
    return sorted(d.state for d in store.deliveries(DeliveryFilter(), limit=1000))


def test_what_is_held_is_counted_and_aged(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    make_endpoint(store, "idle", types=("none",))
    old_events(store, 2, 3 * HOUR_MS)
    make_events(store, 1)
    paused = console("endpoints", "pause", "billing")
    assert paused.out == "billing: paused, 3 deliveries held, the oldest due 3h ago\n"
    oldest = min(d.next_attempt_at_ms or 0 for d in store.deliveries(DeliveryFilter(), limit=10))
    again = console("endpoints", "pause", "billing", "--json").record
    assert (again["changed"], again["pending"], again["oldest_due_at"]) == (False, 3, iso(oldest))
    billing, idle = console("endpoints", "list", "--json").records
    assert (billing["oldest_due_at"], idle["oldest_due_at"]) == (iso(oldest), None)
    assert console("endpoints", "show", "billing", "--json").record["oldest_due_at"] == iso(oldest)
    assert "3, the oldest due 3h ago" in console("endpoints", "show", "billing").out
    assert "OLDEST DUE" in console("endpoints", "list").out


def test_resume_at_a_rate_with_a_ramp(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store)
    make_events(store, 2)
    console("endpoints", "pause", "billing")
    resumed = console("endpoints", "resume", "billing", "--rate", "20/s", "--ramp", "5m")
    assert resumed.out.startswith("billing: active, up to 20/s within 300 s, 2 deliveries owed")
    pace = store.find_endpoint(endpoint.id).pace
    assert pace is not None
    assert (pace.per_s, pace.ramp_s) == (20.0, 300.0)
    assert now() - 60_000 < pace.since_ms <= now()
    assert store.operations(limit=1)[0].result == "paused → active, up to 20/s within 300 s"
    slower = console("endpoints", "resume", "billing", "--rate", "60/m", "--json").record
    assert (slower["changed"], slower["pace"]["per_s"], slower["pace"]["ramp_s"]) == (True, 1.0, 0.0)
    assert console("endpoints", "resume", "billing").code == 0
    assert store.find_endpoint(endpoint.id).pace is None
    assert console("endpoints", "resume", "billing", "--json").record["changed"] is False


def test_a_pause_ends_the_pace(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store)
    console("endpoints", "resume", "billing", "--rate", "20/s")
    console("endpoints", "pause", "billing")
    assert store.find_endpoint(endpoint.id).pace is None


def test_resume_without_what_is_too_old(console: CommandLine, store: Store) -> None:
    endpoint, other = make_endpoint(store), make_endpoint(store, "other")
    old_events(store, 3, 3 * HOUR_MS)
    old_events(store, 2, HOUR_MS)
    console("endpoints", "pause", "billing")
    resumed = console("endpoints", "resume", "billing", "--skip-older-than", "2h", "--reason", "too late", "--json")
    assert (resumed.record["skipped"], resumed.record["pending"], resumed.record["state"]) == (3, 2, "active")
    skipped = store.deliveries(DeliveryFilter(states=(DeliveryState.CANCELLED,)), limit=10)
    assert {(d.endpoint_id, d.created_at_ms < now() - 2 * HOUR_MS) for d in skipped} == {(endpoint.id, True)}
    assert store.gauges()[other.id].pending == 5
    resume, skip = store.operations(limit=2)
    assert (resume.kind, skip.kind) == (OperationKind.ENDPOINT_RESUME, OperationKind.DELIVERY_SKIP)
    assert (skip.reason, skip.result) == ("too late", "3 deliveries")


@pytest.mark.parametrize("flags", [["--ramp", "5m"], ["--rate", "fast"], ["--rate", "0/s"], ["--skip-older-than", "x"]])
def test_what_makes_no_sense_is_usage(console: CommandLine, store: Store, flags: list[str]) -> None:
    endpoint = make_endpoint(store)
    console("endpoints", "pause", "billing")
    assert console("endpoints", "resume", "billing", *flags).code == 2
    assert store.find_endpoint(endpoint.id).state is EndpointState.PAUSED
