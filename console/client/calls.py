"""What is asked of the API, and what is done with its answers. No I/O: whoever drives a `Course` sends and waits."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from console.client.errors import ApiError, UnreachableError, error_of
from console.client.models import Accepted, Fault, NewEvent
from console.domain.ids import new_event_id

T = TypeVar("T")

TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 60.0
"""Between two tries, doubled each time; what the server asks for comes before, up to the longest."""

BATCH_EVENTS, BATCH_BYTES = 1000, 8 * 1024 * 1024
PAGE = 200

_AGAIN = frozenset({429, 502, 503, 504})
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request, and how its answer is read."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    """It does no more when it is done twice, so that it may be tried again when no answer came."""


Course = Generator["Call[Any] | float", "httpx.Response | httpx.TransportError | None", T]
"""Yields a call, and is sent its answer or what prevented one; yields seconds to wait, and is sent None."""


def course(call: Call[T], random: Random, tries: int = TRIES) -> Course[T]:
    """Try until there is an answer that will not change. Raises ApiError."""
    for number in range(1, tries + 1):
        came = yield call
        wait_s = FIRST_WAIT_S * 2 ** (number - 1) * (1 + random.random()) / 2
        if isinstance(came, httpx.Response):
            if came.is_success:
                return call.read(came.content)
            error = _error(came)
            if came.status_code not in _AGAIN or (came.status_code in (502, 504) and not call.repeatable):
                raise error
            wait_s = _asked_s(came) or wait_s
        else:
            error = UnreachableError(f"{call.method} {call.path}: {type(came).__name__}: {came}")
            if not call.repeatable:
                raise error
        if number == tries:
            raise error
        yield min(wait_s, LONGEST_WAIT_S)
    raise AssertionError("the last try returns or raises")


def _asked_s(came: httpx.Response) -> float | None:
    text = came.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


class _Problem(msgspec.Struct):
    detail: str = ""
    errors: list[Fault] = []


def _error(came: httpx.Response) -> ApiError:
    try:
        problem = msgspec.json.decode(came.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    return error_of(came.status_code, problem.detail or f"HTTP {came.status_code}", problem.errors)


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Reads an answer as one of the models; what it does not know is left out."""
    return lambda data: msgspec.json.decode(data, type=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list."""

    data: list[T]
    next: str | None


def page_call(path: str, kind: type[T], *, filter: str | None, cursor: str | None) -> Call[Page[T]]:
    """One page of a list."""
    given = {"limit": str(PAGE), "filter": filter, "cursor": cursor}
    params = {name: value for name, value in given.items() if value is not None}
    return get_call(path, Page[kind], params=params)  # type: ignore[valid-type] # made when it is called


def get_call(path: str, kind: type[T], *, params: Mapping[str, str] | None = None) -> Call[T]:
    return Call(method="GET", path=path, read=reader(kind), params=params or {}, repeatable=True)


def act_call(method: str, path: str, kind: type[T], body: Mapping[str, Any] | None = None) -> Call[T]:
    """Something that changes; parts that are None are left out."""
    given = {name: value for name, value in (body or {}).items() if value is not None}
    return Call(
        method=method,
        path=path,
        read=reader(kind),
        body=None if body is None else _encode(given),
        headers={} if body is None else {"content-type": "application/json"},
    )


def part(text: str) -> str:
    """An id or a name as a part of a path."""
    return quote(text, safe="")


class _Batch(msgspec.Struct):
    accepted: list[Accepted]


def send_call(event: NewEvent, key: str) -> Call[Accepted]:
    """One event. With an id of its own it needs no key: its id says that it is the same."""
    headers = {"content-type": "application/json", **({} if event.id else {"idempotency-key": key})}
    return Call(
        method="POST",
        path="/v1/events",
        read=reader(Accepted),
        body=_line(event),
        headers=headers,
        repeatable=True,
    )


def batch_call(events: list[NewEvent], key: str, *, now_ms: int, random: Random) -> Call[list[Accepted]]:
    """Events as lines. Where some have ids of their own, the others are given one."""
    headers = {"content-type": "application/x-ndjson"}
    if any(event.id for event in events):
        lines = [_line(event, event.id or new_event_id(now_ms, random)) for event in events]
    else:
        headers["idempotency-key"] = key
        lines = [_line(event) for event in events]
    return Call(
        method="POST",
        path="/v1/events",
        read=lambda data: msgspec.json.decode(data, type=_Batch).accepted,
        body=b"\n".join(lines),
        headers=headers,
        repeatable=True,
    )


def _line(event: NewEvent, id: str | None = None) -> bytes:
    data = event.data
    if isinstance(data, bytes):
        # On one line; token for token as it is.
        data = msgspec.Raw(msgspec.json.format(data, indent=-1) if b"\n" in data else data)
    given = {"type": event.type, "data": data}
    event_id = id or event.id
    return _encode(given if event_id is None else {**given, "id": event_id})


def batches(events: Iterable[NewEvent]) -> Iterator[list[NewEvent]]:
    """As many as one request takes."""
    batch: list[NewEvent] = []
    size = 0
    for event in events:
        length = len(_line(event))
        if batch and (len(batch) >= BATCH_EVENTS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch
