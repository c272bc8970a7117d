"""What may stand where one types in a filter."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from console.domain.delivery import DeliveryState
from console.domain.outcome import Cause
from console.domain.query_text import KEYS, NEGATABLE, quoted
from console.domain.query_values import SPECIAL_STATES

MOST = 40
"""Completions that are offered at once; whoever wants others types on."""

_FIXED: Mapping[str, Mapping[str, str]] = {
    "cause": dict.fromkeys(Cause, ""),
    "status": {
        "5xx": "any server error",
        "4xx": "any client error",
        "3xx": "any redirect",
        **dict.fromkeys(("404", "408", "409", "422", "429", "500", "502", "503", "504"), ""),
        ">=500": "500 or more",
    },
    "since": {"15m": "15 minutes ago", "1h": "an hour ago", "2h": "", "6h": "", "1d": "a day ago", "7d": ""},
    "until": {"15m": "15 minutes ago", "1h": "an hour ago", "2h": "", "6h": "", "1d": "a day ago", "7d": ""},
    "attempts": {">1": "more than one", ">3": "", ">=10": "", "1": "just one", "2..5": "two to five"},
}
_STATES: Mapping[str, str] = {**{str(state): "" for state in DeliveryState}, **SPECIAL_STATES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What is known where a filter is typed."""

    keys: Sequence[str] = tuple(KEYS)
    endpoints: Sequence[str] = ()
    """Their names."""
    types: Sequence[str] = ()
    """Of events, as they were seen; or patterns."""
    states: Mapping[str, str] = field(default_factory=lambda: dict(_STATES))
    """With a hint for each."""
    saved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """`replacement` takes the place of characters `start` up to `end`."""

    replacement: str
    start: int
    end: int
    hint: str

    def applied(self, text: str) -> str:
        """The text with it; the cursor then belongs behind the replacement."""
        return text[: self.start] + self.replacement + text[self.end :]


@dataclass(slots=True)
class _Place:
    """Where the cursor is: the term, its key, and the value that is being typed."""

    term: int = 0
    value: int = 0
    key: str = ""
    in_quotes: bool = False


def complete(text: str, cursor: int, vocabulary: Vocabulary) -> list[Completion]:
    """What may be meant at the cursor, the likeliest first; nothing where nothing more can be said."""
    cursor = max(0, min(cursor, len(text)))
    place = _place(text, cursor)
    typed = text[place.value : cursor].removeprefix('"')
    end = _end(text, cursor, place)
    if place.key and place.key not in vocabulary.keys:
        return []
    if place.key:
        offered = _matching(typed, _values(place.key, vocabulary))
        return [Completion(quoted(word), place.value, end, hint) for word, hint in offered if word != typed]
    negated = cursor > place.term and text.startswith("-", place.term)
    start = place.term + negated
    typed = text[start:cursor]
    if typed.startswith(('"', ",")) or place.value > start:
        return []
    terms = _terms(typed, vocabulary, negated=negated)
    return [Completion(word, start, end, hint) for word, hint in terms if word != typed][:MOST]


def while_typed(text: str, cursor: int) -> str:
    """The text as it filters while somebody is still typing; the text itself where nothing is half typed.

    The last word of a `text:` at whose end the cursor is counts as a beginning; a quote that is open there is closed.
    """
    if cursor != len(text):
        return text
    place = _place(text, cursor)
    value = text[place.value :]
    if place.key != "text" or not value.removeprefix('"') or not value[-1].isalnum():
        return text
    return f'{text}*"' if place.in_quotes else f"{text}*"


def _place(text: str, cursor: int) -> _Place:
    place, at = _Place(), 0
    while at < cursor:
        character = text[at]
        if place.in_quotes:
            at += character == "\\"
            place.in_quotes = character != '"'
        elif character.isspace():
            place = _Place(term=at + 1, value=at + 1)
        elif character == '"' and at == place.value + (text.startswith("-", place.term) and place.value == place.term):
            place.in_quotes = True
        elif character == ",":
            place.value = at + 1
        elif character == ":" and not place.key and place.value == place.term:
            word = text[place.term : at].removeprefix("-").lower()
            if word in KEYS:
                place.key, place.value = word, at + 1
        at += 1
    return place


def _end(text: str, cursor: int, place: _Place) -> int:
    at = cursor
    while at < len(text) and (place.in_quotes or not (text[at].isspace() or text[at] == ",")):
        if place.in_quotes and text[at] == '"':
            return at + 1
        at += 1 + (place.in_quotes and text[at] == "\\")
    return min(at, len(text))


def _terms(typed: str, vocabulary: Vocabulary, *, negated: bool) -> Iterator[tuple[str, str]]:
    """Whole terms that a word may be the beginning of: keys, saved filters, and values with their keys."""
    if not typed.startswith("@"):
        for key in vocabulary.keys:
            if key.startswith(typed.lower()) and (not negated or key in NEGATABLE):
                yield f"{key}:", KEYS[key]
    if not negated:
        for name, text in vocabulary.saved.items():
            if f"@{name}".startswith(typed):
                yield f"@{name}", text
    if not typed or typed.startswith("@"):
        return
    for key in ("endpoint", "state", "cause", "type"):
        if key in vocabulary.keys and (not negated or key in NEGATABLE):
            for word, hint in _matching(typed, _values(key, vocabulary)):
                yield f"{key}:{quoted(word)}", hint


def _values(key: str, vocabulary: Vocabulary) -> Mapping[str, str]:
    match key:
        case "endpoint":
            return dict.fromkeys(vocabulary.endpoints, "")
        case "state":
            return vocabulary.states
        case "type":
            return _types(vocabulary.types)
        case _:
            return _FIXED.get(key, {})


def _types(types: Iterable[str]) -> dict[str, str]:
    """Branches before the types that are below them."""
    found = set(types)
    for one in types:
        parts = one.removesuffix(".*").split(".")
        found |= {f"{'.'.join(parts[:length])}.*" for length in range(1, len(parts))}
    return {one: "all below it" if one.endswith(".*") else "" for one in sorted(found)}


def _matching(typed: str, words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Those that begin so, then those that hold it."""
    folded = typed.casefold()
    begin = [(word, hint) for word, hint in words.items() if word.casefold().startswith(folded)]
    hold = [(word, hint) for word, hint in words.items() if folded in word.casefold()]
    return list(dict.fromkeys([*begin, *hold]))[:MOST]
