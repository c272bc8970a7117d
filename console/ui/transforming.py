"""What is typed of a filter and a transform, and what comes of it for a real event. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from console.domain.endpoint import Endpoint
from console.domain.errors import InvalidInputError, TransformError
from console.domain.event import Event
from console.domain.redaction import redact_url
from console.domain.transform import CONTENT_TYPE, Rendered, Subject, Transform
from console.ui.body_text import is_text
from console.ui.curl import is_secret_header
from console.ui.exchange_lines import json_lines
from console.ui.format import sanitise_bytes, size, text_lines
from console.ui.masking import mask_body, mask_headers, mask_url
from console.ui.widgets import json_value
from console.ui.widgets.reading_view import Line

MOST_SHOWN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field: its key, its label, what it is, and what an empty one means."""

    key: str
    label: str
    hint: str
    tall: bool = False
    """It may have many lines."""


PARTS = (
    Part(key="filter", label="when", hint="all of its types: payload.amount > 100", tall=True),
    Part(key="body", label="body", hint='the payload: {"text": {{ payload.text | tojson }}}', tall=True),
    Part(key="headers", label="headers", hint="none: NAME: template, one a line", tall=True),
    Part(key="path", label="path", hint="the URL's: /contacts/{{ payload.id | urlencode }}"),
    Part(key="method", label="method", hint="POST"),
    Part(key="content_type", label="content type", hint=CONTENT_TYPE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A filter and a transform, as they are kept."""

    filter: str | None
    transform: Transform | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong, in which field, and where in its text: line and column from 1; None: as a whole."""

    words: str
    part: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What comes of it for one event."""

    wanted: bool = True
    """The filter lets the event through."""
    rendered: Rendered | None = None
    trouble: Trouble | None = None


def shape_of(endpoint: Endpoint) -> Shape:
    """As an endpoint has them."""
    return Shape(filter=endpoint.filter, transform=endpoint.transform)


def texts_of(shape: Shape) -> dict[str, str]:
    """What the fields say."""
    made = shape.transform or Transform()
    return {
        "filter": shape.filter or "",
        "body": made.body or "",
        "headers": "\n".join(f"{name}: {value}" for name, value in made.headers),
        "path": made.path or "",
        "method": made.method or "",
        "content_type": "" if made.content_type == CONTENT_TYPE else made.content_type,
    }


def shape_typed(texts: Mapping[str, str]) -> Shape:
    """What the fields mean. Raises InvalidInputError where a header is none."""
    transform = Transform(
        body=texts["body"] if texts["body"].strip() else None,
        content_type=texts["content_type"].strip() or CONTENT_TYPE,
        headers=tuple((name, value) for _, name, value in _headers(texts["headers"])),
        path=texts["path"].strip() or None,
        method=texts["method"].strip() or None,
    )
    return Shape(filter=texts["filter"].strip() or None, transform=None if transform == Transform() else transform)


def _headers(text: str) -> Iterator[tuple[int, str, str]]:
    """The number of the line from 0, the name, and the template of each."""
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidInputError(f"headers, line {number + 1}: write it as NAME: template")
        yield number, name.strip(), value.strip()


def changes(before: Shape, after: Shape) -> tuple[str, ...]:
    """The names of what differs, for the audit log."""
    old, new = texts_of(before), texts_of(after)
    return tuple(part.label for part in PARTS if old[part.key] != new[part.key])


# Trying it out


def subject_of(event: Event, endpoint_name: str) -> Subject:
    """What templates see of a past event."""
    return Subject(
        event_id=event.id,
        event_type=event.type,
        accepted_at_ms=event.accepted_at_ms,
        payload=event.payload,
        endpoint_name=endpoint_name,
    )


def try_out(texts: Mapping[str, str], event: Event | None, *, name: str, url: str) -> Result:
    """What the fields make of an event; without one, whether they can be read at all. Bounded, as for a real one."""
    from console.domain.templating import check_filter, check_transform, render, wants

    wanted = True
    try:
        shape = shape_typed(texts)
        if shape.filter is not None:
            check_filter(shape.filter)
        if shape.transform is not None:
            check_transform(shape.transform)
        if event is None:
            return Result()
        subject = subject_of(event, name)
        wanted = shape.filter is None or wants(shape.filter, subject)
        rendered = render(shape.transform or Transform(), subject, url)
    except TransformError as error:
        return Result(wanted=wanted, trouble=_trouble(str(error), error.part, error.line, error.column, texts))
    except InvalidInputError as error:
        return Result(wanted=wanted, trouble=_place_in_words(str(error), texts))
    return Result(wanted=wanted, rendered=rendered)


def _place_in_words(words: str, texts: Mapping[str, str]) -> Trouble:
    """`transform body, line 3, column 7: …`, as what cannot be read at all is refused."""
    import re

    found = re.match(r"(?P<part>[^,]+), line (?P<line>\d+)(?:, column (?P<column>\d+))?: ", words)
    if found is None:
        return _trouble(words, words.partition(":")[0], None, None, texts)
    column = None if found["column"] is None else int(found["column"])
    return _trouble(words, found["part"], int(found["line"]), column, texts)


def _trouble(words: str, part: str, line: int | None, column: int | None, texts: Mapping[str, str]) -> Trouble:
    named = part.removeprefix("transform ")
    if named.startswith("header ") and line is not None:
        return _in_header(words, named.removeprefix("header "), line, column, texts["headers"])
    key = {"content-type": "content_type"}.get(named.partition(" ")[0], named.partition(" ")[0])
    if key not in texts:
        return Trouble(words=words)
    # The text is trimmed before it is read.
    text = texts[key]
    skipped = text[: len(text) - len(text.lstrip())] if key != "body" else ""
    if line is not None and skipped:
        lines = skipped.count("\n")
        if line == 1 and column is not None:
            column += len(skipped.rpartition("\n")[2])
        line += lines
    return Trouble(words=words, part=key, line=line, column=column)


def _in_header(words: str, name: str, line: int, column: int | None, text: str) -> Trouble:
    """The place within the field that holds all headers."""
    for number, found, value in _headers(text):
        if found == name and line == 1:
            full = text.split("\n")[number]
            offset = len(full) - len(full.partition(":")[2].lstrip()) if value else len(full)
            return Trouble(
                words=words, part="headers", line=number + 1, column=None if column is None else column + offset
            )
    return Trouble(words=words, part="headers")


# In words


def result_lines(result: Result, texts: Mapping[str, str], *, masked: bool) -> list[Line]:
    """What would be sent, or what is wrong and where."""
    lines: list[Line] = []
    if not result.wanted:
        words = "The filter is false for this event: it is not owed, and nothing is sent. Else this:"
        lines += [Line(spans=(("· not owed  ", "warning"), (words, "muted")), prose=True), Line()]
    if result.trouble is not None:
        return [*lines, *trouble_lines(result.trouble, texts)]
    if result.rendered is None:
        return [*lines, Line(spans=(("There is no event yet to try it on.", "muted"),))]
    return [*lines, *_request_lines(result.rendered, masked=masked)]


def trouble_lines(trouble: Trouble, texts: Mapping[str, str]) -> list[Line]:
    """The words, the line that is meant, and a caret under the place."""
    lines = [Line(spans=(("✗ ", "error"), (trouble.words, "error")), hang=2, prose=True)]
    if trouble.line is None or trouble.part not in texts:
        return lines
    typed = texts[trouble.part].split("\n")
    if not 0 < trouble.line <= len(typed):
        return lines
    text, at = typed[trouble.line - 1], (trouble.column or 1) - 1
    # A window around the place, so that line and caret stay together however long the line is.
    start = max(0, at - 30)
    shown = ("…" if start else "") + text[start : start + 48].expandtabs(1)
    lines += [Line(), Line(spans=((f"{trouble.line:>4} ", "muted"), (shown, "normal")))]
    if trouble.column is not None:
        lines.append(Line(spans=((" " * (5 + at - start + bool(start)), "muted"), ("^", "error"))))
    return lines


def _request_lines(made: Rendered, *, masked: bool) -> Iterator[Line]:
    url = redact_url(mask_url(made.url) if masked else made.url)
    headers = mask_headers(made.headers) if masked else made.headers
    body = mask_body(made.body) if masked else made.body
    yield Line(spans=((f"{made.method} ", "strong"), (url, "normal")), hang=2)
    yield Line(spans=(("content-type: ", "muted"), (made.content_type, "normal")), hang=2)
    for name, value in headers:
        shown = "[redacted]" if is_secret_header(name) else value
        yield Line(spans=((f"{name}: ", "muted"), (shown, "normal")), hang=2)
    yield Line(spans=((f"body {size(len(made.body))}", "muted"),))
    yield Line()
    yield from payload_lines(body)


def payload_lines(body: bytes) -> Iterator[Line]:
    """JSON indented, else its text."""
    try:
        yield from json_lines(json_value.parse(body.decode("utf-8")), depth=0)
    except (ValueError, RecursionError):
        if not is_text(body):
            yield Line(spans=((f"{size(len(body))} that are no text", "muted"),))
            return
        for line in text_lines(sanitise_bytes(body, MOST_SHOWN_BYTES)):
            yield Line(spans=((line, "normal"),))
