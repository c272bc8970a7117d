"""A body as it came, and as it reads: unpacked where it was compressed. Pure."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from console.domain.outcome import Headers
from console.ui.format import size

MOST_UNPACKED_BYTES = 256 * 1024
"""A body that is larger unpacked is cut there."""

_BYTES_A_LINE = 8
"""So that a line fits half a screen."""
_MOST_HEX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableBody:
    """`note`: how it was compressed and what became of that; empty when it was not."""

    data: bytes
    note: str = ""


def readable_body(headers: Headers, body: bytes) -> ReadableBody:
    """The body without its Content-Encoding, as far as that can be undone; one that was cut gives its beginning."""
    codings = [
        coding.strip().lower()
        for name, value in headers
        if name.lower() == "content-encoding"
        for coding in value.split(",")
        if coding.strip().lower() not in ("", "identity")
    ]
    if not codings or not body:
        return ReadableBody(data=body)
    data, done = body, []
    for coding in reversed(codings):
        unpack = _UNPACKERS.get(coding)
        unpacked = None if unpack is None else unpack(data)
        if unpacked is None:
            why = "is damaged" if unpack is not None else "cannot be unpacked here"
            return ReadableBody(data=body, note=f"{', '.join(codings)}: {coding} {why}, shown as it came")
        data = unpacked
        done.append(coding)
    cut = f", cut at {size(MOST_UNPACKED_BYTES)}" if len(data) >= MOST_UNPACKED_BYTES else ""
    return ReadableBody(data=data, note=f"{', '.join(done)}: {size(len(body))} unpacked to {size(len(data))}{cut}")


def _inflate(window: int) -> Callable[[bytes], bytes | None]:
    def unpack(data: bytes) -> bytes | None:
        try:
            return zlib.decompressobj(window).decompress(data, MOST_UNPACKED_BYTES)
        except zlib.error:
            return None

    return unpack


def _deflate(data: bytes) -> bytes | None:
    """zlib as the standard says, or raw as some servers send it."""
    found = _inflate(zlib.MAX_WBITS)(data)
    return _inflate(-zlib.MAX_WBITS)(data) if found is None else found


_UNPACKERS: dict[str, Callable[[bytes], bytes | None]] = {
    "gzip": _inflate(zlib.MAX_WBITS | 16),
    "x-gzip": _inflate(zlib.MAX_WBITS | 16),
    "deflate": _deflate,
}


def is_text(data: bytes) -> bool:
    """Whether bytes read as text: UTF-8 but for one character in ten, and nothing in it is zero."""
    text = data.decode("utf-8", "replace")
    strange = sum(c == "\ufffd" or (c < " " and c not in "\t\n\r\f\x1b") for c in text)
    return "\0" not in text and strange * 10 <= len(text)


def hex_lines(data: bytes) -> Iterator[str]:
    """`00000010  68 65 6c …  |hel…|`"""
    for start in range(0, min(len(data), _MOST_HEX_BYTES), _BYTES_A_LINE):
        part = data[start : start + _BYTES_A_LINE]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{start:08x}  {part.hex(' '):<23}  |{shown}|"
    if len(data) > _MOST_HEX_BYTES:
        yield f"… {size(len(data) - _MOST_HEX_BYTES)} more"
