"""How a filter is written: terms of `key:value`, cut at blanks, with the place of each.

A value that holds blanks, commas or quotes stands in double quotes, in which `\\"`, `\\\\`, `\\n`, `\\r`, `\\t`,
`\\uXXXX` and `\\UXXXXXXXX` mean what they mean in Python.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from console.domain.errors import InvalidInputError, QueryError

KEYS: Mapping[str, str] = {
    "endpoint": "owed to these: a name or a part of it",
    "state": "failed, retrying, pending, delivered …",
    "cause": "why it failed: timeout_read, dns …",
    "status": "of the answer: 5xx, 404, 500..503, >=500",
    "type": "of the event: invoice.paid, invoice.*",
    "since": "from then on: 2h (ago), 14:02, an ISO time",
    "until": "before then: 2h (ago), 14:02, an ISO time",
    "attempts": "made so far: 3, >3, 2..5",
    "event": "an event's id: evt_…",
    "delivery": "a delivery's id: dlv_…",
    "group": "a group of failures: its number",
    "text": 'words in the payload or an answer: "card declined", decl*',
}
"""The filters there are, with a hint for each, in the order in which they are written out."""

NEGATABLE = ("endpoint", "cause", "state", "status")
"""The keys before which a `-` may stand."""

MOST_TERMS = 200
"""A filter that is longer was not meant."""

_KEY = re.compile(r"([A-Za-z_]+):")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NEEDS_QUOTES = re.compile(r'[\s,"]')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPED = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})|([nrt"\\]))')
_SPACE = re.compile(r"\s*")
_BARE = re.compile(r"[^\s,]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a term, and where it stands in the line."""

    text: str
    quoted: bool = False
    line: str
    start: int
    end: int
    within: str = ""
    """The saved filter that holds it, as `@name`; it then stands where that was named."""

    def wrong(self, words: str) -> QueryError:
        """What to raise when this is wrong."""
        return wrong(words, self.line, self.start, self.end, self.within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """`-key:value,value`. Without a key: a bare word, to be guessed. `@name` has the key `@`."""

    key: str
    negated: bool
    values: tuple[Value, ...]
    start: int
    end: int

    def wrong(self, words: str) -> QueryError:
        """What to raise when the whole of it is wrong."""
        value = self.values[0]
        return wrong(words, value.line, self.start, self.end, value.within)


def wrong(words: str, line: str, start: int, end: int, within: str = "") -> QueryError:
    """An error at a place, which is at least one character wide."""
    said = f"in {within}: {words}" if within else words
    return QueryError(said, text=line, start=start, end=max(end, start + 1))


def near(word: str, words: Iterable[str]) -> str:
    """`: did you mean …?` with the words that are spelt nearly so; empty when there are none."""
    from difflib import get_close_matches

    by_folded = {known.casefold(): known for known in words}
    found = get_close_matches(word.casefold()[:80], list(by_folded), n=3, cutoff=0.6)
    return f": did you mean {' or '.join(by_folded[one] for one in found)}?" if found else ""


def check_saved_name(text: str) -> str:
    """A name under which a filter may be saved: 1–40 letters, digits, `-` and `_`.

    Raises:
        InvalidInputError
    """
    if not _NAME.fullmatch(text):
        raise InvalidInputError(f"name {text[:60]!r}: 1 to 40 letters, digits, - and _ are allowed")
    return text


def quoted(text: str, *, always: bool = False) -> str:
    """A value as it is written in a filter."""
    if not always and text and text.isprintable() and not _NEEDS_QUOTES.search(text):
        return text
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def lex(line: str) -> list[Term]:
    """The terms of a line. Raises QueryError."""
    for at, character in enumerate(line):
        if "\ud800" <= character <= "\udfff":
            raise wrong("this is no text: it is not valid UTF-8", line, at, at + 1)
    terms: list[Term] = []
    at = _blanks(line, 0)
    while at < len(line):
        if len(terms) == MOST_TERMS:
            raise wrong(f"at most {MOST_TERMS} parts are allowed", line, at, len(line))
        term = _term(line, at)
        terms.append(term)
        at = _blanks(line, term.end)
    return terms


def _blanks(line: str, at: int) -> int:
    match = _SPACE.match(line, at)
    return match.end() if match else at


def _term(line: str, start: int) -> Term:
    negated = line[start] == "-"
    at = start + negated
    if line.startswith("@", at):
        end = _bare_end(line, at, commas=True)
        if negated:
            raise wrong("a saved filter cannot be negated", line, start, end)
        return Term(key="@", negated=False, values=(_value(line, at + 1, end),), start=start, end=end)
    match = _KEY.match(line, at)
    key = match[1].lower() if match else ""
    if key and key not in KEYS:
        named = [f"{known}:" for known in KEYS]
        guess = near(f"{key}:", named) or f": there are {', '.join(named)}"
        raise wrong(f"{key}: is no filter{guess}", line, at, at + len(key) + 1)
    values, end = _values(line, match.end() if match else at, key, start)
    return Term(key=key, negated=negated, values=tuple(values), start=start, end=end)


def _values(line: str, at: int, key: str, start: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    while True:
        quotes = line.startswith('"', at)
        value = _in_quotes(line, at) if quotes else _value(line, at, _bare_end(line, at))
        if not value.text:
            raise _nothing(line, start, value, key, follows=bool(values))
        if not quotes and '"' in value.text:
            whole = quoted(value.text[:60])
            raise wrong(f"a quote within a word: put all of it in quotes: {whole}", line, at, value.end)
        values.append(value)
        at = value.end
        if not line.startswith(",", at):
            break
        at += 1
    if at < len(line) and not line[at].isspace():
        raise wrong("a blank or a comma belongs behind the quote", line, at, at + 1)
    return values, at


def _nothing(line: str, start: int, value: Value, key: str, *, follows: bool) -> QueryError:
    if follows:
        return wrong("a value belongs behind the comma", line, value.start - 1, value.end)
    if key:
        return wrong(f"{key}: needs a value: {KEYS[key]}", line, start, value.end)
    return wrong("a word belongs here", line, start, value.end)


def _bare_end(line: str, at: int, *, commas: bool = False) -> int:
    end = at
    while True:
        match = _BARE.match(line, end)
        assert match is not None
        end = match.end()
        if not commas or not line.startswith(",", end):
            return end
        end += 1


def _value(line: str, start: int, end: int) -> Value:
    return Value(text=line[start:end], line=line, start=start, end=end)


def _in_quotes(line: str, start: int) -> Value:
    at, parts = start + 1, []
    while at < len(line) and line[at] != '"':
        match = _ESCAPED.match(line, at)
        if match is None:
            parts.append(line[at])
            at += 1
            continue
        code = match[1] or match[2]
        parts.append(chr(int(code, 16)) if code else _ESCAPES[match[3]])
        at = match.end()
    if at >= len(line):
        raise wrong('the quote is not closed: a " is missing at the end', line, start, len(line))
    text = "".join(parts)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise wrong("this is no text: \\ud800 to \\udfff stand for no character", line, start, at + 1)
    return Value(text=text, quoted=True, line=line, start=start, end=at + 1)


def expanded(terms: Iterable[Term], saved: Mapping[str, str], path: tuple[str, ...] = ()) -> list[Term]:
    """The terms, with those of saved filters in the place of their names. Raises QueryError."""
    found: list[Term] = []
    for term in terms:
        found += _expand(term.values[0], saved, path) if term.key == "@" else [term]
        if len(found) > MOST_TERMS:
            raise term.wrong(f"at most {MOST_TERMS} parts are allowed, saved filters counted in")
    return found


def _expand(name: Value, saved: Mapping[str, str], path: tuple[str, ...]) -> list[Term]:
    place = replace(name, start=name.start if name.within else name.start - 1)
    if name.text in path:
        raise place.wrong(f"@{name.text} contains itself: {' → '.join((*path, name.text))}")
    if name.text not in saved:
        guess = near(name.text, saved) or (
            f": there are {', '.join(sorted(saved)[:8])}" if saved else ": none is saved"
        )
        raise place.wrong(f"no filter is saved as @{name.text}{guess}")
    within = place.within or f"@{name.text}"
    try:
        inner = lex(saved[name.text])
    except QueryError as error:
        raise wrong(str(error), place.line, place.start, place.end, within) from None
    moved = [_at(term, replace(place, within=within)) for term in inner]
    return expanded(moved, saved, (*path, name.text))


def _at(term: Term, place: Value) -> Term:
    """A term of a saved filter, standing where the filter was named."""
    values = tuple(
        replace(value, line=place.line, start=place.start, end=place.end, within=place.within) for value in term.values
    )
    return replace(term, values=values, start=place.start, end=place.end)
