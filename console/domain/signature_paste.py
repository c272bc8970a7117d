"""What a person pastes of a request that a receiver got: a raw HTTP request, a curl command, or JSON. Pure."""

import base64
import binascii
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from console.domain.errors import InvalidInputError
from console.domain.outcome import Headers
from console.domain.signature_finding import Received

MOST_BYTES = 4 * 1024 * 1024

FORMS = 'a raw HTTP request (headers, an empty line, the body), a curl command, or JSON with "headers" and "body"'

_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(r"[A-Z]+ \S+( HTTP/[\d.]+)?")
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_ANSI_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|[0-7]{1,3}|.)", re.DOTALL)
_ANSI_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b"}
_DATA_FLAGS = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"})
_HEADER_FLAGS = frozenset({"-H", "--header"})


def parse_paste(data: bytes) -> Received:
    """The headers and the body in a text that was pasted.

    Raises:
        InvalidInputError: it is none of FORMS; says what is missing.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInputError(f"{len(data):,} bytes are more than a request has: at most {MOST_BYTES:,}")
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ")
    if not data:
        raise InvalidInputError(f"nothing was pasted: {FORMS}")
    if data.startswith(b"{"):
        return _of_json(data)
    if re.match(rb"(printf\s.*\|\s*)?curl\s", data, re.DOTALL) is not None:
        return _of_curl(data)
    return _of_http(data)


# JSON


def _of_json(data: bytes) -> Received:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInputError(f"it begins like JSON and is none: give {FORMS}") from None
    headers, body = value.get("headers"), value.get("body")
    if headers is None or (body is None and "body_base64" not in value):
        raise InvalidInputError('the JSON needs "headers" and "body" (or "body_base64")')
    computed = value.get("computed")
    return Received(
        headers=tuple(_json_headers(headers)),
        body=_json_body(body, value.get("body_base64")),
        computed=computed if isinstance(computed, str) else None,
    )


def _json_headers(headers: Any) -> Iterator[tuple[str, str]]:
    if isinstance(headers, dict):
        for name, values in headers.items():
            for value in values if isinstance(values, list) else [values]:
                yield str(name), str(value)
        return
    if not isinstance(headers, list):
        raise InvalidInputError('"headers" must be an object, or a list of pairs')
    for pair in headers:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidInputError('"headers" must be an object, or a list of pairs')
        yield str(pair[0]), str(pair[1])


def _json_body(body: Any, encoded: Any) -> bytes:
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if body is None and isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInputError('"body_base64" is not base64') from None
    raise InvalidInputError(
        '"body" must be a string: what was signed are the bytes of the body, which a parsed object no longer has'
    )


# HTTP


def _of_http(data: bytes) -> Received:
    gap = _BLANK_LINE.search(data)
    head, body = (data, b"") if gap is None else (data[: gap.start()], data[gap.end() :])
    lines = head.decode("utf-8", "replace").splitlines()
    if lines and all(line[:2] in ("> ", "< ") or line in (">", "<") for line in lines):
        lines = [line[2:] for line in lines]  # as curl -v shows them
    if lines and _REQUEST_LINE.fullmatch(lines[0].strip()):
        del lines[0]
    headers = tuple(_http_headers(lines))
    if not headers:
        raise InvalidInputError(f"no headers are in it: give {FORMS}")
    return Received(headers=headers, body=_http_body(headers, body))


def _http_headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not _FIELD.fullmatch(name.strip()):
            raise InvalidInputError(
                f"line {number} is no header (name: value), and no empty line stands before it: give {FORMS}"
            )
        yield name.strip(), value.strip()


def _http_body(headers: Headers, body: bytes) -> bytes:
    """Without the line break that editors put at the end of a file, unless the length says that it belongs to it."""
    length = next((value for name, value in headers if name.lower() == "content-length"), "")
    if length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= len(body):
        if not body[int(length) :].strip():
            return body[: int(length)]
        return body
    return body.removesuffix(b"\n").removesuffix(b"\r") if body.endswith(b"\n") else body


# curl


def _of_curl(data: bytes) -> Received:
    text = data.decode("utf-8", "surrogateescape")
    try:
        words, piped = _shell_words(text)
    except ValueError as error:
        raise InvalidInputError(f"the curl command cannot be read: {str(error).lower()}") from None
    headers: list[tuple[str, str]] = []
    bodies: list[str] = []
    for flag, value in _flags(words):
        if flag in _HEADER_FLAGS:
            name, _, rest = value.partition(":")
            if name.strip() and not name.endswith(";"):
                headers.append((name.strip(), rest.strip()))
        elif flag in _DATA_FLAGS:
            if value.startswith("@") and flag != "--data-raw":
                if value != "@-" or piped is None:
                    raise InvalidInputError(f"the body is in {value[:60]!r}, which is not here: paste the body itself")
                value = piped
            bodies.append(value)
    return Received(headers=tuple(headers), body="&".join(bodies).encode("utf-8", "surrogateescape"))


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each flag that matters here, with its value."""
    i = 0
    while i < len(words):
        word = words[i]
        name, equals, value = word.partition("=")
        if word in _HEADER_FLAGS | _DATA_FLAGS and i + 1 < len(words):
            yield word, words[i + 1]
            i += 1
        elif equals and name in _HEADER_FLAGS | _DATA_FLAGS and name.startswith("--"):
            yield name, value
        elif word[:2] in ("-H", "-d") and len(word) > 2:
            yield word[:2], word[2:]
        i += 1


def _shell_words(text: str) -> tuple[list[str], str | None]:
    """The words of a command, `$'…'` read as bash reads it, and what is piped into it by printf.

    Raises ValueError when a quote is not closed.
    """
    strings: list[str] = []

    def keep(value: str) -> str:
        strings.append(value)
        return f"'\ue000{len(strings) - 1}\ue001'"

    text = text.replace("\\\r\n", " ").replace("\\\n", " ")
    text = re.sub(r"\"\$\(printf ('(?:[^']|'\\'')*'|[^\s)]+)\)\"", lambda m: keep(_printf(_unquoted(m[1]))), text)
    text = re.sub(r"(?<![\w'\"])\$'((?:[^'\\]|\\.)*)'", lambda m: keep(_ansi(m[1])), text, flags=re.DOTALL)
    words = [
        re.sub("\ue000(\\d+)\ue001", lambda m: strings[int(m[1])] if int(m[1]) < len(strings) else m[0], word)
        for word in shlex.split(text)
    ]
    if words[:1] == ["printf"] and "|" in words[:4]:
        bar = words.index("|")
        return words[bar + 1 :], _printf(words[bar - 1])
    return words, None


def _unquoted(text: str) -> str:
    return "".join(shlex.split(text))


def _ansi(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xu" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        return _ANSI_LETTERS.get(code, code)

    return _ANSI_ESCAPE.sub(one, text)


def _printf(form: str) -> str:
    """What printf(1) makes of a format: octal escapes are bytes."""
    done = bytearray()
    for part in re.split(r"(\\[0-7]{1,3}|\\\\|%%|\\n)", form):
        if part in ("\\\\", "%%"):
            done += part[:1].encode()
        elif part == "\\n":
            done += b"\n"
        elif part.startswith("\\") and len(part) > 1 and part[1:].isdigit():
            done.append(int(part[1:], 8) & 0xFF)
        else:
            done += part.encode("utf-8", "surrogateescape")
    return done.decode("utf-8", "surrogateescape")
