"""What is different between two attempts of one delivery: the answer is often that one line. Pure."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from console.domain.delivery import Attempt, Exchange
from console.domain.outcome import Headers
from console.domain.redaction import redact_url
from console.ui.attempt_parts import parts_of, queue_ms
from console.ui.body_text import is_text, readable_body
from console.ui.explain import outcome_words
from console.ui.format import ABSENT, clock_time, counted, duration, text_lines
from console.ui.widgets.json_value import Json, Object, children, parse, written
from console.ui.widgets.reading_view import Line
from console.ui.widgets.vocabulary import StyleName

MOST_LINES = 1_500
"""Lines of a body that are compared; the work grows with the square."""

AROUND = 2
"""Equal lines of a body that are shown beside what differs."""

_PARTS = ("in the queue", "look-up", "connect", "TLS", "waiting", "body", "total")
_OF_EACH_REQUEST = frozenset({"webhook-timestamp", "webhook-signature"})
"""They differ by design, which is said, not shown as something found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two."""

    attempt: Attempt
    exchange: Exchange | None


def diff_lines(old: Side, new: Side, *, whole: bool = False) -> list[Line]:
    """The differences, `-` of the older and `+` of the newer; with `whole`, what is the same too."""
    lines = [_heading(old, new), Line()]
    sections = (
        ("OUTCOME", _pairs(_outcome(old.attempt), _outcome(new.attempt), whole)),
        ("TIMINGS", _pairs(_timings(old.attempt), _timings(new.attempt), whole, order=_parts_order)),
        ("REQUEST", _request(old, new, whole)),
        *((("REQUEST BODY", _texts(_made(old), _made(new), whole)),) if _made(old) or _made(new) else ()),
        ("RESPONSE HEADERS", _pairs(_answer_fields(old), _answer_fields(new), whole)),
        ("RESPONSE BODY", _bodies(old, new, whole)),
    )
    same = []
    for title, found in sections:
        shown = list(found)
        if shown:
            lines += [Line(spans=((title, "accent"),)), *shown, Line()]
        else:
            same.append(title.lower())
    if same:
        lines.append(Line(spans=((f"The same in both: {', '.join(same)}.", "muted"),), prose=True))
    return lines


def _heading(old: Side, new: Side) -> Line:
    one, other = old.attempt, new.attempt
    apart = duration(abs(other.started_at_ms - one.started_at_ms))
    return Line(
        spans=(
            (f"- attempt {one.number}", "error"),
            (f" {clock_time(one.started_at_ms)}   ", "muted"),
            (f"+ attempt {other.number}", "ok"),
            (f" {clock_time(other.started_at_ms)}   {apart} apart", "muted"),
        ),
        hang=2,
    )


_Named = Sequence[tuple[str, str]]


def _outcome(attempt: Attempt) -> _Named:
    return (
        ("outcome", outcome_words(attempt) or "under way"),
        ("detail", attempt.detail or ABSENT),
        ("asked for by", "an operator" if attempt.manual else "the schedule"),
    )


def _timings(attempt: Attempt) -> _Named:
    waited = queue_ms(attempt)
    parts = [(part.name, duration(part.ms)) for part in parts_of(attempt)]
    return (
        *((("in the queue", duration(waited)),) if waited is not None else ()),
        *parts,
        ("total", duration(attempt.total_ms)),
    )


def _exchange_headers(side: Side, which: str) -> Headers:
    if side.exchange is None:
        return ()
    return side.exchange.request_headers if which == "request" else side.exchange.response_headers


def _fields(headers: Headers) -> _Named:
    return [(name.lower(), value) for name, value in headers]


def _answer_fields(side: Side) -> _Named:
    return _fields(_exchange_headers(side, "response"))


def _request(old: Side, new: Side, whole: bool) -> Iterator[Line]:
    def named(side: Side) -> _Named:
        sent = side.exchange
        to = ABSENT if sent is None else f"{sent.request_method} {redact_url(sent.url)}"
        return (("to", to), *_fields(_exchange_headers(side, "request")))

    def kept(fields: _Named) -> _Named:
        return [field for field in fields if whole or field[0] not in _OF_EACH_REQUEST]

    found = list(_pairs(kept(named(old)), kept(named(new)), whole))
    yield from found
    if found and not whole:
        yield Line(spans=(("  webhook-timestamp and webhook-signature are new in each request", "muted"),), hang=2)


def _as_it_stands(name: str) -> int:
    return 0


def _parts_order(name: str) -> int:
    """The parts of a time one after the other; what a transport tells as one is where waiting is."""
    return _PARTS.index(name) if name in _PARTS else _PARTS.index("waiting")


def _pairs(old: _Named, new: _Named, whole: bool, order: Callable[[str], int] = _as_it_stands) -> Iterator[Line]:
    """By name, in the order of both; a name that stands twice is compared one by one."""
    before, after = _grouped(old), _grouped(new)
    width = min(26, max((len(name) for name in (*before, *after)), default=0))
    for name in sorted(dict.fromkeys((*before, *after)), key=order):
        ours, theirs = before.get(name, []), after.get(name, [])
        for i in range(max(len(ours), len(theirs))):
            one, other = (values[i] if i < len(values) else None for values in (ours, theirs))
            if one == other:
                if whole:
                    yield _line(" ", name, width, one or "", "muted")
                continue
            if one is not None:
                yield _line("-", name, width, one, "error")
            if other is not None:
                yield _line("+", name, width, other, "ok")


def _grouped(fields: _Named) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def _line(sign: str, name: str, width: int, value: str, meaning: StyleName) -> Line:
    return Line(spans=((f"{sign} ", meaning), (f"{name:<{width}} ", "muted"), (value, meaning)), hang=width + 3)


# Bodies


def _bodies(old: Side, new: Side, whole: bool) -> Iterator[Line]:
    yield from _texts(_body(old), _body(new), whole)


def _made(side: Side) -> bytes:
    """What a transform has made to be sent; of a payload as it is there is nothing to compare."""
    return (side.exchange.request_body if side.exchange else None) or b""


def _texts(one: bytes, other: bytes, whole: bool) -> Iterator[Line]:
    if one == other and not whole:
        return
    before, after, note = _comparable(one, other)
    if note:
        yield Line(spans=((f"  {note}", "muted"),), hang=2)
    if len(before) > MOST_LINES or len(after) > MOST_LINES:
        yield Line(spans=((f"  only the first {MOST_LINES:,} lines are compared", "warning"),), hang=2)
        before, after = before[:MOST_LINES], after[:MOST_LINES]
    yield from _changed(before, after, whole)


def _body(side: Side) -> bytes:
    if side.exchange is None:
        return b""
    return readable_body(side.exchange.response_headers, side.exchange.response_body).data


def _comparable(one: bytes, other: bytes) -> tuple[list[str], list[str], str]:
    """Both as lines: JSON with a line for each member and keys in order, so that only what it says is compared."""
    try:
        before, after = (list(_member_lines(parse(body.decode("utf-8")), "")) for body in (one, other))
    except (ValueError, RecursionError):
        if is_text(one) and is_text(other):
            return _lines(one), _lines(other), ""
        return [f"{len(one):,} bytes that are no text"], [f"{len(other):,} bytes that are no text"], ""
    note = "the same JSON, written in another way" if before == after and one != other else ""
    return before, after, note


def _lines(body: bytes) -> list[str]:
    return text_lines(body.decode("utf-8", "replace")) if body else []


def _member_lines(value: Json, path: str) -> Iterator[str]:
    """`error.code: 7` for each member that holds no others."""
    if not isinstance(value, list) or not value:
        text = json.dumps(value, ensure_ascii=False) if type(value) is str else written(value)
        yield f"{path}: {text}" if path else text
        return
    members = list(children(value, 0, len(value)))
    if isinstance(value, Object):
        members.sort(key=lambda member: str(member[0]))
    for key, item in members:
        inner = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else str(key)
        yield from _member_lines(item, inner)


def _changed(before: list[str], after: list[str], whole: bool) -> Iterator[Line]:
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=True).get_opcodes():
        if tag == "equal":
            yield from _equal(before[a:b], whole, first=a == 0, last=b == len(before))
            continue
        yield from (Line(spans=((f"- {line}", "error"),), hang=2) for line in before[a:b])
        yield from (Line(spans=((f"+ {line}", "ok"),), hang=2) for line in after[c:d])


def _equal(lines: list[str], whole: bool, *, first: bool, last: bool) -> Iterator[Line]:
    """Equal lines: all of them, or those beside what differs and how many are between."""
    head, tail = (0 if first else AROUND), (0 if last else AROUND)
    left_out = len(lines) - head - tail
    if whole or left_out <= 1:
        yield from (Line(spans=((f"  {line}", "muted"),), hang=2) for line in lines)
        return
    yield from (Line(spans=((f"  {line}", "muted"),), hang=2) for line in lines[:head])
    yield Line(spans=((f"  ⋯ {counted(left_out, 'equal line', 'equal lines')}", "muted"),))
    yield from (Line(spans=((f"  {line}", "muted"),), hang=2) for line in lines[len(lines) - tail :])
