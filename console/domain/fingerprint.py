"""What two failures have in common: the words of an error with all that varies taken out, and a number for them."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from console.domain.failure_group import UNTOLD

HEAD_BYTES = 2048
"""How much of a body is looked at: what says what went wrong is at its beginning."""

WORDS_MAX = 160
"""Characters of an error's words that are kept, and that tell it from others."""

OTHERS = UNTOLD + 1
"""The key of one too many kinds of error, which no error has either."""

OTHERS_WORDS = "all other answers: too many kinds of them to tell apart"
NO_TEXT = "no text in the answer"

VARIES = "…"
"""Stands for what differs from one answer to the next."""

_TEXT_MAX = 400
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Which error it is. Errors that a person would call the same have the same key, and the words of one of them."""

    key: int
    """63 bits, the same in every process and version; above OTHERS."""
    words: str
    """One line of at most WORDS_MAX characters, as it came but for what varies: not clean of control characters."""


def fingerprint(body: bytes, detail: str) -> Fingerprint:
    """What identifies a failure: the receiver's own words where there are any, else `detail`.

    Of JSON those are its message, code and type, of HTML its title, of anything else its first line. Ids, numbers,
    hex, moments, addresses and quoted values are taken out. Looks at HEAD_BYTES of the body at most, and of what they
    unpack to at most as much, where they are gzip or deflate.
    """
    return _fingerprint(body[:HEAD_BYTES], detail)


@lru_cache(maxsize=_REMEMBERED)
def _fingerprint(head: bytes, detail: str) -> Fingerprint:
    words = _cut(_words_of(_unpacked(head)))
    if not words or words == VARIES:
        # `HTTP 503` says nothing that the status does not.
        words = NO_TEXT if _STATUS_ALONE.fullmatch(detail) else steady(detail) or NO_TEXT
    folded = words.casefold().rstrip(" .!").encode("utf-8", "replace")
    from hashlib import blake2b  # loads OpenSSL, which whoever only reads does not need

    key = int.from_bytes(blake2b(folded, digest_size=8).digest()) >> 1
    return Fingerprint(key=max(key, OTHERS + 1), words=words)


_STATUS_ALONE = re.compile(r"HTTP \d+")

# What varies. Dates in words come first, and only where there is a year, since their pattern is slow; then what has a
# beginning of its own, so that nothing is tried at each letter of a word.
_DATE = re.compile(
    r"""
    (?:\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},?\s)?(?:\b\d{1,2}[\s-])?
    \b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}[\s-]
    (?:\d{1,2},?[\s-])?(?:\d\d:\d\d:\d\d[\s-])?\d{4}(?:\s(?:at\s)?\d\d:\d\d(?::\d\d)?(?:\s?(?:GMT|UTC|Z))?)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_YEAR = re.compile(r"\d{4}")
_VARIES = re.compile(
    r"""
      "[^"]{0,200}" | (?<!\w)'[^']{0,200}'(?!\w) | `[^`]{0,200}` | “[^”]{0,200}” | «[^»]{0,200}»
    | (?<![\w.+-])(?:
        \d{4}-\d\d-\d\d[T\s]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?\b
      | [\w.+-]{1,80}@[\w-]{1,80}(?:\.[\w-]{1,80}){0,5}          # ada@example.com
      )
    | (?<![\w-])(?:
        [^\W\d]*-?\d[\w-]*%?                                    # a word with a digit in it, the digit early
      | [\w-]+\d[\w-]*%?
      | [A-Fa-f]{8,}(?![\w-])                                    # hex that has no digit by chance
      | [a-z]{1,12}[_-](?=[a-z]{0,40}[A-Z])(?=[A-Z]{0,40}[a-z])[A-Za-z]{12,}(?![\w-])   # req_kJhTzRqwLpBn
      )
    """,
    re.VERBOSE,
)
_LISTED = re.compile(rf"{VARIES}(?:[\s,;:./|&+*=~-]*{VARIES})+")


@lru_cache(maxsize=_REMEMBERED)
def steady(text: str) -> str:
    """One line of text, at most WORDS_MAX of it, with `…` for what varies from one answer to the next."""
    line = " ".join(text[:_TEXT_MAX].split())
    if _YEAR.search(line):
        line = _DATE.sub(VARIES, line)
    line = _VARIES.sub(VARIES, line)
    return _cut(_LISTED.sub(VARIES, line) if VARIES in line else line)


def _cut(line: str) -> str:
    return line[: WORDS_MAX - 1].rstrip(f"{VARIES} ") + VARIES if len(line) > WORDS_MAX else line


def _unpacked(head: bytes) -> bytes:
    """The beginning of what was compressed, by its first bytes: headers may say otherwise. As it came, else."""
    gzip = head.startswith(b"\x1f\x8b")
    if not gzip and not (len(head) > 2 and head[0] == 0x78 and int.from_bytes(head[:2]) % 31 == 0):
        return head
    import zlib

    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16 if gzip else zlib.MAX_WBITS).decompress(head, HEAD_BYTES)
    except zlib.error:
        return head


def _words_of(head: bytes) -> str:
    """What of an answer says what went wrong, without what varies; empty when it has no text."""
    if not head or b"\0" in head or head.startswith(b"\x1f\x8b"):
        return ""
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.count("\ufffd") * 10 > len(text):
        return ""
    if _JSON.match(text):
        return _of_json(text)
    return steady(_of_markup(text) if text.startswith("<") else text.partition("\n")[0])


# Not parsed: the head may end in the middle, and an answer is the same error whether it does or not.
_JSON = re.compile(r"""\{\s*["}]|\[\s*[\[{"\]]|"[^"]*"?\s*$""")
_FIELD = re.compile(
    r'"(\w{1,24})"\s*:\s*\[?\s*(?:"((?:[^"\\]|\\.)*)|(-?\d[\w.+-]{0,20})(?=\s*[,}\]]))',
    re.DOTALL,
)
_MESSAGES = (
    "message", "msg", "errormessage", "errordescription", "detail", "details", "description", "reason", "faultstring",
    "title", "summary", "errors", "error",
)  # fmt: skip
_CODES = ("code", "errorcode", "error")
_TYPES = ("type", "errortype", "exception", "class", "name")
_CODE = re.compile(r"[A-Za-z_][A-Za-z_.:/ -]{0,60}|\d{1,6}")


def _of_json(text: str) -> str:
    fields: dict[str, str] = {}
    for name, quoted, number in _FIELD.findall(text):
        if value := _unescaped(quoted) if quoted else number:
            fields.setdefault(name.replace("_", "").lower(), value)
    message = next((fields[name] for name in _MESSAGES if name in fields), "")
    code = next((fields[name] for name in _CODES if name in fields), "")
    kind = next((fields[name] for name in _TYPES if name in fields), "")
    if not message and not code:
        # Of another shape: all of it, but what is quoted is what is said here.
        return steady(kind if kind and len(fields) == 1 else text.replace('"', ""))
    # A number that is a code is a name, and does not vary.
    parts = [steady(kind), code if _CODE.fullmatch(code) else steady(code), steady(message)]
    return ": ".join(dict.fromkeys(part for part in parts if part))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        value = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text  # cut in the middle of an escape
    return value if isinstance(value, str) else text


_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{1,400})", re.IGNORECASE)
_HEADING = re.compile(r"<h[1-3][^>]{0,200}>([^<]{1,400})", re.IGNORECASE)
_FAULT = re.compile(r"<(?:\w{1,20}:)?(?:faultstring|message|error|reason|code)[^>]{0,100}>([^<]{1,400})", re.IGNORECASE)
_NO_TEXT_PARTS = re.compile(
    r"<(?:script|style)\b.*?(?:</|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE
)


def _of_markup(text: str) -> str:
    from html import unescape  # loads 2,200 names

    for pattern in (_TITLE, _FAULT, _HEADING):
        found = pattern.search(text)
        if found is not None and found[1].strip():
            return unescape(found[1])
    return unescape(_NO_TEXT_PARTS.sub(" ", text)).strip().partition("\n")[0]
