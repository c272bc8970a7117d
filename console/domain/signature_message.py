"""The headers of a signed message, and whether its time is right. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.domain.ids import EventId
from console.domain.outcome import Headers
from console.domain.signature_finding import Finding, Mistake
from console.domain.signature_search import Signature, signatures_in
from console.domain.why import Times

TOLERANCE_S = 300
"""How far a timestamp may be from the receiver's clock, as Standard Webhooks advises."""

_MILLISECONDS_FROM = 100_000_000_000
"""A timestamp in seconds that large is in the year 5138."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the headers say; None where one is missing. `findings`: what is wrong with their form."""

    id: str | None
    timestamp: str | None
    signatures: tuple[Signature, ...]
    findings: tuple[Finding, ...]


_NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")


def read_message(headers: Headers) -> Message:
    """Read the three headers, also where a framework has renamed them (HTTP_WEBHOOK_ID) or they came twice."""
    values: dict[str, str] = {}
    findings: list[Finding] = []
    for name, value in headers:
        plain = name.strip().lower().replace("_", "-").removeprefix("http-")
        if plain in _NAMES and plain not in values:
            values[plain] = value.strip()
        elif plain in _NAMES and plain == "webhook-signature":
            values[plain] += " " + value.strip()
    missing = [name for name in _NAMES if not values.get(name)]
    if missing:
        findings.append(
            Finding(
                mistake=Mistake.MISSING_HEADER,
                severity="wrong",
                words=f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing, or empty.",
                fix="Look at what a proxy or a framework before the receiver takes away, and paste all headers.",
            )
        )
    id_, at = values.get("webhook-id"), values.get("webhook-timestamp")
    if id_ and at and id_.isdigit() and not at.isdigit():
        findings.append(
            Finding(
                mistake=Mistake.HEADER_FORM,
                severity="wrong",
                words="webhook-id and webhook-timestamp hold each other's value.",
                fix="Read each header by its own name.",
            )
        )
        id_, at = at, id_
    signatures, complaint = signatures_in(values.get("webhook-signature", ""))
    if complaint is not None:
        findings.append(Finding(mistake=Mistake.HEADER_FORM, severity="wrong", words=complaint))
    return Message(id=id_ or None, timestamp=at or None, signatures=signatures, findings=tuple(findings))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def about_time(message: Message, times: Times, received_at_ms: int | None) -> list[Finding]:
    """What is wrong with the timestamp, or with a clock. `received_at_ms` as `diagnose` has it."""
    text = message.timestamp
    if text is None:
        return []
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return [
            Finding(
                mistake=Mistake.TIMESTAMP_FORM,
                severity="wrong",
                words="webhook-timestamp is no whole number of seconds.",
                fix="Take the header as it came: nothing may parse it and write it anew.",
            )
        ]
    at_s = int(text)
    if at_s >= _MILLISECONDS_FROM:
        return [
            Finding(
                mistake=Mistake.TIMESTAMP_FORM,
                severity="wrong",
                words="webhook-timestamp is in milliseconds; it must be in seconds.",
                fix="Compare and sign it in seconds.",
            )
        ]
    seen_ms = times.now_ms if received_at_ms is None else received_at_ms
    off_ms = seen_ms - at_s * 1000
    if abs(off_ms) <= TOLERANCE_S * 1000:
        return []
    return [_about_clock(off_ms, times, known=received_at_ms is not None)]


def _about_clock(off_ms: int, times: Times, *, known: bool) -> Finding:
    side = "before" if off_ms > 0 else "after"
    limit = times.span(TOLERANCE_S * 1000)
    when = "the time at which the receiver looked" if known else "now"
    words = f"It was signed {times.span(abs(off_ms))} {side} {when}: more than the {limit} that receivers allow."
    if off_ms > 0 and not known:
        return Finding(
            mistake=Mistake.CLOCK,
            severity="note",
            words=words,
            fix="A receiver that looked at it when it came is not concerned, if its clock is right. "
            "Say when that was (--received-at) to be sure.",
        )
    fix = "Set both clocks by NTP. " + (
        "A message that waited in a queue before it was verified is old, too." if off_ms > 0 else ""
    )
    return Finding(mistake=Mistake.CLOCK, severity="wrong", words=words, fix=fix.strip())


def event_id_in(headers: Headers) -> EventId | None:
    """The id that a message says it has."""
    found = read_message(headers).id
    return EventId(found) if found else None
