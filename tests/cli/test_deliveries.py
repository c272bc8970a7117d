"""`deliveries`, `events`, `attempts list`, `stats` and `operations` over a store with a past."""

import json

import pytest

from console.cli.records import ATTEMPT_FIELDS, DELIVERY_FIELDS, EVENT_ROW_FIELDS, EXCHANGE_FIELDS, OPERATION_FIELDS
from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter, EventFilter
from console.domain.ids import format_number
from console.store import Store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events

HOSTILE = b"\x1b]52;c;aGk=\x07 \xc2\x9b31m \xe2\x80\xae end"


def states(store: Store) -> list[str]:
    return sorted(d.state for d in store.deliveries(DeliveryFilter(), limit=1000))


@pytest.fixture
def past(store: Store) -> Store:
    """Three failed deliveries to billing, two delivered ones to crm, one pending."""
    billing, crm = make_endpoint(store, "billing", types=("invoice.*",)), make_endpoint(store, "crm", types=("lead",))
    make_events(store, 3, "invoice.paid", json.dumps({"note": HOSTILE.decode()}, ensure_ascii=True).encode())
    make_events(store, 2, "lead")
    hand = EngineHand(store)
    hand.run(billing, BROKEN, HOSTILE)
    hand.run(crm, OK)
    make_events(store, 1, "lead")
    return store


def test_list_filters(console: CommandLine, past: Store) -> None:
    def ids(*flags: str) -> list[str]:
        return [record["id"] for record in console("deliveries", "list", "--json", *flags).records]

    assert len(ids()) == 6
    assert ids() == sorted(ids(), reverse=True)
    assert ids("--limit", "2") == ids()[:2]
    assert len(ids("--state", "failed")) == 3
    assert len(ids("--state", "failed", "--state", "pending")) == 4
    assert len(ids("--endpoint", "crm")) == 3
    assert len(ids("--type", "invoice.*")) == 3
    assert len(ids("--cause", "http_5xx")) == 3
    assert ids("--cause", "dns") == []
    assert len(ids("--since", "1h")) == 6
    assert ids("--until", "1h") == []
    assert ids("--since", "2999-01-01") == []
    (record, *_) = console("--json", "deliveries", "list").records
    assert set(record) == set(DELIVERY_FIELDS)
    assert record["created_at"].endswith("Z")


@pytest.mark.parametrize("flags", [["--state", "lost"], ["--since", "yesterday"], ["--limit", "0"], ["--type", "a b"]])
def test_wrong_filters_are_usage(console: CommandLine, flags: list[str]) -> None:
    assert console("deliveries", "list", *flags).code == 2


def test_show(console: CommandLine, past: Store) -> None:
    failed = past.deliveries(DeliveryFilter(states=(DeliveryState.FAILED,)), limit=1)[0]
    shown = console("deliveries", "show", format_number("dlv", failed.id))
    assert "The receiver failed while handling the request" in shown.out
    record = console("deliveries", "show", format_number("dlv", failed.id), "--json").record
    (attempt,) = record["attempt_log"]
    assert (attempt["cause"], attempt["status"], attempt["succeeded"]) == ("http_5xx", 503, False)
    assert set(attempt) == set(ATTEMPT_FIELDS)
    assert console("deliveries", "show", "dlv_zzzzzz").code == 1
    assert console("deliveries", "show", "what?").code == 2


def test_hostile_bytes_never_come_out_raw(console: CommandLine, past: Store) -> None:
    (event,) = past.events(EventFilter(type_pattern="invoice.*"), limit=1)
    failed = console("attempts", "list", "--failed", "--json").records[0]["id"]
    for command in (["events", "show", event.id], ["attempts", "show", failed]):
        for flags in ([], ["--json"]):
            out = console(*command, *flags).out
            assert "end" in out
            assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)
    exchange = console("attempts", "show", failed, "--json").record["exchange"]
    assert exchange["response_body"] == HOSTILE.decode()
    assert set(exchange) == set(EXCHANGE_FIELDS)


def test_retry_by_filter_takes_failed_ones(console: CommandLine, past: Store) -> None:
    dry = console("deliveries", "retry", "--since", "1h", "--dry-run", "--json").record
    nothing_begun = {"done": 0, "dry_run": True, "operation": None, "finished": None}
    assert dry == {"matched": 3, "by_endpoint": {"billing": 3}, **nothing_begun}
    assert states(past).count("failed") == 3
    done = console("deliveries", "retry", "--since", "1h")
    assert (done.code, done.out) == (0, "  billing  3\n3 deliveries retried\n")
    assert states(past) == ["delivered"] * 2 + ["pending"] * 4
    nothing = console("deliveries", "retry", "--since", "1h")
    assert (nothing.code, nothing.out) == (0, "")


def test_retry_by_id(console: CommandLine, past: Store) -> None:
    delivered = past.deliveries(DeliveryFilter(states=(DeliveryState.DELIVERED,)), limit=1)[0]
    named = format_number("dlv", delivered.id)
    assert console("deliveries", "retry", named, named, "--json").record["done"] == 1
    assert past.delivery(delivered.id).state is DeliveryState.PENDING
    assert console("deliveries", "retry", "dlv_zzzzzz").code == 1
    assert console("deliveries", "retry").code == 2
    assert console("deliveries", "retry", named, "--since", "1h").code == 2
    assert console("deliveries", "retry", "--state", "sending").code == 2


def test_retry_with_a_limit_takes_the_newest(console: CommandLine, past: Store) -> None:
    newest = past.deliveries(DeliveryFilter(states=(DeliveryState.FAILED,)), limit=1)[0]
    assert console("deliveries", "retry", "--endpoint", "billing", "--limit", "1", "--json").record["done"] == 1
    assert past.delivery(newest.id).state is DeliveryState.PENDING
    assert states(past).count("failed") == 2
    assert console("deliveries", "retry", "--cause", "dns", "--limit", "1", "--json").record["matched"] == 0


def test_above_a_hundred_it_asks(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store)
    make_events(store, 101)
    EngineHand(store).run(endpoint, BROKEN)
    refused = console("deliveries", "retry", "--endpoint", "billing")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert states(store).count("failed") == 101
    assert console("deliveries", "retry", "--endpoint", "billing", "--yes", "--json").record["done"] == 101


def test_cancel(console: CommandLine, past: Store) -> None:
    assert console("deliveries", "cancel", "--type", "lead", "--json").record["done"] == 1
    assert console("deliveries", "cancel", "--state", "delivered").code == 2
    assert states(past) == ["cancelled"] + ["delivered"] * 2 + ["failed"] * 3


def test_events(console: CommandLine, past: Store) -> None:
    records = console("events", "list", "--json").records
    assert len(records) == 6
    assert set(records[0]) == set(EVENT_ROW_FIELDS)
    invoices = console("events", "list", "--type", "invoice.*", "--json", "--limit", "2").records
    assert [record["type"] for record in invoices] == ["invoice.paid"] * 2
    shown = console("events", "show", invoices[0]["id"], "--json").record
    assert shown["payload"] == {"note": HOSTILE.decode()}
    assert [d["endpoint"] for d in shown["deliveries"]] == ["billing"]
    (not_owed,) = shown["not_owed"]
    assert not_owed["endpoint"] == "crm"
    assert not_owed["why"] == "wants lead, not invoice.paid"
    human = console("events", "show", invoices[0]["id"])
    assert "wants lead, not invoice.paid" in human.out
    assert console("events", "show", "evt_nothing").code == 1


def test_attempts_list(console: CommandLine, past: Store) -> None:
    assert len(console("attempts", "list", "--json").records) == 5
    failed = console("attempts", "list", "--failed", "--json", "--limit", "2").records
    assert [record["cause"] for record in failed] == ["http_5xx"] * 2
    assert failed[0]["id"] > failed[1]["id"]
    one = console("attempts", "list", "--delivery", failed[0]["delivery_id"], "--json").record
    assert one == failed[0]
    assert "FAILED http_5xx 503" in console("attempts", "list").out


def test_stats(console: CommandLine, past: Store) -> None:
    report = console("stats", "--window", "15m", "--json").record
    overall = report["overall"]
    assert (overall["accepted"], overall["attempts"], overall["ok"], overall["errors"]) == (6, 5, 2, 3)
    assert overall["error_ratio"] == pytest.approx(0.6)
    assert overall["causes"] == {"http_5xx": 3}
    assert {row["endpoint"]: row["failed"] for row in report["endpoints"]} == {"billing": 3, "crm": 0}
    assert "60.0%" in console("stats").out
    assert console("stats", "--window", "long").code == 2


def test_operations(console: CommandLine, past: Store) -> None:
    console("deliveries", "retry", "--endpoint", "billing")
    (newest, *rest) = console("operations", "list", "--json").records
    assert set(newest) == set(OPERATION_FIELDS)
    assert (newest["kind"], newest["done"]) == ("delivery_retry", 3)
    assert [record["kind"] for record in rest] == ["endpoint_add"] * 2
    assert "delivery_retry" in console("operations", "list").out
