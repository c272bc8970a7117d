"""What it means that a text says something: how payloads and responses are searched.

A text is its words. A word is a run of letters and digits; each ideograph and each kana is a word of its own, as no
spaces part them. Case makes no difference, nor does what stands between words. So `card declined` is found in
`{"error":"Card_declined"}`, and `cus_42` is `cus` followed by `42`. A `*` at the end asks for words that only begin so.
In JSON, what is escaped is read as what it stands for. Bytes that are no text say nothing.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from console.domain.errors import InvalidInputError

_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LONE = re.compile(f"[{_ALONE}]")
_WORD = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")
_NO_WORD_BEFORE, _NO_WORD_AFTER = f"(?<![^\\W_{_ALONE}])", f"(?![^\\W_{_ALONE}])"
_ESCAPE = re.compile(r"\\(?:((?:u[0-9a-fA-F]{4}\\)*u[0-9a-fA-F]{4})|.)", re.DOTALL)
_PIECE = 64 * 1024
"""Characters that are taken apart at once, so that other threads have their turn between."""

_PAIRED = "\N{MIDDLE DOT}"
"""Between the words of a pair: in no word."""

_BEGINNING_LEAST = 3
"""A word of which less is given than this says too little to be looked up in an index."""


def readable(data: bytes) -> str:
    """What bytes say, as it is compared; empty when they are no text."""
    if b"\0" in data:
        return ""
    if data.isascii():
        text = data.decode("ascii")
        if "\\" not in text:
            return text.lower()
    else:
        text = data.decode("utf-8", errors="replace")
    if "\\" in text and text.lstrip()[:1] in ("{", "[", '"'):
        text = _ESCAPE.sub(_unescaped, text)
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())


def terms_in(data: bytes) -> set[str]:
    """What an index keeps of bytes: all words that they say, and the pairs that ids are made of, as `cus_42`.

    A pair is a word of letters with one that has more than letters behind it. Alone, both stand in many places.
    """
    text = readable(data)
    found: set[str] = set()
    before = ""
    for piece in (text,) if len(text) <= _PIECE else _pieces(text):
        words = _WORD.findall(piece)
        found.update(words)
        for word in words:
            if before and not word.isalpha():
                found.add(f"{before}{_PAIRED}{word}")
            before = word if word.isalpha() else ""
    return found


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in a row, as `phrase_of` makes it."""

    words: tuple[str, ...]
    begins: bool
    """The last is only how a word begins."""
    pattern: re.Pattern[str]

    def is_in(self, data: bytes) -> bool:
        """Whether bytes say it."""
        text = readable(data)
        # The first word alone is found much faster, and is mostly not there.
        return self.words[0] in text and self.pattern.search(text) is not None

    @property
    def wholes(self) -> tuple[str, ...]:
        """The terms that must be there as they are; of a pair the words are not asked for again."""
        words = self.words[:-1] if self.begins else self.words
        pairs = [_pair(words[i - 1], word) if i else None for i, word in enumerate(words)]
        single = (
            word for i, word in enumerate(words) if pairs[i] is None and (i + 1 == len(words) or pairs[i + 1] is None)
        )
        return (*single, *(pair for pair in pairs if pair is not None))

    @property
    def beginning(self) -> str | None:
        """How one more term must begin; None also when that says too little."""
        if not self.begins:
            return None
        last = self.words[-1]
        pair = _pair(self.words[-2], last) if len(self.words) > 1 else None
        return pair or (last if len(last) >= _BEGINNING_LEAST else None)


def _pair(first: str, second: str) -> str | None:
    """The pair that words in a row are kept as, if any. One that begins with a beginning of `second` begins so too."""
    return f"{first}{_PAIRED}{second}" if first.isalpha() and not second.isalpha() else None


@lru_cache(maxsize=64)
def phrase_of(text: str) -> Phrase:
    """The words of what somebody looks for.

    Raises:
        InvalidInputError: there are none in it.
    """
    asked = text.strip()
    folded = unicodedata.normalize("NFC", asked.casefold())
    words = tuple(_WORD.findall(folded))
    if not words:
        raise InvalidInputError(f"text {text[:60]!r}: there is no word in it: write letters or digits to look for")
    begins = asked.endswith("*") and folded[:-1].endswith(words[-1]) and not _LONE.fullmatch(words[-1])
    return Phrase(words, begins, re.compile("".join(_parts(words, begins))))


def _parts(words: tuple[str, ...], begins: bool) -> Iterator[str]:
    lone = [_LONE.fullmatch(word) is not None for word in words]
    if not lone[0]:
        yield _NO_WORD_BEFORE
    for i, word in enumerate(words):
        if i:
            yield "[\\W_]*" if lone[i] or lone[i - 1] else "[\\W_]+"
        yield re.escape(word)
    if not lone[-1] and not begins:
        yield _NO_WORD_AFTER


def _unescaped(escape: re.Match[str]) -> str:
    coded = escape.group(1)
    if coded is None:
        return " "
    return bytes.fromhex(coded.replace("\\u", "").replace("u", "")).decode("utf-16-be", errors="replace")


def _pieces(text: str) -> Iterator[str]:
    """The text cut where no word is cut."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        while end < len(text) and text[end].isalnum():
            end += 1
        yield text[start:end]
        start = end
