"""`events resend`, pauses with an end, and `operations undo` of what is no bulk action."""

from pathlib import Path

import pytest

from console.cli.records import iso
from console.domain.filters import DeliveryFilter
from console.domain.ids import parse_number
from console.store import Store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events, now


def test_a_copy_names_its_original_and_the_original_its_copies(
    console: CommandLine, store: Store, tmp_path: Path
) -> None:
    make_endpoint(store, types=("none",))
    (event,) = make_events(store, 1)
    mended = tmp_path / "mended.json"
    mended.write_text('{"amount": 1}\n')
    there = "https://other.example.com/hooks"
    args = ("--endpoint", "billing", "--url", there, "--data", f"@{mended}", "--reason", "they asked", "--json")
    sent = console("events", "resend", event, *args).record
    assert (sent["copy_of"], sent["endpoint"], sent["url"], sent["edited"]) == (event, "billing", there, True)
    (delivery,) = store.deliveries(DeliveryFilter(), limit=10)
    assert delivery.id == parse_number("dlv", sent["delivery_id"])
    assert delivery.url == there
    assert store.event(sent["id"]).payload == b'{"amount": 1}'
    assert f"a copy of  {event}" in console("events", "show", sent["id"]).out
    original = console("events", "show", event, "--json").record
    assert (original["copy_of"], original["copies"]) == (None, [sent["id"]])
    assert store.operations(limit=1)[0].reason == "they asked"
    plain = console("events", "resend", event, "--endpoint", "billing", "--json").record
    assert (plain["edited"], plain["url"]) == (False, None)
    assert store.event(plain["id"]).payload == b"{}"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--data", "{"), "payload is not JSON"),
        (("--data", "@/nowhere.json"), "No such file"),
        (("--url", "ftp://example.com/"), "an absolute http:// or https:// URL"),
        (("--url", "http://ada:pass@example.com/"), "credentials"),
    ],
)
def test_a_copy_that_is_wrong_is_refused_whole(
    console: CommandLine, store: Store, flags: tuple[str, str], words: str
) -> None:
    make_endpoint(store, types=("none",))
    (event,) = make_events(store, 1)
    refused = console("events", "resend", event, "--endpoint", "billing", *flags)
    assert refused.code == 2
    assert words in refused.err
    assert not store.deliveries(DeliveryFilter(), limit=1)


def test_an_endpoint_with_a_handshake_is_sent_to_at_its_own_url_only(console: CommandLine, store: Store) -> None:
    make_endpoint(store, policy={"handshake": True})
    (event,) = make_events(store, 1)
    refused = console("events", "resend", event, "--endpoint", "billing", "--url", "https://other.example.com/")
    assert refused.code == 1
    assert "asks its receiver for permission first" in refused.err


def test_a_pause_with_an_end_says_so_everywhere(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store)
    flags = ("--for", "30m", "--rate", "20/s", "--ramp", "5m")
    paused = console("endpoints", "pause", "billing", *flags, "--json").record
    at_ms = store.find_endpoint(endpoint.id).resume_at_ms
    assert at_ms is not None
    assert abs(at_ms - now() - 1_800_000) < 60_000
    assert (paused["resume_at"], paused["resume_pace"]) == (iso(at_ms), {"per_s": 20.0, "ramp_s": 300.0})
    assert "paused, resumes in 30m" in console("endpoints", "list").out
    assert "up to 20/s within 300 s" in console("endpoints", "show", "billing").out
    later = console("endpoints", "pause", "billing", "--until", "2h")
    assert later.out.startswith("billing: paused, resumes in 2h")
    forever = console("endpoints", "pause", "billing", "--json").record
    assert (forever["changed"], forever["resume_at"]) == (True, None)


@pytest.mark.parametrize(
    "flags",
    [
        ("--for", "30m", "--until", "06:00"),
        ("--for", "soon"),
        ("--until", "2001-01-01T00:00"),
        ("--for", "31d"),
        ("--rate", "5/s"),
        ("--for", "30m", "--ramp", "5m"),
    ],
)
def test_an_end_that_is_none_is_wrong_usage(console: CommandLine, store: Store, flags: tuple[str, ...]) -> None:
    make_endpoint(store)
    assert console("endpoints", "pause", "billing", *flags).code == 2
    assert store.find_endpoint("billing").state == "active"


def test_one_goes_first_and_the_others_when_it_was_taken(
    console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_endpoint(store)
    make_events(store, 4)
    assert console("deliveries", "retry", "--state", "pending", "--canary").code == 2, "without an engine"
    engine = EngineHand(store)
    engine.run(endpoint, BROKEN)
    monkeypatch.setattr("console.cli.canary.time.sleep", lambda s: engine.run(endpoint, BROKEN, b"card declined"))
    refused = console("deliveries", "retry", "--endpoint", "billing", "--canary")
    assert refused.code == 1
    assert "failed again; nothing else was retried" in refused.err
    assert "card declined" in refused.out
    assert store.gauges()[endpoint.id].failed == 4
    monkeypatch.setattr("console.cli.canary.time.sleep", lambda s: engine.run(endpoint, OK))
    taken = console("deliveries", "retry", "--endpoint", "billing", "--canary")
    assert taken.code == 0
    assert "delivered · HTTP 200" in taken.out
    gauge = store.gauges()[endpoint.id]
    assert (gauge.delivered, gauge.pending, gauge.failed) == (1, 3, 0)


def test_an_edit_is_shown_and_taken_back(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    console("endpoints", "edit", "billing", "--timeout", "3s", "--name", "invoices")
    operation = console("operations", "list", "--limit", "1", "--json").record
    assert operation["change"]["before"] == {"name": "billing", "timeout_s": 15.0}
    shown = console("operations", "show", operation["id"]).out
    assert "billing → invoices" in shown
    dry = console("operations", "undo", operation["id"], "--dry-run").out
    assert dry.splitlines() == [
        "would be taken back: name: invoices → billing",
        "would be taken back: timeout_s: 3 → 15",
    ]
    assert console("operations", "undo", operation["id"]).code == 0
    assert store.find_endpoint("billing").policy.timeout_s == 15.0
    again = console("operations", "undo", operation["id"])
    assert again.code == 1
    assert "was changed since" in again.err
