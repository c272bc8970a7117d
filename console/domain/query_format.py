"""A filter as a line: what `parse_query` reads back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, DeliveryFilter, EventFilter, StatusRange
from console.domain.ids import EndpointId, format_number
from console.domain.moment import iso_utc
from console.domain.outcome import Cause
from console.domain.query_text import lex, quoted
from console.domain.query_values import LEAST_STATUS, MOST_STATUS, RETRYING, SPECIAL_STATES, TROUBLED

T = TypeVar("T")

_RETRYING_STATES = (DeliveryState.PENDING, DeliveryState.SENDING)


def format_query(
    where: DeliveryFilter | AttemptFilter | EventFilter, names: Mapping[EndpointId, str] | None = None
) -> str:
    """A filter in the filter language, the same for equal filters; empty for one that matches all.

    Args:
        names: of endpoints. One that is not in it is named by its id.
    """
    named = names or {}
    common = [
        ("type", "" if where.type_pattern is None else quoted(where.type_pattern)),
        ("since", "" if where.since_ms is None else iso_utc(where.since_ms)),
        ("until", "" if where.until_ms is None else iso_utc(where.until_ms)),
    ]
    event = ("event", "" if where.event_id is None else quoted(where.event_id))
    texts = [("text", quoted(text, always=True)) for text in where.texts]
    if isinstance(where, EventFilter):
        return _line([*common, event, *texts])
    before = [
        _listed("endpoint", where.endpoints, tuple(named), lambda one: _name(one, named)),
        *_states(where),
        _listed("cause", where.causes, tuple(Cause), str),
        ("status", ",".join(map(_status, where.statuses))),
    ]
    made = ("attempts", _bounds(where.attempts_least, where.attempts_most))
    after = [("delivery", _deliveries(where))]
    if isinstance(where, DeliveryFilter):
        after.append(("group", ",".join(map(str, where.groups))))
    return _line([*before, *common, made, event, *after, *texts])


def _line(terms: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{key}:{value}" for key, value in terms if value)


def _listed(key: str, chosen: Sequence[T], known: Sequence[T], words: Callable[[T], str]) -> tuple[str, str]:
    """Those that are meant, or all but the others where that is shorter."""
    others = [one for one in known if one not in chosen]
    rest = tuple(one for one in known if one not in others)
    if 0 < len(others) < len(chosen) and tuple(chosen) == rest:
        return f"-{key}", ",".join(map(words, others))
    return key, ",".join(map(words, chosen))


def _name(endpoint: EndpointId, names: Mapping[EndpointId, str]) -> str:
    """Its name, or its id where the name would be read as another's."""
    name = names.get(endpoint)
    alone = name is not None and sum(name in (other, id_) for id_, other in names.items()) == 1
    return quoted(name) if name is not None and alone else quoted(endpoint)


def _states(where: DeliveryFilter | AttemptFilter) -> list[tuple[str, str]]:
    if isinstance(where, AttemptFilter):
        return [("state", _ended(where))]
    states = where.states
    if not where.troubled or states == (DeliveryState.FAILED,):
        return [_listed("state", states, tuple(DeliveryState), str)]
    if states == _RETRYING_STATES:
        return [("state", RETRYING)]
    return [("state", TROUBLED), _listed("state", states, tuple(DeliveryState), str)]


def _ended(where: AttemptFilter) -> str:
    if where.failed_only:
        return DeliveryState.FAILED
    if where.delivered_only:
        return DeliveryState.DELIVERED
    return f"{DeliveryState.DELIVERED},{DeliveryState.FAILED}" if where.ended_only else ""


def _status(statuses: StatusRange) -> str:
    low, high = statuses.low, statuses.high
    if low == high:
        return str(low)
    if low % 100 == 0 and high == low + 99:
        return f"{low // 100}xx"
    if high == MOST_STATUS:
        return f">={low}"
    return f"<={high}" if low == LEAST_STATUS else f"{low}..{high}"


def _bounds(least: int | None, most: int | None) -> str:
    if least is None:
        return "" if most is None else f"<={most}"
    if most is None:
        return f">={least}"
    return str(least) if least == most else f"{least}..{most}"


def _deliveries(where: DeliveryFilter | AttemptFilter) -> str:
    if isinstance(where, AttemptFilter):
        return "" if where.delivery_id is None else format_number("dlv", where.delivery_id)
    return ",".join(format_number("dlv", number) for number in where.ids)


_BARE_WORDS: Mapping[str, Collection[str]] = {
    "cause": frozenset(Cause),
    "state": frozenset({*DeliveryState, *SPECIAL_STATES}),
}


def rewritten(line: str, key: str, value: str) -> str:
    """The line with `key:value` in the place of what it said of that key; an empty value takes it away.

    Raises:
        QueryError: the line cannot be cut into terms.
    """
    bare = _BARE_WORDS.get(key, ())
    kept = [
        line[term.start : term.end]
        for term in lex(line)
        if term.key != key
        and not (term.key == "" and all(one.text.lower() in bare and not one.quoted for one in term.values))
    ]
    return " ".join([*kept, f"{key}:{value}"] if value else kept)
