"""Where the time of an attempt went: its parts, and bars of them. Pure.

What a transport cannot tell is one part with what it can: nothing here is made up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from console.domain.delivery import Attempt, Exchange
from console.ui.format import duration
from console.ui.widgets.vocabulary import Cell, StyleName


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of an attempt, from `start_ms` after it began. `glyph` tells it from others without colour."""

    name: str
    start_ms: float
    ms: float
    glyph: str
    meaning: StyleName


def sent_body(exchange: Exchange, payload: bytes) -> bytes:
    """What an attempt sent: what the endpoint's transform made, as far as that was kept, else the event's payload."""
    return payload if exchange.request_body is None else exchange.request_body


def queue_ms(attempt: Attempt) -> float | None:
    """How long it waited after it was due; None: not known."""
    if attempt.due_at_ms is None:
        return None
    return max(0.0, float(attempt.started_at_ms - attempt.due_at_ms))


def parts_of(attempt: Attempt) -> tuple[Part, ...]:
    """What the total of an attempt that has ended is made of, in order."""
    total = attempt.total_ms
    if total is None:
        return ()
    first = total if attempt.first_byte_ms is None else min(attempt.first_byte_ms, total)
    known = (
        ("look-up", attempt.resolve_ms, "░"),
        ("connect", attempt.connect_ms, "▒"),
        ("TLS", attempt.tls_ms, "▓"),
    )
    parts, at = [], 0.0
    for name, ms, glyph in known:
        if ms is not None:
            ms = min(ms, first - at)
            parts.append(Part(name=name, start_ms=at, ms=ms, glyph=glyph, meaning="accent"))
            at += ms
    parts.append(Part(name=_waiting(attempt), start_ms=at, ms=first - at, glyph="█", meaning="normal"))
    if attempt.first_byte_ms is not None:
        parts.append(Part(name="body", start_ms=first, ms=total - first, glyph="▄", meaning="ok"))
    return tuple(parts)


def _waiting(attempt: Attempt) -> str:
    """What the stretch up to the first byte holds that was not told apart."""
    connected = attempt.connect_ms is not None
    body = attempt.first_byte_ms is None
    if attempt.status is None:
        return "no answer" if connected else "connect, TLS, no answer"
    if body:
        return "waiting, body" if connected else "all of it"
    return "waiting" if connected else "connect, TLS, waiting"


def longest_ms(attempts: Sequence[Attempt]) -> float:
    """The longest total, to which bars are drawn; never 0."""
    return max((a.total_ms for a in attempts if a.total_ms), default=1.0)


def bar(attempt: Attempt, scale_ms: float, width: int) -> Cell:
    """The parts of an attempt in one line of at most `width` cells, a glyph for each."""
    parts = parts_of(attempt)
    if not parts or width <= 0 or scale_ms <= 0:
        return "", "muted"
    total = attempt.total_ms or 0.0
    whole = max(1, min(width, round(total / scale_ms * width)))
    edges = [round(part.start_ms / total * whole) if total else 0 for part in parts] + [whole]
    text = "".join(part.glyph * (end - start) for part, (start, end) in zip(parts, pairwise(edges), strict=True))
    return text, "error" if attempt.cause is not None else "accent"


def waterfall(attempt: Attempt, scale_ms: float, width: int) -> Iterator[tuple[str, str, str, StyleName]]:
    """Each part with its name, its bar at its place, its length, and what it means."""
    for part in parts_of(attempt):
        start = min(width - 1, int(part.start_ms / scale_ms * width))
        cells = max(1, min(width - start, round(part.ms / scale_ms * width)))
        if part.ms <= 0:
            cells = 0
        yield part.name, " " * start + part.glyph * cells, duration(part.ms), part.meaning
