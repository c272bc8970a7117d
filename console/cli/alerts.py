"""`alerts`: rules of what must not be, and what of it is so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, paint, say
from console.cli.parameters import DURATION, ENDPOINT, TEXT, Checked
from console.cli.records import Record
from console.domain.alerts import (
    FOR_S,
    LEAST,
    STALLED_S,
    WINDOW_S,
    Alert,
    AlertKind,
    AlertRule,
    AlertRuleId,
    AlertSpec,
    parse_ratio,
)
from console.domain.errors import InvalidInputError
from console.operations import alerts as acts
from console.operations.actor import current_actor
from console.store import Store

R = TypeVar("R")

RATIO = Checked("ratio", parse_ratio)
RULE_FIELDS = (
    "id", "kind", "endpoint", "threshold", "window_s", "least", "for_s", "muted_until_ms", "says", "firing"
)  # fmt: skip
_FIRING_FIELDS = ("endpoint", "value", "since_ms", "fired_at_ms", "says")


@click.group(
    cls=ConsoleGroup,
    examples=("alerts list", "alerts add --error-rate 20% --over 5m --endpoint crm", "alerts mute 2 --for 1h"),
)
def alerts() -> None:
    """Rules of what must not be. A running engine looks about once a second.

    One that fires shows in the console, and is an event of type webhook.alert.fired, later webhook.alert.resolved:
    an endpoint with --types 'webhook.alert.*' gets them (--types '*' does not).
    """


@alerts.command("list", cls=ConsoleCommand, json_fields=RULE_FIELDS, examples=("alerts list", "alerts list --json"))
@pass_invocation
def list_(invocation: Invocation) -> int:
    """List the rules, and what fires. In JSON, firing has objects with endpoint, value, since_ms, fired_at_ms, says."""
    with invocation.reading() as store:
        rules, firing = store.alert_rules(), store.alerts()
    if invocation.json:
        for rule in rules:
            emit(_record(rule, firing))
        return 0
    if not rules:
        nothing("no rules: add one with 'webhook-console alerts add --error-rate 20%'")
        return 0
    _print(rules, firing, invocation.clock.now_ms())
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flags:
    """What was given; None where nothing was."""

    error_rate: float | None
    backlog_age_s: float | None
    tripped: bool
    engine_stalled_s: float | None
    over_s: float | None
    least: int | None
    endpoint: str | None
    for_s: float | None

    @property
    def kinds(self) -> list[tuple[AlertKind, float]]:
        """What was asked for, with its threshold."""
        given = (
            (AlertKind.ERROR_RATE, self.error_rate),
            (AlertKind.BACKLOG_AGE, self.backlog_age_s),
            (AlertKind.TRIPPED, 0.0 if self.tripped else None),
            (AlertKind.ENGINE_STALLED, self.engine_stalled_s),
        )
        return [(kind, threshold) for kind, threshold in given if threshold is not None]

    def spec(self, store: Store, before: AlertSpec | None) -> AlertSpec:
        """The rule with what was given put into it. Raises click.UsageError."""
        kinds = self.kinds
        if len(kinds) > 1 or (before is None and not kinds):
            raise click.UsageError("give one of --error-rate, --backlog-age, --tripped and --engine-stalled")
        spec = before or AlertSpec(kind=kinds[0][0], for_s=0.0 if kinds[0][0] is AlertKind.ENGINE_STALLED else FOR_S)
        if kinds:
            spec = replace(spec, kind=kinds[0][0], threshold=kinds[0][1])
        rate = spec.kind is AlertKind.ERROR_RATE
        if not rate and (self.over_s is not None or self.least is not None):
            raise click.UsageError("--over and --least belong to --error-rate")
        spec = replace(
            spec,
            window_s=_first(self.over_s, spec.window_s or WINDOW_S) if rate else 0.0,
            least=_first(self.least, spec.least or LEAST) if rate else 0,
            for_s=_first(self.for_s, spec.for_s),
            endpoint=spec.endpoint if self.endpoint is None else store.find_endpoint(self.endpoint).id,
        )
        try:
            return spec.check()
        except InvalidInputError as error:
            raise click.UsageError(str(error)) from None


_T = TypeVar("_T")


def _first(given: _T | None, otherwise: _T) -> _T:
    return otherwise if given is None else given


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--error-rate", type=RATIO, metavar="20%", help="So many of an endpoint's attempts failed, or more."),
    click.option("--backlog-age", "backlog_age_s", type=DURATION, metavar="10m", help="A due delivery waits so long."),
    click.option("--tripped", is_flag=True, help="An endpoint is tripped or disabled."),
    click.option(
        "--engine-stalled",
        "engine_stalled_s",
        type=DURATION,
        is_flag=False,
        flag_value=f"{STALLED_S:g}s",
        metavar="60s",
        help="No engine lived for so long; said by the next one.",
    ),
    click.option("--over", "over_s", type=DURATION, metavar="5m", help="The window of --error-rate. Default: 5m"),
    click.option("--least", type=int, metavar="N", help="Fewer attempts are no error rate. Default: 20"),
    click.option("--endpoint", type=ENDPOINT, metavar="REF", help="Of this one alone. Default: each by itself."),
    click.option("--for", "for_s", type=DURATION, metavar="30s", help="How long it must hold, and be clear again."),
)


def _rule_options(command: Callable[..., R]) -> Callable[..., R]:
    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        flags = _Flags(**{name: kwargs.pop(name) for name in _Flags.__dataclass_fields__})
        return command(*args, flags=flags, **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected


@alerts.command(
    cls=ConsoleCommand,
    json_fields=RULE_FIELDS,
    examples=(
        "alerts add --error-rate 20% --over 5m --least 20 --endpoint crm",
        "alerts add --backlog-age 10m --for 1m",
        "alerts add --tripped",
        "alerts add --engine-stalled 2m",
    ),
)
@_rule_options
@pass_invocation
def add(invocation: Invocation, flags: _Flags) -> int:
    """Add a rule."""
    with invocation.writing(create=True) as store:
        spec = flags.spec(store, None)
        rule = acts.add_rule(store, spec, actor=current_actor(), now_ms=invocation.clock.now_ms())
    return _answer(invocation, rule, "added")


_ID = click.argument("rule_id", metavar="ID", type=click.IntRange(1))


@alerts.command(
    cls=ConsoleCommand, json_fields=RULE_FIELDS, examples=("alerts edit 2 --backlog-age 30m", "alerts edit 2 --for 2m")
)
@_ID
@_rule_options
@pass_invocation
def edit(invocation: Invocation, rule_id: int, flags: _Flags) -> int:
    """Change what is given of a rule."""
    if flags == _Flags(**dict.fromkeys(_Flags.__dataclass_fields__, None) | {"tripped": False}):  # type: ignore[arg-type] # nothing was given
        raise click.UsageError("nothing to change: give at least one option")
    with invocation.writing() as store:
        spec = flags.spec(store, store.alert_rule(AlertRuleId(rule_id)).spec)
        rule = acts.edit_rule(
            store, AlertRuleId(rule_id), spec, actor=current_actor(), now_ms=invocation.clock.now_ms()
        )
    return _answer(invocation, rule, "changed")


@alerts.command(cls=ConsoleCommand, json_fields=RULE_FIELDS, examples=("alerts remove 2",))
@_ID
@pass_invocation
def remove(invocation: Invocation, rule_id: int) -> int:
    """Remove a rule. What fires because of it is over."""
    with invocation.writing() as store:
        rule = acts.remove_rule(store, AlertRuleId(rule_id), actor=current_actor(), now_ms=invocation.clock.now_ms())
    return _answer(invocation, rule, "removed")


@alerts.command(cls=ConsoleCommand, json_fields=RULE_FIELDS, examples=("alerts mute 2 --for 1h",))
@_ID
@click.option("--for", "for_s", type=DURATION, default="1h", show_default=True, metavar="1h")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def mute(invocation: Invocation, rule_id: int, for_s: float, reason: str | None) -> int:
    """Let nothing new fire for a while, and show nothing of the rule. What fires then still says when it is over."""
    return _mute(invocation, rule_id, for_s, reason, "muted")


@alerts.command(cls=ConsoleCommand, json_fields=RULE_FIELDS, examples=("alerts unmute 2",))
@_ID
@pass_invocation
def unmute(invocation: Invocation, rule_id: int) -> int:
    """Let a muted rule fire again."""
    return _mute(invocation, rule_id, None, None, "unmuted")


def _mute(invocation: Invocation, rule_id: int, for_s: float | None, reason: str | None, done: str) -> int:
    with invocation.writing() as store:
        rule = acts.mute_rule(
            store, AlertRuleId(rule_id), for_s=for_s, actor=current_actor(), reason=reason,
            now_ms=invocation.clock.now_ms(),
        )  # fmt: skip
    return _answer(invocation, rule, done)


def _answer(invocation: Invocation, rule: AlertRule, done: str) -> int:
    if invocation.json:
        emit(_record(rule, ()))
    else:
        where = f"{rule.endpoint_name}: " if rule.endpoint_name else ""
        say(f"alert {rule.id}  {paint(done, 'ok')}  {clean(where + rule.spec.words)}")
    return 0


def _record(rule: AlertRule, firing: Sequence[Alert]) -> Record:
    spec = rule.spec
    values = (
        rule.id, spec.kind, spec.endpoint, spec.threshold, spec.window_s, spec.least, spec.for_s,
        rule.muted_until_ms, spec.words, [_firing(alert) for alert in firing if alert.rule.id == rule.id],
    )  # fmt: skip
    return dict(zip(RULE_FIELDS, values, strict=True))


def _firing(alert: Alert) -> Record:
    values = (alert.endpoint_id, alert.value, alert.since_ms, alert.fired_at_ms, alert.words)
    return dict(zip(_FIRING_FIELDS, values, strict=True))


def _print(rules: Sequence[AlertRule], firing: Sequence[Alert], now_ms: int) -> None:
    from console.cli.table import Cell, Column, print_table
    from console.domain.alerts import duration_words
    from console.ui.format import countdown, duration

    columns = (
        Column(title="ID", right=True),
        Column(title="STATE"),
        Column(title="ENDPOINT", flexible=True),
        Column(title="FIRES WHEN", flexible=True),
        Column(title="FOR", right=True),
    )
    rows: list[list[Cell]] = []
    for rule in rules:
        count = sum(alert.rule.id == rule.id for alert in firing)
        state: Cell = (f"FIRING ({count})", "error") if count else ("ok", "ok")
        if rule.muted(now_ms):
            state = (f"muted, {countdown(now_ms, rule.muted_until_ms)}", "warning")
        name = rule.endpoint_name or ("" if rule.spec.kind is AlertKind.ENGINE_STALLED else "each")
        rows.append([str(rule.id), state, name, rule.spec.words, duration_words(rule.spec.for_s)])
    print_table(columns, rows)
    for alert in firing:
        say(f"{paint('FIRING', 'error')}  {clean(alert.words)}, for {duration(now_ms - alert.since_ms)}")
