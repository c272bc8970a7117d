"""Filters and transforms: checked when an operator writes them, worked out for each event.

A filter is one expression; what is missing in it compares as false. A transform's parts are templates; what is missing
may be asked for (`is defined`, `default`, `if`, `==`) but neither printed nor reckoned with. Both are rendered the same
each time: no clock, no chance. Their cost is bounded: a failing or greedy one ends as a `TransformError`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from threading import get_ident
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from console.domain.errors import InvalidInputError, TransformError
from console.domain.event import PAYLOAD_CAP_BYTES
from console.domain.policy import check_header, check_header_value
from console.domain.redaction import is_sensitive
from console.domain.template_compile import compiled_filter, compiled_template
from console.domain.template_machine import Machine
from console.domain.template_scan import SyntaxFlaw, place
from console.domain.template_values import Fault
from console.domain.transform import CONTENT_TYPE, Rendered, Subject, Transform

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
BODY_MAX: Final = PAYLOAD_CAP_BYTES
HEADER_MAX: Final = 4096
URL_MAX: Final = 2048
HEADERS_MAX: Final = 32
_METHOD_MAX: Final = 64
_FILTER_OUTPUT_MAX: Final = 16
_FILTER: Final = "filter"
_MACHINES: Final = 512
"""Templates that are kept ready."""
_PATH_SIGNS: Final = frozenset("-._~!$&'()*+,;=:@/?%")


def check_filter(text: str) -> str:
    """Raises InvalidInputError with line and column."""
    _checked(_FILTER, text)
    return text


def check_transform(transform: Transform) -> Transform:
    """Raises InvalidInputError with the part, line and column."""
    for part, text in _parts(transform):
        _checked(part, text)
    _check_content_type(transform)
    names = [name.lower() for name, _ in transform.headers]
    if len(names) > HEADERS_MAX:
        raise InvalidInputError(f"transform: {len(names)} headers; at most {HEADERS_MAX} are allowed")
    for name, text in transform.headers:
        if is_sensitive(name) and not any(border in text for border in ("{{", "{%")):
            raise InvalidInputError(
                f"transform: header {name} may hold a secret and is always the same: give it with --header instead, "
                "which keeps it sealed and out of the audit log"
            )
        try:
            check_header(name, "")
        except InvalidInputError as error:
            raise InvalidInputError(f"transform: {error}") from None
        if names.count(name.lower()) > 1:
            raise InvalidInputError(f"transform: header {name} is written more than once")
    return transform


def wants(filter_text: str, subject: Subject) -> bool:
    """Whether a filter lets an event through. Raises TransformError."""
    return bool(_rendered(_FILTER, filter_text, _known(_FILTER, subject), _FILTER_OUTPUT_MAX))


def render(transform: Transform, subject: Subject, url: str) -> Rendered:
    """The request that a transform makes of an event on its way to a URL. Raises TransformError."""
    known = _known("transform", subject)
    body = subject.payload
    if transform.body is not None:
        body = _body(transform, known)
    if transform.path is not None:
        url = _moved(url, _rendered("transform path", transform.path, known, URL_MAX).strip())
    method = METHODS[0]
    if transform.method is not None:
        method = _rendered("transform method", transform.method, known, _METHOD_MAX).strip()
        if method not in METHODS:
            raise TransformError(
                f"transform method: it makes {method[:20]!r}; {', '.join(METHODS)} are allowed", part="transform method"
            )
    return Rendered(
        url=url,
        method=method,
        headers=_headers(transform, known),
        content_type=transform.content_type if transform.body is not None else CONTENT_TYPE,
        body=body,
    )


def _parts(transform: Transform) -> list[tuple[str, str]]:
    parts = [("transform body", transform.body), ("transform path", transform.path)]
    parts.append(("transform method", transform.method))
    parts += [(_header_part(name), text) for name, text in transform.headers]
    return [(part, text) for part, text in parts if text is not None]


def _header_part(name: str) -> str:
    return f"transform header {name[:60]}"


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


def _check_content_type(transform: Transform) -> None:
    check_header_value("content-type", transform.content_type)
    kind = transform.content_type.partition(";")[0].strip()
    if kind.count("/") != 1 or not all(kind.split("/")) or " " in kind:
        raise InvalidInputError(f"content-type {transform.content_type[:60]!r}: write it as application/json")


def _checked(part: str, text: str) -> None:
    try:
        _machine(part == _FILTER, text, get_ident())
    except SyntaxFlaw as flaw:
        line, column = place(text, flaw.at)
        raise InvalidInputError(f"{part}, line {line}, column {column}: {flaw.words}") from None
    except Fault as fault:
        raise InvalidInputError(f"{part}: {fault.words}") from None


@lru_cache(maxsize=_MACHINES)
def _machine(is_filter: bool, text: str, thread: int) -> Machine:
    """Each thread has its own: one does not wait for what another renders."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SyntaxFlaw("half of a character", error.start) from None
    source = compiled_filter(text) if is_filter else compiled_template(text)
    return Machine(source, strict=not is_filter)


def _known(part: str, subject: Subject) -> Mapping[str, Any]:
    import msgspec

    try:
        payload = msgspec.json.decode(subject.payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise TransformError(f"{part}: the payload cannot be read: {error}", part=part) from None
    return {
        "payload": payload,
        "event": {
            "id": subject.event_id,
            "type": subject.event_type,
            "accepted_at": f"{datetime.fromtimestamp(subject.accepted_at_ms // 1000, tz=UTC).isoformat()[:-6]}Z",
        },
        "endpoint": {"name": subject.endpoint_name},
    }


def _rendered(part: str, text: str, known: Mapping[str, Any], output_max: int) -> str:
    try:
        return _machine(part == _FILTER, text, get_ident()).render(known, output_max=output_max)
    except (Fault, SyntaxFlaw) as flaw:
        raise _failed(part, text, flaw) from None


def _failed(part: str, text: str, flaw: Fault | SyntaxFlaw) -> TransformError:
    if flaw.at < 0:
        return TransformError(f"{part}: {flaw.words}", part=part)
    line, column = place(text, flaw.at)
    return TransformError(f"{part}, line {line}, column {column}: {flaw.words}", part=part, line=line, column=column)


def _body(transform: Transform, known: Mapping[str, Any]) -> bytes:
    assert transform.body is not None
    part = "transform body"
    body = _rendered(part, transform.body, known, BODY_MAX).encode()
    if len(body) > BODY_MAX:
        raise TransformError(f"{part}: it makes {len(body):,} bytes; at most {BODY_MAX:,} are allowed", part=part)
    if _is_json(transform.content_type):
        _check_json(part, body)
    return body


def _check_json(part: str, body: bytes) -> None:
    """Says where what was made is not JSON: the place is that of the result, not of the template."""
    import json

    import msgspec

    try:
        msgspec.json.decode(body)
        return
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        json.loads(body, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        near = " ".join(error.doc[max(error.pos - 20, 0) : error.pos + 20].split())
        where = f"at line {error.lineno}, column {error.colno} of what it makes, near {near!r}"
        raise TransformError(f"{part}: not JSON {where}: {error.msg}; write values as | tojson", part=part) from None
    except (ValueError, RecursionError) as error:
        raise TransformError(f"{part}: what it makes is not JSON: {error}", part=part) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _headers(transform: Transform, known: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    made: list[tuple[str, str]] = []
    for name, text in transform.headers:
        part = _header_part(name)
        value = _rendered(part, text, known, HEADER_MAX).strip()
        try:
            check_header_value(name, value)
        except InvalidInputError:
            raise TransformError(
                f"{part}: it makes what is not one line of printable ASCII, at most {HEADER_MAX} characters; "
                "encode it, with | urlencode perhaps",
                part=part,
            ) from None
        if value:
            made.append((name, value))
    return tuple(made)


def _moved(url: str, path: str) -> str:
    """The same scheme and host, another path and query."""
    parts = urlsplit(url)
    made = f"{parts.scheme}://{parts.netloc}{path}"
    why = _wrong_with(path)
    if why is None and len(made) > URL_MAX:
        why = f"the URL has {len(made)} characters; at most {URL_MAX} are allowed"
    if why is not None:
        raise TransformError(f"transform path: it makes {path[:60]!r}: {why}", part="transform path")
    return made


def _wrong_with(path: str) -> str | None:
    if not path.startswith("/") or path.startswith("//"):
        return "it must begin with one / and cannot name another host"
    if not all(c.isascii() and (c.isalnum() or c in _PATH_SIGNS) for c in path):
        return "encode what is put into it, with | urlencode"
    if any(unquote(step) in (".", "..") for step in path.partition("?")[0].split("/")):
        return "steps such as .. are not allowed"
    return None
