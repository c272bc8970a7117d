"""The filter language of the inbox: `source:stripe fate:rejected since:1h`, on its screen as on the command line.

Smaller than that of deliveries: a term takes one value, and none is negated. A word without a key is a fate, an event's
id, else a source's name or a part of it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from console.domain.errors import InvalidInputError, QueryError
from console.domain.ids import check_event_id
from console.domain.inbound import Fate, InboxFilter
from console.domain.moment import iso_utc, parse_point
from console.domain.query_complete import Completion
from console.domain.query_text import near
from console.domain.source import SourceId

KEYS: Mapping[str, str] = {
    "source": "came in here: a name or a part of it",
    "fate": "what became of it: accepted, rejected …",
    "since": "from then on: 2h (ago), 14:02, an ISO time",
    "until": "before then: 2h (ago), 14:02, an ISO time",
    "event": "became this event: evt_…",
}
"""The filters there are, with a hint for each, in the order in which they are written out."""

FATES: Mapping[Fate, str] = {
    Fate.ACCEPTED: "became an event",
    Fate.FLAGGED: "became an event, against its schema",
    Fate.DUPLICATE: "its event was there before",
    Fate.REJECTED: "refused",
    Fate.CAPTURED: "kept to be looked at",
    Fate.ANSWERED: "a handshake or a ping",
}
"""Each fate, and what it means."""

_TIMES: Mapping[str, str] = {"15m": "15 minutes ago", "1h": "an hour ago", "6h": "", "1d": "a day ago", "7d": ""}
_WORD = re.compile(r"\S+")

Names = Mapping[SourceId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """`key:value`, and where it stands in the line; a bare word has no key."""

    key: str
    value: str
    line: str
    start: int
    end: int

    def wrong(self, words: str) -> QueryError:
        """What to raise when this is wrong."""
        return QueryError(words, text=self.line, start=self.start, end=max(self.end, self.start + 1))


def parse_inbox(text: str, names: Names, now_ms: int, base: InboxFilter | None = None) -> InboxFilter:
    """`base`, narrowed by what was typed.

    Args:
        names: of the sources there are.
        now_ms: what durations and times of the day count from.

    Raises:
        QueryError: with the place of what is wrong.
    """
    where = base or InboxFilter()
    given: set[str] = set()
    for term in _terms(text):
        key = term.key or _guess(term.value)
        if key in given:
            raise term.wrong(f"{key}: is there twice")
        given.add(key)
        where = _narrowed(where, key, term, names, now_ms)
    return where


def _terms(text: str) -> Iterator[_Term]:
    for found in _WORD.finditer(text):
        word, start, end = found[0], found.start(), found.end()
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise QueryError("this is no text: it is not valid UTF-8", text=text, start=start, end=end)
        head, colon, value = word.partition(":")
        term = _Term(key=head.lower() if colon else "", value=value if colon else word, line=text, start=start, end=end)
        if colon and term.key not in KEYS:
            named = [f"{known}:" for known in KEYS]
            guess = near(f"{term.key}:", named) or f": there are {', '.join(named)}"
            raise term.wrong(f"{head[:40]}: is no filter of the inbox{guess}")
        if not term.value:
            raise term.wrong(f"{term.key}: needs a value: {KEYS[term.key]}")
        yield term


def _guess(word: str) -> str:
    if word.startswith("evt_"):
        return "event"
    return "fate" if word.lower() in Fate._value2member_map_ else "source"


def _narrowed(where: InboxFilter, key: str, term: _Term, names: Names, now_ms: int) -> InboxFilter:
    try:
        match key:
            case "source":
                return replace(where, source=_source(term, names))
            case "fate":
                return replace(where, fate=_fate(term))
            case "event":
                return replace(where, event_id=check_event_id(term.value))
            case "since":
                at_ms = parse_point(term.value, now_ms)
                return replace(where, since_ms=max(at_ms, where.since_ms or 0))
            case _:
                at_ms = parse_point(term.value, now_ms)
                return replace(where, until_ms=at_ms if where.until_ms is None else min(at_ms, where.until_ms))
    except QueryError:
        raise
    except InvalidInputError as error:
        raise term.wrong(str(error)) from None


def _source(term: _Term, names: Names) -> SourceId:
    wanted = term.value
    for number, name in names.items():
        if wanted in (name, number):
            return number
    if wanted.startswith("src_"):
        return SourceId(wanted)  # of one that was removed: what came in stays
    found = [number for number, name in names.items() if wanted.casefold() in name]
    if len(found) == 1:
        return found[0]
    if found:
        raise term.wrong(f"{wanted[:40]!r} is in the names of several: {_some([names[one] for one in found])}")
    guess = near(wanted, names.values()) or (f": there are {_some(list(names.values()))}" if names else "")
    raise term.wrong(f"no source has {wanted[:40]!r} in its name{guess}")


def _some(words: list[str]) -> str:
    return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")


def _fate(term: _Term) -> Fate:
    word = term.value.lower()
    if word in Fate._value2member_map_:
        return Fate(word)
    guess = near(word, Fate) or f": there are {', '.join(Fate)}"
    raise term.wrong(f"{term.value[:40]!r} is no fate{guess}")


def format_inbox(where: InboxFilter, names: Names) -> str:
    """A filter as a line, the same for equal filters; empty for one that matches all."""
    terms = (
        ("source", None if where.source is None else names.get(where.source, where.source)),
        ("fate", where.fate),
        ("since", None if where.since_ms is None else iso_utc(where.since_ms)),
        ("until", None if where.until_ms is None else iso_utc(where.until_ms)),
        ("event", where.event_id),
    )
    return " ".join(f"{key}:{value}" for key, value in terms if value is not None)


def rewritten_inbox(text: str, key: str, value: str) -> str:
    """The line with another value for a key, at its place; empty takes the term away. Bare words count as the key
    that they are taken for."""
    words, done = [], not value
    for word in text.split():
        head, colon, _ = word.partition(":")
        if (head.lower() if colon else _guess(word)) != key:
            words.append(word)
        elif not done:
            words.append(f"{key}:{value}")
            done = True
    return " ".join(words if done else [*words, f"{key}:{value}"])


def complete_inbox(text: str, cursor: int, names: Names) -> list[Completion]:
    """What may be meant at the cursor, the likeliest first."""
    cursor = max(0, min(cursor, len(text)))
    start = max((found.end() for found in re.finditer(r"\s", text[:cursor])), default=0)
    blank = re.search(r"\s", text[cursor:])
    end = len(text) if blank is None else cursor + blank.start()
    key, colon, typed = text[start:cursor].partition(":")
    if colon:
        at = start + len(key) + 1
        return [
            Completion(word, at, end, hint)
            for word, hint in _matching(typed, _values(key.lower(), names))
            if word != typed
        ]
    keys = [(f"{known}:", hint) for known, hint in KEYS.items() if known.startswith(key.lower())]
    words = [
        (f"{of}:{word}", hint) for of in ("source", "fate") for word, hint in _matching(key, _values(of, names)) if key
    ]
    return [Completion(word, start, end, hint) for word, hint in (*keys, *words)]


def _values(key: str, names: Names) -> Mapping[str, str]:
    match key:
        case "source":
            return dict.fromkeys(sorted(names.values()), "")
        case "fate":
            return {str(fate): hint for fate, hint in FATES.items()}
        case "since" | "until":
            return _TIMES
        case _:
            return {}


def _matching(typed: str, words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Those that begin so, then those that hold it."""
    folded = typed.casefold()
    begin = [(word, hint) for word, hint in words.items() if word.casefold().startswith(folded)]
    return [*begin, *((w, hint) for w, hint in words.items() if folded in w.casefold() and (w, hint) not in begin)]
