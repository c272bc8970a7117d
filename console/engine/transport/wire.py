"""What passes between an engine and the process that sends for it: batches of messages, each batch with its length.

Positions, not names: at thousands a second the names would cost more than what they name.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from console.domain.outcome import (
    DEFAULT_PROFILE,
    Cause,
    ConnectionProfile,
    Failure,
    Outcome,
    Parts,
    Request,
    Response,
)

T = TypeVar("T")

Fields = tuple[tuple[str, str], ...]
Ask = tuple[int, str | None, Fields, bytes, float, float, str, ConnectionProfile | None]
"""A request with its number; without a URL: this number is cancelled."""
KnownParts = tuple[float | None, float | None, float | None]
Answer = tuple[
    int, int, Fields, bytes, bool, float | None, float, str | None, str | None, str | None, KnownParts | None
]
"""Number, status (0: none), headers, body, truncated, first byte ms, total ms, address, cause, detail, and resolve,
connect and TLS ms where any is known."""

read_asks = msgspec.msgpack.Decoder(list[Ask]).decode
read_answers = msgspec.msgpack.Decoder(list[Answer]).decode
_encode = msgspec.msgpack.Encoder().encode
_LENGTH_BYTES = 4


def ask_of(number: int, request: Request) -> Ask:
    profile = None if request.profile is DEFAULT_PROFILE else request.profile
    return (
        number,
        request.url,
        request.headers,
        request.body,
        request.connect_timeout_s,
        request.total_timeout_s,
        request.method,
        profile,
    )


def cancel_of(number: int) -> Ask:
    return (number, None, (), b"", 0.0, 0.0, "", None)


def request_of(ask: Ask) -> Request:
    _, url, headers, body, connect_s, total_s, method, profile = ask
    assert url is not None, "a request, not a cancellation"
    return Request(
        url=url,
        headers=headers,
        body=body,
        connect_timeout_s=connect_s,
        total_timeout_s=total_s,
        method=method,
        profile=profile or DEFAULT_PROFILE,
    )


def answer_of(number: int, outcome: Outcome) -> Answer:
    o = outcome
    parts = None if o.parts is None else (o.parts.resolve_ms, o.parts.connect_ms, o.parts.tls_ms)
    if isinstance(o, Response):
        return (
            number, o.status, o.headers, o.body, o.body_truncated, o.first_byte_ms, o.total_ms, o.remote_address,
            None, None, parts,
        )  # fmt: skip
    return number, 0, (), b"", False, None, o.total_ms, o.remote_address, o.cause, o.detail, parts


def outcome_of(answer: Answer) -> Outcome:
    _, status, headers, body, truncated, first_byte_ms, total_ms, address, cause, detail, known = answer
    parts = None if known is None else Parts(resolve_ms=known[0], connect_ms=known[1], tls_ms=known[2])
    if cause is None:
        return Response(
            status=status,
            headers=headers,
            body=body,
            body_truncated=truncated,
            first_byte_ms=first_byte_ms,
            total_ms=total_ms,
            remote_address=address,
            parts=parts,
        )
    return Failure(cause=Cause(cause), detail=detail or "", total_ms=total_ms, remote_address=address, parts=parts)


def packed(batch: Sequence[Ask] | Sequence[Answer]) -> bytes:
    body = _encode(batch)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Unpacker:
    """Takes bytes as they come, and hands on each batch that is whole."""

    def __init__(self, read: Callable[[bytes | memoryview], list[T]], take: Callable[[list[T]], None]) -> None:
        self._read, self._take = read, take
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        held = self._held
        held += data
        start, end = 0, len(held)
        while end - start >= _LENGTH_BYTES:
            size = int.from_bytes(held[start : start + _LENGTH_BYTES], "big")
            if end - start - _LENGTH_BYTES < size:
                break
            start += _LENGTH_BYTES
            self._take(self._read(bytes(held[start : start + size])))
            start += size
        if start:
            del held[:start]
