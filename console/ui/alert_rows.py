"""Alerts as the console shows them: what fires, then the rules, and each of them in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.domain.alerts import Alert, AlertKind, AlertRule, duration_words
from console.domain.ids import EndpointId
from console.ui.format import ABSENT, age, countdown, date_time
from console.ui.widgets.ages import brief_age, brief_countdown
from console.ui.widgets.reading_view import Line
from console.ui.widgets.vocabulary import Cell

FIRING: Cell = ("▲ firing", "error")
QUIET: Cell = ("● quiet", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """A rule, or an alert of it that fires. Rows that are equal look alike."""

    rule: AlertRule
    alert: Alert | None
    firing: int
    """How many alerts of the rule fire."""
    muted: str
    """For how long its rule is muted still: `59m`; empty: it is not."""
    age: str
    """Since when it has been so."""

    @property
    def key(self) -> tuple[int, str]:
        """An alert by its rule and endpoint; a rule by itself."""
        return self.rule.id, "rule" if self.alert is None else self.alert.endpoint_id or "engine"

    @property
    def about(self) -> tuple[EndpointId, str] | None:
        """The endpoint that it is about, and its name; None: the engine, or each endpoint."""
        if self.alert is not None:
            found = (self.alert.endpoint_id, self.alert.endpoint_name)
        else:
            found = (self.rule.spec.endpoint, self.rule.endpoint_name)
        return (found[0], found[1] or found[0]) if found[0] is not None else None


def rows_of(rules: Sequence[AlertRule], alerts: Sequence[Alert], now_ms: int) -> list[AlertRow]:
    """What fires, the newest first and what is muted last; then the rules, by id."""
    firing = sorted(alerts, key=lambda alert: (alert.rule.muted(now_ms), -alert.fired_at_ms))
    rows = [_row(alert.rule, alert, alerts, now_ms) for alert in firing]
    return rows + [_row(rule, None, alerts, now_ms) for rule in rules]


def _row(rule: AlertRule, alert: Alert | None, alerts: Sequence[Alert], now_ms: int) -> AlertRow:
    return AlertRow(
        rule=rule,
        alert=alert,
        firing=sum(other.rule.id == rule.id for other in alerts),
        muted=brief_countdown(now_ms, rule.muted_until_ms) if rule.muted(now_ms) else "",
        age=ABSENT if alert is None else brief_age(now_ms, alert.since_ms),
    )


def state_cell(row: AlertRow) -> Cell:
    """How it stands, as glyph and word."""
    if row.muted:
        return f"‖ muted {row.muted}", "warning"
    if row.alert is not None:
        return FIRING
    return (f"▲ {row.firing} firing", "error") if row.firing else QUIET


def where_words(row: AlertRow) -> str:
    """The endpoint, `each` for a rule of all of them, or `engine`."""
    if row.about is not None:
        return row.about[1]
    stalled = row.rule.spec.kind is AlertKind.ENGINE_STALLED
    return "engine" if stalled else "each"


def what_words(row: AlertRow) -> str:
    """What is so, or what must not be."""
    if row.alert is not None:
        return row.alert.words.removeprefix(f"{row.alert.endpoint_name or 'engine'}: ")
    spec = row.rule.spec
    return f"if {spec.words}" + (f", for {duration_words(spec.for_s)}" if spec.for_s else "")


def _delay_words(rule: AlertRule) -> str:
    if not rule.spec.for_s:
        return "none: it fires, and is over, at once"
    return (
        f"it fires once it has been so for {duration_words(rule.spec.for_s)}, and is over once it has not been as long"
    )


def alert_cell(row: AlertRow, key: str) -> Cell:
    """What a cell says."""
    match key:
        case "state":
            return state_cell(row)
        case "where":
            return where_words(row), "strong" if row.alert else "normal"
        case "what":
            return what_words(row), "normal" if row.alert else "muted"
        case "age":
            return row.age, "normal" if row.alert else "muted"
        case _:
            return str(row.rule.id), "muted"


def alert_lines(row: AlertRow, now_ms: int) -> list[Line]:
    """All of it, to read."""
    rule, alert = row.rule, row.alert
    facts: list[tuple[str, str]] = [("state", state_cell(row)[0]), ("where", where_words(row))]
    if alert is not None:
        facts += [
            ("what", what_words(row)),
            ("since", f"{date_time(alert.since_ms)}  ({age(now_ms, alert.since_ms)})"),
            ("fired", f"{date_time(alert.fired_at_ms)}  ({age(now_ms, alert.fired_at_ms)})"),
        ]
    facts += [
        ("rule", f"{rule.id}: {rule.spec.words}"),
        ("delay", _delay_words(rule)),
    ]
    if alert is None:
        facts.append(("firing", str(row.firing)))
    if rule.muted(now_ms):
        facts.append(("muted", f"until {date_time(rule.muted_until_ms)}  ({countdown(now_ms, rule.muted_until_ms)})"))
    return [Line(spans=((f"{name:<8}", "muted"), (words, "normal")), hang=8, prose=True) for name, words in facts]
