"""What people make of a body, a secret or the text to be signed, each with the words for it: one mistake each. Pure.

Every function yields pairs of a name and a value; the name goes on the sentence 'it is right if …'. Nothing raises,
whatever the bytes are.
"""

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from console.domain.signing import KEY_PREFIX, PUBLIC_PREFIX, SECRET_PREFIX

RE_DUMPED_BYTES = 256 * 1024
"""A larger body is not written again in every way."""

MOST_UNPACKED_BYTES = 4 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_MARK = "\0n"
_MARKED = re.compile(r'"\\u0000n([^"\\]*)\\u0000"')
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


def parse_json(body: bytes) -> Any:
    """The value, numbers that are not whole as `Digits`; raises ValueError alone."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_float=_digits)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _digits(text: str) -> str:
    # What no float would give back digit for digit; `_written` takes the marks away.
    return f"{_MARK}{text}\0"


def _written(value: Any, **style: Any) -> str:
    return _MARKED.sub(r"\1", json.dumps(value, **style))


def body_variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Bodies that this one may have been before somebody changed it."""
    yield from _edges(body)
    yield from _recoded(body)
    yield from _unwrapped(body)
    yield from _dumped(body)


def _edges(body: bytes) -> Iterator[tuple[str, bytes]]:
    if body.startswith(_BOM):
        yield "the byte order mark at its beginning is taken away", body.removeprefix(_BOM)
    else:
        yield "a byte order mark is put before it", _BOM + body
    yield "a line break is put at its end", body + b"\n"
    yield "a line break (CR LF) is put at its end", body + b"\r\n"
    if body.rstrip(b"\r\n") != body:
        yield "the line breaks at its end are taken away", body.rstrip(b"\r\n")
    if body.strip() != body:
        yield "the blanks around it are taken away", body.strip()
    if b"\r\n" in body:
        yield "its line breaks are LF instead of CR LF", body.replace(b"\r\n", b"\n")
    if b"\n" in body:
        yield "its line breaks are CR LF instead of LF", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _recoded(body: bytes) -> Iterator[tuple[str, bytes]]:
    for name, read, write in (
        ("it is UTF-8 that was not read as Latin-1", "utf-8", "latin-1"),
        ("it is written in UTF-8 instead of Latin-1", "latin-1", "utf-8"),
        ("it is written in UTF-8 instead of UTF-16", "utf-16", "utf-8"),
    ):
        try:
            changed = body.decode(read).encode(write)
        except (UnicodeError, ValueError):
            continue
        if changed != body:
            yield name, changed


def _unwrapped(body: bytes) -> Iterator[tuple[str, bytes]]:
    for name, open_it in (("it is unpacked (gzip)", _gunzip), ("its chunks are joined", _joined_chunks)):
        opened = open_it(body)
        if opened is not None:
            yield name, opened
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    if isinstance(value, str):
        yield "it is the text inside of the JSON string", value.encode("utf-8", "surrogatepass")


def _gunzip(body: bytes) -> bytes | None:
    if not body.startswith(b"\x1f\x8b"):
        return None
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as file:
            return file.read(MOST_UNPACKED_BYTES)
    except (OSError, EOFError, zlib.error):
        return None


def _joined_chunks(body: bytes) -> bytes | None:
    """A body that still holds the sizes of HTTP/1.1 chunks."""
    found, rest = bytearray(), body
    while True:
        line, end, rest = rest.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return None
        if not end or not 0 <= size <= len(rest):
            return None
        if size == 0:
            return bytes(found)
        found += rest[:size]
        rest = rest[size:].removeprefix(b"\r\n")


def _dumped(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The same JSON, written as others write it."""
    try:
        value = parse_json(body)
    except ValueError:
        return
    small = len(body) <= RE_DUMPED_BYTES
    for name, style in _STYLES if small else _STYLES[:4]:
        for order in (False, True) if small else (False,):
            try:
                text = _written(value, sort_keys=order, **style)
            except (ValueError, TypeError, RecursionError):
                continue
            sorted_name = f"{name}, keys sorted" if order else name
            for how, escape in _ESCAPES if "indent" not in style else _ESCAPES[:1]:
                try:
                    yield f"{sorted_name}{how}", escape(text).encode("utf-8")
                except UnicodeError:
                    continue


_COMPACT: dict[str, Any] = {"separators": (",", ":")}
_STYLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("it is written without blanks", _COMPACT | {"ensure_ascii": False}),
    ("it is written without blanks, other letters as \\uXXXX", _COMPACT | {"ensure_ascii": True}),
    ("it is written with a blank after each : and ,", {"ensure_ascii": False}),
    ("it is written with a blank after each : and ,, other letters as \\uXXXX", {"ensure_ascii": True}),
    *(
        (f"it is indented by {indent_name}{letters}", {"indent": indent, "ensure_ascii": escaped})
        for indent_name, indent in (("2", 2), ("4", 4), ("tabs", "\t"))
        for letters, escaped in (("", False), (", other letters as \\uXXXX", True))
    ),
)


def _html(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


_ESCAPES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", lambda text: text),
    (", / as \\/", lambda text: text.replace("/", "\\/")),
    (", < > & as \\u003c and so on", _html),
)
"""What PHP and Go do to text, beside what everybody does."""


def key_variants(secret: str) -> Iterator[tuple[str | None, bytes]]:
    """Keys that a program may take for this secret, the right one first, with None for its name."""
    text = secret.strip().strip("\"'")
    rest = text
    for prefix in (SECRET_PREFIX, KEY_PREFIX, PUBLIC_PREFIX):
        rest = rest.removeprefix(prefix)
    right = _lenient(rest)
    if right is not None:
        yield None, right
    yield "the secret's text is the key, its base64 not decoded", rest.encode("utf-8", "replace")
    if rest != text:
        yield (
            f"the secret is the key with its {text[: len(text) - len(rest)]} left on, and its base64 not decoded",
            text.encode("utf-8", "replace"),
        )
        for whole in (text.replace("_", ""), text.replace("_", "/")):
            decoded = _lenient(whole)
            if decoded is not None:
                yield "the prefix (whsec_) is decoded with the rest of the secret", decoded
    if right is not None:
        try:
            twice = _lenient(right.decode("ascii"))
        except UnicodeDecodeError:
            twice = None
        if twice:
            yield "the secret's base64 is decoded twice", twice
        yield "the key is the secret's bytes written in hex", right.hex().encode()
    yield "the secret is encoded in base64 once more", base64.b64encode(rest.encode("utf-8", "replace"))
    if _HEX.fullmatch(rest):
        yield "the secret is read as hex instead of base64", bytes.fromhex(rest)


def decoded_key(secret: str) -> bytes | None:
    """The bytes of a secret, however it is padded; None when it is no base64."""
    name, key = next(key_variants(secret))
    return key if name is None and key else None


def _lenient(text: str) -> bytes | None:
    """base64 of either alphabet, padded or not."""
    try:
        clean = text.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(clean + "=" * (-len(clean) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def content_variants(event_id: str, timestamp: str, body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """Texts that a program may sign, the right one first, with None for its name."""
    id_, at = event_id.encode("utf-8", "surrogateescape"), timestamp.encode("utf-8", "surrogateescape")
    yield None, b".".join((id_, at, body))
    yield "the timestamp stands before the id", b".".join((at, id_, body))
    yield "the id is missing from what is signed (timestamp.body)", b".".join((at, body))
    yield "the timestamp is missing from what is signed (id.body)", b".".join((id_, body))
    yield "only the body is signed, without id and timestamp", body
    yield "the body is missing from what is signed (id.timestamp.)", b".".join((id_, at, b""))
    yield "the dots between id, timestamp and body are missing", id_ + at + body
    yield "the dot before the body is missing", b".".join((id_, at)) + body
    if timestamp.isascii() and timestamp.isdigit():
        if len(timestamp) > 11:
            yield "the timestamp is in milliseconds where seconds are signed", b".".join((id_, at[:-3], body))
        else:
            yield "the timestamp is signed in milliseconds instead of seconds", b".".join((id_, at + b"000", body))


def signature_forms(text: str) -> Iterator[tuple[str | None, bytes]]:
    """Bytes of a signature in each way of writing it that `text` can be read in; None: as the standard says."""
    bare = text.strip().strip("\"'")
    try:
        yield None, base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        decoded = _lenient(bare)
        if decoded is not None:
            other = "-" in bare or "_" in bare
            yield (
                (f"it is written in {'the URL form of ' if other else ''}base64{'' if other else ' without ='}"),
                decoded,
            )
    if _HEX.fullmatch(bare):
        yield "it is written in hex instead of base64", bytes.fromhex(bare)
