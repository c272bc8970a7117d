"""One attempt as lines to read: what was sent, what came back, how long it took, and what that means. Pure."""

import json
from collections.abc import Iterator, Sequence

from console.domain.delivery import REQUEST_BODY_CAP_BYTES, Attempt, Exchange
from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, Cause, Headers
from console.domain.policy import DeliveryPolicy
from console.domain.redaction import redact_url
from console.ui.attempt_parts import queue_ms, waterfall
from console.ui.body_text import MOST_UNPACKED_BYTES, hex_lines, is_text, readable_body
from console.ui.explain import explain_attempt
from console.ui.format import clock_time, duration, sanitise_bytes, size, text_lines
from console.ui.widgets import json_value
from console.ui.widgets.json_value import Json, Number, Object
from console.ui.widgets.reading_view import Line
from console.ui.widgets.spark import gauge
from console.ui.widgets.vocabulary import Cell, attempt_mark

_BAR_CELLS = 20
_PART_CELLS = 23
_NAME_CELLS = 26
"""Header names are padded to at most this much, so that the values stand in a column."""

_DEEPEST = 12
"""Levels of JSON that are indented; what is deeper stays at that column, so that no line is only blanks."""

_BLANK = Line()


def exchange_lines(
    attempt: Attempt,
    exchange: Exchange | None,
    policy: DeliveryPolicy | None,
    payload_bytes: int,
    longest_ms: float | None = None,
) -> list[Line]:
    """Everything known of an attempt.

    Args:
        exchange: None: nothing was recorded.
        policy: None: the endpoint is gone.
        longest_ms: what the bars of the parts are drawn to; None: this attempt.
    """
    return [
        *_summary(attempt, policy),
        *_timings(attempt, policy, longest_ms),
        *_request(attempt, exchange, payload_bytes),
        *_response(attempt, exchange),
    ]


def _title(text: str, *rest: Cell) -> Line:
    return Line(spans=((text, "accent"), *rest), hang=2)


def _summary(attempt: Attempt, policy: DeliveryPolicy | None) -> Iterator[Line]:
    said = explain_attempt(attempt, policy)
    word, meaning = attempt_mark(attempt)
    until = f" → {clock_time(attempt.ended_at_ms)}" if attempt.ended_at_ms is not None else ""
    yield Line(
        spans=(
            (word, meaning),
            (f"  {clock_time(attempt.started_at_ms)}{until}", "muted"),
        )
    )
    yield Line(spans=((said.what, said.meaning),), prose=True)
    if said.why:
        yield Line(spans=((said.why, "normal"),), prose=True)
    if attempt.cause is Cause.TRANSFORM_ERROR:
        yield Line(
            spans=(("M", "strong"), (" opens it beside this event, at the place that is wrong.", "normal")), prose=True
        )


def _timings(attempt: Attempt, policy: DeliveryPolicy | None, longest_ms: float | None) -> Iterator[Line]:
    total, waited_ms = attempt.total_ms, queue_ms(attempt)
    if total is None:
        if waited_ms is not None:
            yield _BLANK
            yield _title("TIMINGS")
            yield _queue(waited_ms)
        return
    yield _BLANK
    limit_ms = policy.timeout_s * 1000 if policy else None
    scale = limit_ms or total or 1.0
    against = f"of {duration(limit_ms)} timeout" if limit_ms else ""
    yield _title("TIMINGS", (f"  {against}", "muted"))
    if waited_ms is not None:
        yield _queue(waited_ms)
    for name, bar, took, meaning in waterfall(attempt, longest_ms or total or 1.0, _BAR_CELLS):
        yield Line(
            spans=((f"  {name:<{_PART_CELLS}}", "muted"), (f"{bar:<{_BAR_CELLS}}", meaning), (f" {took:>7}", "strong"))
        )
    yield _bar("total", total, scale)


def _bar(name: str, ms: float, scale: float) -> Line:
    share = ms / scale
    meaning: Cell = (gauge(share, _BAR_CELLS), "error" if share >= 1 else "warning" if share > 0.5 else "ok")
    return Line(spans=((f"  {name:<{_PART_CELLS}}", "muted"), meaning, (f" {duration(ms):>7}", "strong")))


def _queue(waited_ms: float) -> Line:
    """No bar: what a delivery waits for its turn, or for its endpoint, dwarfs what a request takes."""
    name = f"  {'in the queue':<{_PART_CELLS + _BAR_CELLS}}"
    return Line(spans=((name, "muted"), (f" {duration(waited_ms):>7}", "strong")))


def _request(attempt: Attempt, exchange: Exchange | None, payload_bytes: int) -> Iterator[Line]:
    yield _BLANK
    if exchange is None:
        yield _title("REQUEST")
        yield Line(spans=((f"  {_why_unknown(attempt)}", "muted"),), prose=True)
        return
    method = f"  {exchange.request_method} "
    yield _title("REQUEST", (method, "strong"), (redact_url(exchange.url), "normal"))
    yield from header_lines(exchange.request_headers)
    made = exchange.request_body
    if made is None:
        yield Line(spans=(("  body ", "muted"), (f"{size(payload_bytes)}, the payload byte for byte", "muted")))
        return
    cut: tuple[Cell, ...] = (
        ((f"  ✂ cut: only the first {size(REQUEST_BODY_CAP_BYTES)} are kept", "warning"),)
        if len(made) >= REQUEST_BODY_CAP_BYTES
        else ()
    )
    yield Line(spans=(("  body ", "muted"), (f"{size(len(made))}, made by its transform", "accent"), *cut), hang=7)
    yield from _readable_lines(made)


def _why_unknown(attempt: Attempt) -> str:
    if attempt.ended_at_ms is None:
        return "Under way: it is recorded when it ends."
    return "Not recorded: the request was not made, or the engine stopped before it could be written."


def _response(attempt: Attempt, exchange: Exchange | None) -> Iterator[Line]:
    if exchange is None:
        return
    yield _BLANK
    if attempt.status is None:
        yield _title("RESPONSE", ("  nothing was sent" if attempt.dry_run else "  none came", "muted"))
        return
    source: tuple[Cell, ...] = ((f"  from {exchange.remote_address}", "muted"),) if exchange.remote_address else ()
    yield _title("RESPONSE", (f"  HTTP {attempt.status}", "ok" if attempt.cause is None else "error"), *source)
    yield from header_lines(exchange.response_headers)
    yield from _body(exchange)


def header_lines(headers: Headers) -> Iterator[Line]:
    """Header fields, their values in a column."""
    width = min(max((len(name) for name, _ in headers), default=0), _NAME_CELLS)
    for name, value in headers:
        yield Line(spans=((f"  {name:<{width}} ", "muted"), (value, "normal")), hang=width + 3)


def _body(exchange: Exchange) -> Iterator[Line]:
    came, cut = exchange.response_body, exchange.response_truncated
    readable = readable_body(exchange.response_headers, came)
    body = readable.data
    if not came:
        yield Line(spans=(("  body empty", "muted"),))
        return
    mark: tuple[Cell, ...] = ()
    if cut:
        mark = ((f"  ✂ cut: only the first {size(RESPONSE_BODY_CAP_BYTES)} are kept", "warning"),)
    unpacked: tuple[Cell, ...] = ((f"  {readable.note}", "accent"),) if readable.note else ()
    yield Line(spans=((f"  body {size(len(came))}", "muted"), *mark, *unpacked), hang=7)
    yield from _readable_lines(body)


def _readable_lines(body: bytes) -> Iterator[Line]:
    """JSON indented, other text as it is, what is none in hex."""
    if not is_text(body):
        yield from (Line(spans=((f"  {line}", "normal"),)) for line in hex_lines(body))
        return
    try:
        value = json_value.parse(body.decode("utf-8"))
        yield from json_lines(value)
    except (ValueError, RecursionError):
        for line in text_lines(sanitise_bytes(body, MOST_UNPACKED_BYTES)):
            yield Line(spans=(("  ", "normal"), (line, "normal")), hang=2)


def json_lines(value: Json, depth: int = 1, lead: Sequence[Cell] = (), tail: str = "") -> Iterator[Line]:
    """A value as indented JSON, digits and order kept."""
    depth = min(depth, _DEEPEST)
    indent: Cell = ("  " * depth, "normal")
    hang = 2 * depth + 2
    if not isinstance(value, list) or not value:
        text = "".join(_brackets(value)) if isinstance(value, list) else _scalar(value)
        yield Line(spans=(indent, *lead, (text + tail, json_value.meaning_of(value))), hang=hang)
        return
    left, right = _brackets(value)
    yield Line(spans=(indent, *lead, (left, "muted")), hang=hang)
    for n, (key, item) in enumerate(json_value.children(value, 0, len(value)), 1):
        label: tuple[Cell, ...] = ()
        if isinstance(value, Object):
            label = ((_scalar(str(key)), "accent"), (": ", "muted"))
        yield from json_lines(item, depth + 1, label, "," if n < len(value) else "")
    yield Line(spans=(indent, (right + tail, "muted")))


def _brackets(value: "Object | list[Json]") -> tuple[str, str]:
    return ("{", "}") if isinstance(value, Object) else ("[", "]")


def _scalar(value: Json) -> str:
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)
