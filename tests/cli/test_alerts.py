"""`alerts`: rules, and what fires."""

import pytest

from console.domain.alerts import AlertChange, AlertKind, AlertSpec, Breach
from console.store import Store
from tests.cli.support import CommandLine, make_endpoint, now


def test_a_new_store_lists_its_rules(console: CommandLine, store: Store) -> None:
    result = console("alerts", "list")
    assert result.code == 0
    assert "tripped or disabled" in result.out
    assert "a due delivery has waited 10m or longer" in result.out
    assert [r["kind"] for r in console("alerts", "list", "--json").records] == [
        "tripped",
        "backlog_age",
        "engine_stalled",
    ]


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (
            ("--error-rate", "20%", "--endpoint", "bil"),
            {"kind": "error_rate", "threshold": 0.2, "window_s": 300, "least": 20, "for_s": 30},
        ),
        (
            ("--error-rate", "0.5", "--over", "1m", "--least", "5", "--for", "0s"),
            {"kind": "error_rate", "threshold": 0.5, "window_s": 60, "least": 5, "for_s": 0},
        ),
        (("--backlog-age", "10m"), {"kind": "backlog_age", "threshold": 600, "window_s": 0}),
        (("--tripped",), {"kind": "tripped", "threshold": 0}),
        (("--engine-stalled",), {"kind": "engine_stalled", "threshold": 60, "for_s": 0}),
        (("--engine-stalled", "2m"), {"kind": "engine_stalled", "threshold": 120}),
    ],
)
def test_adding(console: CommandLine, store: Store, arguments: tuple[str, ...], spec: dict[str, object]) -> None:
    endpoint = make_endpoint(store)
    record = console("alerts", "add", *arguments, "--json").record
    assert record.items() >= spec.items()
    assert record["endpoint"] == (endpoint.id if "--endpoint" in arguments else None)
    assert store.alert_rules()[-1].id == record["id"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of"),
        (("--tripped", "--backlog-age", "5m"), "give one of"),
        (("--tripped", "--over", "5m"), "--over and --least belong to --error-rate"),
        (("--error-rate", "200%"), "write it as 20%"),
        (("--error-rate", "20%", "--over", "1s"), "over 1: 10 to"),
        (("--engine-stalled", "--endpoint", "billing"), "takes no --endpoint"),
    ],
)
def test_what_cannot_be(console: CommandLine, store: Store, arguments: tuple[str, ...], words: str) -> None:
    make_endpoint(store)
    result = console("alerts", "add", *arguments)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
    assert len(store.alert_rules()) == 3


def test_editing_keeps_what_is_not_given(console: CommandLine, store: Store) -> None:
    rule = store.add_alert_rule(AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=300, least=20, for_s=30))
    assert console("alerts", "edit", str(rule.id), "--over", "10m").code == 0
    assert store.alert_rule(rule.id).spec == AlertSpec(
        kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=600, least=20, for_s=30
    )
    assert "nothing to change" in console("alerts", "edit", str(rule.id)).err
    missing = console("alerts", "edit", "99", "--for", "5s")
    assert (missing.code, "no alert rule 99" in missing.err) == (1, True)


def test_removing_and_muting_are_audited(console: CommandLine, store: Store) -> None:
    assert console("alerts", "mute", "1", "--for", "2h", "--reason", "migration").code == 0
    assert store.alert_rules()[0].muted(now())
    assert "muted" in console("alerts", "list").out
    assert console("alerts", "unmute", "1").code == 0
    assert not store.alert_rules()[0].muted(now())
    assert console("alerts", "remove", "1").out.startswith("alert 1  removed")
    kinds = [o.kind for o in store.operations(limit=9)]
    assert kinds == ["alert_remove", "alert_mute", "alert_mute"]
    assert store.operations(limit=9)[-1].reason == "migration"


def test_what_fires_is_said(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store)
    change = AlertChange(
        key=(store.alert_rules()[1].id, endpoint.seq), breach=Breach(value=700, since_ms=None), since_ms=now() - 700_000
    )
    store.record_alerts([change], now())
    out = console("alerts", "list").out
    assert "FIRING (1)" in out
    assert "FIRING  billing: a due delivery has waited 11m40s, for 11m4" in out
    (firing,) = console("alerts", "list", "--json").records[1]["firing"]
    assert firing["endpoint"] == endpoint.id
