"""Alerts: rules of what must not be, and when one of them fires and is over. Pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NewType

from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError
from console.domain.ids import EndpointId

AlertRuleId = NewType("AlertRuleId", int)

FIRED_TYPE, RESOLVED_TYPE = "webhook.alert.fired", "webhook.alert.resolved"
"""The types of the operational events."""

MOST_RULES = 100
FOR_S = 30.0
WINDOW_S = 300.0
LEAST = 20
STALLED_S = 60.0
_DAY_S = 24 * 3600.0


class AlertKind(StrEnum):
    """`error_rate`: too large a part of an endpoint's attempts failed. `backlog_age`: an active endpoint's oldest due
    delivery has waited too long. `tripped`: an endpoint is tripped or disabled. `engine_stalled`: no engine lived for
    too long; the one that comes next says so."""

    ERROR_RATE = "error_rate"
    BACKLOG_AGE = "backlog_age"
    TRIPPED = "tripped"
    ENGINE_STALLED = "engine_stalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSpec:
    """What an operator says of a rule."""

    kind: AlertKind
    endpoint: EndpointId | None = None
    """None: each endpoint by itself."""
    threshold: float = 0.0
    """A part of all attempts (0 to 1), or seconds; 0 for `tripped`."""
    window_s: float = 0.0
    """How far back `error_rate` looks; beyond two minutes in whole minutes."""
    least: int = 0
    """Fewer attempts than this in the window are no error rate."""
    for_s: float = FOR_S
    """It fires when this has been so for as long, and is over when it has not been so for as long."""

    def check(self) -> "AlertSpec":
        """This spec, when every part of it is right. Raises InvalidInputError."""
        match self.kind:
            case AlertKind.ERROR_RATE:
                _within("error-rate", self.threshold, 0.001, 1.0)
                _within("over", self.window_s, 10, _DAY_S)
                _within("least", self.least, 1, 1_000_000)
            case AlertKind.BACKLOG_AGE | AlertKind.ENGINE_STALLED:
                _within(self.kind.replace("_", "-"), self.threshold, 5, 30 * _DAY_S)
            case AlertKind.TRIPPED:
                pass
        _within("for", self.for_s, 0, _DAY_S)
        if self.kind is AlertKind.ENGINE_STALLED and self.endpoint is not None:
            raise InvalidInputError("engine-stalled: is about the engine and takes no --endpoint")
        return self

    @property
    def words(self) -> str:
        """`over 20% of at least 20 attempts in 5m failed`."""
        match self.kind:
            case AlertKind.ERROR_RATE:
                return (
                    f"{_percent(self.threshold)} or more of at least {self.least} attempts in "
                    f"{duration_words(self.window_s)} failed"
                )
            case AlertKind.BACKLOG_AGE:
                return f"a due delivery has waited {duration_words(self.threshold)} or longer"
            case AlertKind.TRIPPED:
                return "tripped or disabled"
            case AlertKind.ENGINE_STALLED:
                return f"no engine lived for {duration_words(self.threshold)} or longer"


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidInputError(f"{name} {value:g}: {low:g} to {high:g} are allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """A rule in the store."""

    id: AlertRuleId
    spec: AlertSpec
    endpoint_name: str | None
    muted_until_ms: int | None

    def muted(self, now_ms: int) -> bool:
        """Nothing new fires while it is."""
        return self.muted_until_ms is not None and now_ms < self.muted_until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that fires, for one endpoint or for the engine."""

    rule: AlertRule
    endpoint_id: EndpointId | None
    endpoint_name: str | None
    endpoint_state: EndpointState | None
    value: float
    """As the rule's threshold, measured at most some seconds ago; of `tripped` 0."""
    since_ms: int
    """Since when it has been so."""
    fired_at_ms: int

    @property
    def words(self) -> str:
        """One line: `crm: 34% of attempts failed in 5m`."""
        spec, name = self.rule.spec, self.endpoint_name or "engine"
        match spec.kind:
            case AlertKind.ERROR_RATE:
                return f"{name}: {_percent(self.value)} of attempts failed in {duration_words(spec.window_s)}"
            case AlertKind.BACKLOG_AGE:
                return f"{name}: a due delivery has waited {duration_words(self.value)}"
            case AlertKind.TRIPPED:
                return f"{name}: {self.endpoint_state or EndpointState.TRIPPED}"
            case AlertKind.ENGINE_STALLED:
                until_ms = self.since_ms + round(self.value * 1000)
                return f"no engine from {_moment(self.since_ms)} to {_moment(until_ms)}"


AlertKey = tuple[AlertRuleId, int]
"""A rule, and the number (seq) of the endpoint it is about; 0: the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """What a rule says must not be. `since_ms` None: since when is not known."""

    value: float
    since_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertReading:
    """What the store says at one moment."""

    rules: Mapping[AlertRuleId, AlertRule]
    breaches: Mapping[AlertKey, Breach]
    firing: Set[AlertKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """A rule fires, or what fired is over (`breach` None)."""

    key: AlertKey
    breach: Breach | None
    since_ms: int


@dataclass(slots=True)
class Hysteresis:
    """How long each thing has been so, or no longer been so. Times in monotonic seconds."""

    _holding: dict[AlertKey, tuple[float, int]] = field(default_factory=dict)
    _clearing: dict[AlertKey, float] = field(default_factory=dict)

    def step(self, reading: AlertReading, *, now_s: float, now_ms: int) -> list[AlertChange]:
        """What fires now, and what is over."""
        changes: list[AlertChange] = []
        for key, breach in reading.breaches.items():
            rule = reading.rules[key[0]]
            self._clearing.pop(key, None)
            if key in reading.firing or rule.muted(now_ms):
                self._holding.pop(key, None)
                continue
            held_since_s, seen_ms = self._holding.setdefault(key, (now_s, now_ms))
            if now_s - held_since_s >= rule.spec.for_s:
                since_ms = seen_ms if breach.since_ms is None else breach.since_ms
                changes.append(AlertChange(key=key, breach=breach, since_ms=since_ms))
        for key in [key for key in self._holding if key not in reading.breaches]:
            del self._holding[key]
        for key in reading.firing - reading.breaches.keys():
            rule_of = reading.rules.get(key[0])
            if now_s - self._clearing.setdefault(key, now_s) >= (rule_of.spec.for_s if rule_of else 0.0):
                changes.append(AlertChange(key=key, breach=None, since_ms=now_ms))
        for key in [key for key in self._clearing if key not in reading.firing]:
            del self._clearing[key]
        return changes


def payload_of(alert: Alert, *, resolved_at_ms: int | None = None) -> dict[str, Any]:
    """What the operational event says; `resolved_at_ms` None: it fires."""
    data: dict[str, Any] = {
        "rule": alert.rule.id,
        "kind": alert.rule.spec.kind,
        "endpoint": alert.endpoint_id,
        "endpoint_name": alert.endpoint_name,
        "value": round(alert.value, 4),
        "threshold": alert.rule.spec.threshold,
        "since": _moment(alert.since_ms),
        "message": alert.words,
    }
    at_ms = alert.fired_at_ms if resolved_at_ms is None else resolved_at_ms
    type_ = FIRED_TYPE if resolved_at_ms is None else RESOLVED_TYPE
    return {"type": type_, "timestamp": _moment(at_ms), "data": data}


def duration_words(seconds: float) -> str:
    """`45s`, `10m`, `1h30m`, `2d`."""
    whole, parts = round(seconds), []
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def _percent(ratio: float) -> str:
    return f"{ratio:.1%}".replace(".0%", "%")


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_ratio(text: str) -> float:
    """`20%` or `0.2`. Raises InvalidInputError."""
    body = text.strip()
    try:
        ratio = float(body.removesuffix("%")) / (100 if body.endswith("%") else 1)
    except ValueError:
        ratio = -1.0
    if not 0 < ratio <= 1:
        raise InvalidInputError(f"error rate {text[:40]!r}: write it as 20% or 0.2")
    return ratio
