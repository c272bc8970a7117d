"""What is thrown at each parser, and what must hold of whatever comes out: it refuses in its own words, of one line, or
what it has taken is whole. Anything else that is raised is a crash."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.domain.addresses import AddressPolicy
from console.domain.endpoint import check_url
from console.domain.errors import ConsoleError, InvalidInputError, TransformError
from console.domain.event import NewEvent, check_event_type
from console.domain.event_schema import EventSchema, SchemaId, SchemaMode
from console.domain.ids import EventId, check_event_id
from console.domain.inbound import Genuine, InboundRequest, Refused
from console.domain.inbox_query import parse_inbox
from console.domain.kinds.body import Parsed, parse_any
from console.domain.kinds.judge import judge_request
from console.domain.loops import check_loop, outgoing_headers, parse_hops, points_at_us
from console.domain.matching import check_pattern
from console.domain.outcome import Headers
from console.domain.payload import check_payload
from console.domain.policy import parse_rate_limit
from console.domain.query import parse_query
from console.domain.retry import parse_duration_s, parse_schedule_s
from console.domain.schema_check import check_schema_text, flaw_of
from console.domain.signature_message import read_message
from console.domain.signature_paste import parse_paste
from console.domain.signing import check_secret
from console.domain.source import Source, SourceId, SourceKind, SourceOptions
from console.domain.strict_json import DEPTH_MOST, check_strict, strict_value
from console.domain.templating import check_filter, check_transform, render, wants
from console.domain.transform import Subject, Transform
from console.intake.parsing import parse_events
from console.intake.problems import Problem
from console.operations.configuration_reading import read_configuration
from console.operations.ndjson import GoodLine, LineReader
from console.toml_file import TomlFile

Target = Callable[[bytes], None]

_NOW_MS = 1_750_000_000_000
_HEADERS_MOST = 200
_SCHEMA = b'{"properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string","maxLength":9}}'
_SUBJECT_PAYLOAD = b'{"id":1,"lines":[{"sku":"a","n":2.5},{}],"name":"\\u00e9","at":"2025-01-01T00:00:00Z"}'


def payload(data: bytes) -> None:
    try:
        kept = check_payload(data)
    except InvalidInputError as refused:
        _one_line(refused)
        return
    assert kept == data.strip(b" \t\r\n")
    _means_one_thing(kept)


def strict(data: bytes) -> None:
    try:
        value = strict_value(data)
    except InvalidInputError as refused:
        _one_line(refused)
        return
    check_strict(data)
    assert value == json.loads(data)


def lines(data: bytes) -> None:
    """Wherever the stream is cut, the same comes out."""
    whole, pieces = LineReader(), LineReader()
    found = whole.feed(data) + whole.finish()
    cut = len(data) // 3 + 1
    again = [one for at in range(0, len(data), cut) for one in pieces.feed(data[at : at + cut])] + pieces.finish()
    assert found == again
    for line in found:
        if isinstance(line, GoodLine):
            _whole(line.event)
        else:
            _one_line(line.reason)


def posted(data: bytes) -> None:
    refused: Problem | None
    for content_type in ("application/json", "application/x-ndjson"):
        try:
            events, _ = parse_events(data, content_type)
        except Problem as problem:
            events, refused = [], problem
        else:
            refused = None
            assert events
        for event in events:
            _whole(event)
        if refused is not None:
            assert 400 <= refused.status < 500
            json.loads(refused.body)
            _one_line(refused.detail)


def schema(data: bytes) -> None:
    try:
        text = check_schema_text(data)
    except InvalidInputError as refused:
        _one_line(refused)
        return
    for one in (b'{"a":{"a":{"b":1}}}', b"[[1],2]", b'"a@b"', data):
        _flaw(text, one)


def flaw(data: bytes) -> None:
    _flaw(_SCHEMA, data)


def hops(data: bytes) -> None:
    headers, _ = _request(data)
    way = parse_hops(headers)
    assert way.hops >= 0
    loop = check_loop(headers, "inst")
    if loop is not None:
        _one_line(loop.reason)
    told = outgoing_headers(instance="inst", event_id=EventId("e"), hops=way.hops, via=way.via)
    assert all(value.isascii() and value.isprintable() and len(value) < 8_000 for _, value in told)
    back = check_loop(told, "inst")
    assert back is not None


def url(data: bytes) -> None:
    text = _text(data)
    with suppress(InvalidInputError):
        check_url(text)
    points_at_us(text, ["http://127.0.0.1:8400", "https://hooks.example.com/x", text])


def words(data: bytes) -> None:
    """Short texts of which many kinds are asked for."""
    text = _text(data)
    for parse in _WORDS:
        try:
            parse(text)
        except ConsoleError as refused:
            _one_line(refused)


def query(data: bytes) -> None:
    text = _text(data)
    for parse in (
        lambda: parse_query(text, now_ms=_NOW_MS, saved={"a": "@b", "b": "@a", "c": "state:failed"}),
        lambda: parse_inbox(text, {SourceId("src_1"): "shop"}, _NOW_MS),
    ):
        try:
            parse()
        except InvalidInputError as refused:
            _one_line(refused)


def toml(data: bytes) -> None:
    text = _text(data)
    try:
        TomlFile(Path("a.toml"), text)
    except ConsoleError as refused:
        _one_line(refused)
    try:
        read_configuration(text, name="a.toml", folder=Path("/nonexistent"), environ={"X": "y"})
    except ConsoleError as refused:
        _one_line(refused)


def template(data: bytes) -> None:
    text = _text(data)
    try:
        transform = check_transform(
            Transform(body=text, path=text, content_type="text/plain", headers=(("x-a", text),))
        )
    except InvalidInputError as refused:
        _one_line(refused)
        return
    try:
        made = render(transform, _subject(_SUBJECT_PAYLOAD), "https://a.example/x?y")
    except TransformError as failed:
        _one_line(failed)
        return
    assert made.url.startswith("https://a.example/")
    assert all("\n" not in value and "\r" not in value for _, value in made.headers)


def template_payload(data: bytes) -> None:
    """A template that is good, and any payload that the door lets in."""
    transform = Transform(body='{"a": {{ payload.a | tojson }}, "b": {{ payload | tojson }}}')
    try:
        made = render(transform, _subject(check_payload(data)), "https://a.example/x")
    except (InvalidInputError, TransformError) as failed:
        _one_line(failed)
        return
    json.loads(made.body)


def event_filter(data: bytes) -> None:
    text = _text(data)
    try:
        check_filter(text)
    except InvalidInputError as refused:
        _one_line(refused)
        return
    try:
        wants(text, _subject(_SUBJECT_PAYLOAD))
    except TransformError as failed:
        _one_line(failed)


def request(data: bytes) -> None:
    """A request to a source of every kind. What is not proved is never an event."""
    headers, body = _request(data)
    for kind in SourceKind:
        arrived = InboundRequest(
            method="POST",
            path="",
            query=_text(data[:200]),
            headers=headers,
            body=body,
            remote_address="192.0.2.1",
            received_at_ms=_NOW_MS,
        )
        judged = judge_request(_source(kind), arrived, secrets=("a-secret-of-some-length",), now_ms=_NOW_MS)
        if isinstance(judged, Genuine):
            assert kind in (SourceKind.OPEN, SourceKind.TOKEN, SourceKind.BASIC)
            _whole(NewEvent(type=judged.type, payload=judged.payload, id=judged.id))
        elif isinstance(judged, Refused):
            _one_line(judged.reason)
    read = parse_any(InboundRequest(**{**_fields(arrived), "body": data}))
    if isinstance(read, Parsed):
        _means_one_thing(read.payload)
    else:
        _one_line(read.reason)


def signature(data: bytes) -> None:
    headers, _ = _request(data)
    read_message(headers)
    try:
        parse_paste(data)
    except InvalidInputError as refused:
        _one_line(refused)


TARGETS: dict[str, Target] = {
    "payload": payload,
    "strict": strict,
    "lines": lines,
    "posted": posted,
    "schema": schema,
    "flaw": flaw,
    "hops": hops,
    "url": url,
    "words": words,
    "query": query,
    "toml": toml,
    "template": template,
    "template_payload": template_payload,
    "event_filter": event_filter,
    "request": request,
    "signature": signature,
}

_WORDS: tuple[Callable[[str], Any], ...] = (
    check_event_type,
    check_event_id,
    check_pattern,
    check_secret,
    parse_duration_s,
    parse_schedule_s,
    parse_rate_limit,
    lambda text: AddressPolicy.parse([text]),
)


def _one_line(said: object) -> None:
    text = str(said)
    assert text
    assert text.isprintable(), f"not one line: {text[:200]!r}"
    assert len(text) < 2_000


def _whole(event: NewEvent) -> None:
    check_event_type(event.type)
    if event.id is not None:
        check_event_id(event.id)
    _means_one_thing(event.payload)


def _means_one_thing(data: bytes) -> None:
    """As another decoder sees it."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys), f"a key twice: {keys[:20]}"
        return dict(pairs)

    def never(word: str) -> None:
        raise AssertionError(word)

    value = json.loads(data.decode(), object_pairs_hook=once, parse_constant=never, parse_int=str, parse_float=str)
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    assert depth <= DEPTH_MOST
    json.dumps(value, ensure_ascii=False).encode()  # no lone surrogates


def _flaw(text: bytes, data: bytes) -> None:
    found = flaw_of(
        EventSchema(id=SchemaId(1), pattern="a", version=1, mode=SchemaMode.REJECT, text=text, created_at_ms=0), data
    )
    if found is not None:
        _one_line(found)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")


def _request(data: bytes) -> tuple[Headers, bytes]:
    """Lines `name: value`, an empty one, and the body; as a server hands headers on, in latin-1."""
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = [line.partition(b":") for line in head.split(b"\n")[:_HEADERS_MOST]]
    return tuple((name.decode("latin-1"), value.strip().decode("latin-1")) for name, _, value in fields), body


def _fields(of: InboundRequest) -> dict[str, Any]:
    return {name: getattr(of, name) for name in InboundRequest.__dataclass_fields__}


def _source(kind: SourceKind) -> Source:
    return Source(
        seq=1,
        id=SourceId("src_1"),
        name="shop",
        kind=kind,
        secrets=(),
        options=SourceOptions(),
        until_ms=None,
        enabled=True,
        created_at_ms=0,
        version=1,
    )


def _subject(data: bytes) -> Subject:
    return Subject(
        event_id="evt_1", event_type="invoice.paid", accepted_at_ms=_NOW_MS, payload=data, endpoint_name="billing"
    )
