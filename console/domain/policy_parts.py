"""The parts of a delivery policy as people write and read them: one table for commands, forms and lists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from console.domain.errors import InvalidInputError
from console.domain.policy import (
    BreakerPolicy,
    DeliveryPolicy,
    Ordering,
    check_header_value,
    check_proxy,
    parse_rate_limit,
)
from console.domain.redaction import REDACTED, redact
from console.domain.retry import parse_duration_s, parse_schedule_s

NONE_WORDS = frozenset({"none", "off", "never"})
_ON_OFF = {"on": True, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a policy."""

    field: str
    flag: str
    """Its name in commands and lists."""
    parse: Callable[[str], Any]
    """Raises InvalidInputError, never with a secret in it."""
    show: Callable[[Any], str]
    form: str
    """What may be written, in brief."""
    help: str


def _seconds(seconds: float) -> str:
    """`90s`, `5m`, `24h`: the largest unit that divides it, so that it reads back as it was."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= size and seconds % size == 0 and not (unit == "d" and seconds < 2 * size):
            return f"{seconds / size:g}{unit}"
    return f"{seconds:.12g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:.12g}ms"


def _or_none(parse: Callable[[str], Any], none: Any = None) -> Callable[[str], Any]:
    return lambda text: none if text.strip().lower() in NONE_WORDS else parse(text)


def _or_word(show: Callable[[Any], str], word: str) -> Callable[[Any], str]:
    return lambda value: show(value) if value else word


def _share(text: str) -> float:
    body = text.strip()
    try:
        return round(float(body.removesuffix("%")) / 100, 12) if body.endswith("%") else float(body)
    except ValueError:
        raise InvalidInputError(f"{text[:40]!r}: write it as 20% or 0.2") from None


def _whole(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 10):
        raise InvalidInputError(f"{text[:40]!r}: a whole number is needed")
    return int(text)


def _statuses(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_whole(part) for part in text.split(",")))


def _switch(text: str) -> bool:
    if text.strip().lower() not in _ON_OFF:
        raise InvalidInputError(f"{text[:40]!r}: on or off")
    return _ON_OFF[text.strip().lower()]


def _show_switch(value: bool) -> str:
    return "on" if value else "off"


def _ordering(text: str) -> Ordering:
    try:
        return Ordering(text.strip().lower())
    except ValueError:
        raise InvalidInputError(f"ordering {text[:40]!r}: any or fifo") from None


def _text(name: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        check_header_value(name, text)
        return text

    return checked


_BREAKER: Mapping[str, tuple[str, Callable[[str], Any], Callable[[Any], str]]] = {
    "consecutive": ("consecutive", _whole, str),
    "ratio": ("ratio", _share, lambda v: f"{v * 100:.12g}%"),
    "least": ("least", _whole, str),
    "window": ("window_s", parse_duration_s, _seconds),
    "probe": ("probe_s", parse_duration_s, _seconds),
    "probe-cap": ("probe_cap_s", parse_duration_s, _seconds),
}


def _breaker(text: str) -> BreakerPolicy:
    """`on`, `off`, or some of `consecutive=20,ratio=70%,least=50,window=1m,probe=30s,probe-cap=10m`."""
    if text.strip().lower() in _ON_OFF:
        return BreakerPolicy(enabled=_switch(text))
    given: dict[str, Any] = {}
    for item in text.split(","):
        name, equals, value = item.strip().partition("=")
        if name not in _BREAKER or not equals:
            raise InvalidInputError(f"breaker {item.strip()[:40]!r}: on, off, or some of {','.join(_BREAKER)}, each =…")
        field, parse, _ = _BREAKER[name]
        given[field] = parse(value)
    return BreakerPolicy(**given)


def _show_breaker(breaker: BreakerPolicy) -> str:
    if not breaker.enabled:
        return "off"
    return ",".join(f"{name}={show(getattr(breaker, field))}" for name, (field, _, show) in _BREAKER.items())


def _show_schedule(schedule_s: tuple[float, ...]) -> str:
    return ",".join(_seconds(wait) if wait else "0" for wait in schedule_s)


def _show_authorization(value: str) -> str:
    scheme = value.split(" ", 1)[0]
    return f"{scheme} {REDACTED}" if scheme in ("Basic", "Bearer") else REDACTED


def _show_proxy(value: str) -> str:
    parts = urlsplit(value) if value.startswith("http://") else None
    if parts is None:
        return REDACTED
    host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{REDACTED}@{host[2]}" if host[1] else parts.netloc))


PARTS: tuple[Part, ...] = (
    Part(
        field="schedule_s", flag="schedule", parse=parse_schedule_s, show=_show_schedule, form="0,5s,5m|exponential:…",
        help="The wait before each try; or exponential:first=5s,factor=2,cap=2h,tries=10.",
    ),
    Part(field="jitter", flag="jitter", parse=_share, show=lambda v: f"{v * 100:.12g}%", form="20%",
         help="How far each wait is spread, up and down: 0 to 50%."),
    Part(field="retry_after_cap_s", flag="retry-after-cap", parse=_or_none(parse_duration_s, 0.0),
         show=_or_word(_seconds, "none"), form="24h|none", help="The longest wait that a Retry-After may ask for."),
    Part(field="permanent_statuses", flag="permanent", parse=_or_none(_statuses, ()),
         show=_or_word(lambda v: ",".join(map(str, v)), "none"), form="400,422|none",
         help="Answers after which no further try is made, beside 410."),
    Part(field="timeout_s", flag="timeout", parse=parse_duration_s, show=_seconds, form="15s",
         help="For a whole attempt: 100ms to 2m."),
    Part(field="connect_timeout_s", flag="connect-timeout", parse=parse_duration_s, show=_seconds, form="5s",
         help="For connecting: 50ms to 1m."),
    Part(field="max_in_flight", flag="max-in-flight", parse=_whole, show=str, form="32",
         help="Requests at once: 1 to 1000."),
    Part(field="rate_limit", flag="rate-limit", parse=_or_none(parse_rate_limit), show=_or_word(str, "none"),
         form="50/s|1000/m|none", help="Requests in a second, minute or hour at most."),
    Part(field="breaker", flag="breaker", parse=_breaker, show=_show_breaker, form="on|off|consecutive=20,…",
         help="When the circuit breaker opens: consecutive=20,ratio=70%,least=50,window=1m,probe=30s,probe-cap=10m."),
    Part(field="disable_after_s", flag="disable-after", parse=_or_none(parse_duration_s, 0.0),
         show=_or_word(_seconds, "never"), form="5d|never", help="Nothing but failure for so long disables it."),
    Part(field="ordering", flag="ordering", parse=_ordering, show=str, form="any|fifo",
         help="fifo: strictly in order of acceptance; a failing event holds up what is behind it."),
    Part(field="order_key", flag="order-key", parse=_or_none(str.strip), show=_or_word(str, "none"),
         form="data.customer|none", help="With fifo: in order only among events with the same value there."),
    Part(field="user_agent", flag="user-agent", parse=_or_none(_text("user-agent")), show=_or_word(str, "none"),
         form="TEXT|none", help="In place of webhook-console/VERSION."),
    Part(field="authorization", flag="authorization", parse=_or_none(_text("authorization")),
         show=_or_word(_show_authorization, "none"), form="none", help="The Authorization header."),
    Part(field="client_certificate", flag="client-certificate", parse=_or_none(str.strip), show=_or_word(str, "none"),
         form="FILE|none", help="A PEM file that the receiver knows this machine by (mutual TLS)."),
    Part(field="client_key", flag="client-key", parse=_or_none(str.strip), show=_or_word(str, "none"),
         form="FILE|none", help="The certificate's key, when it is in a file of its own."),
    Part(field="proxy", flag="proxy", parse=_or_none(check_proxy), show=_or_word(_show_proxy, "none"),
         form="http://HOST:PORT|none", help="Send through this proxy."),
    Part(field="http2", flag="http2", parse=_switch, show=_show_switch, form="on|off",
         help="HTTP/2 where the receiver offers it."),
    Part(field="obey_receiver", flag="obey-receiver", parse=_switch, show=_show_switch, form="on|off",
         help="Heed 'webhook-delivery: disable' and 'abort-message' in answers."),
    Part(field="handshake", flag="handshake", parse=_switch, show=_show_switch, form="on|off",
         help="Ask the receiver for permission first, as CloudEvents has it."),
)  # fmt: skip
"""Every part but `headers`, which is written one field at a time."""

assert {part.field for part in PARTS} == {f.name for f in fields(DeliveryPolicy)} - {"headers"}


def shown_policy(policy: DeliveryPolicy) -> dict[str, Any]:
    """The parts by field, as text that reads back, and the headers as pairs; secrets redacted."""
    shown: dict[str, Any] = {part.field.removesuffix("_s"): part.show(getattr(policy, part.field)) for part in PARTS}
    return {**shown, "headers": [list(field) for field in redact(policy.headers)]}
