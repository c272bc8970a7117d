"""The filter language: one line, the same on every screen and in the CLI's `--filter`.

`endpoint:crm state:failed cause:timeout_read,dns status:5xx type:invoice.* since:2h attempts:>3 text:"card declined"`.
Terms narrow together; a comma within a term is an OR. `-` before a term means all others (of endpoint, cause, state and
status; those without a cause or an answer are not among the others). A word without a key is guessed: an id, a cause, a
state, a status, part of an endpoint's name, else a type or its beginning; a quoted one is a text. `@name` stands for a
saved filter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from console.domain import query_values as values
from console.domain.delivery import DeliveryState
from console.domain.errors import QueryError
from console.domain.filters import AttemptFilter, DeliveryFilter, EventFilter
from console.domain.ids import DeliveryId, EndpointId, EventId, check_event_id, parse_number
from console.domain.moment import parse_point
from console.domain.outcome import Cause
from console.domain.query_format import format_query, rewritten
from console.domain.query_text import KEYS, NEGATABLE, Term, Value, expanded, lex, near
from console.domain.words import phrase_of

__all__ = ["Query", "QueryError", "format_query", "parse_query", "rewritten"]

T = TypeVar("T")
Names = Mapping[EndpointId, str]

_ANY_STATE = tuple(DeliveryState)
_ENDED = (DeliveryState.DELIVERED, DeliveryState.FAILED)
_FAILED = (DeliveryState.FAILED,)
_RETRYING = (DeliveryState.PENDING, DeliveryState.SENDING)
_CAN_BE_TROUBLED = frozenset({DeliveryState.FAILED, *_RETRYING})


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """What can be asked of one kind of list."""

    name: str
    keys: tuple[str, ...]
    states: tuple[DeliveryState, ...] = ()
    special_states: bool = False


_DELIVERIES = _List(name="deliveries", keys=tuple(KEYS), states=_ANY_STATE, special_states=True)
_ATTEMPTS = _List(name="attempts", keys=tuple(key for key in KEYS if key != "group"), states=_ENDED)
_EVENTS = _List(name="events", keys=("type", "since", "until", "event", "text"))


def keys_of(kind: str) -> tuple[str, ...]:
    """The keys that a list of `deliveries`, `attempts` or `events` takes."""
    return next(one.keys for one in (_DELIVERIES, _ATTEMPTS, _EVENTS) if one.name == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A filter that was read. What it means depends on the list, and on the names that endpoints have then.

    The methods raise QueryError where a name is none, a part is one that the list does not have, or nothing can match.
    """

    terms: tuple[Term, ...]
    now_ms: int

    def deliveries(self, names: Names, base: DeliveryFilter | None = None) -> DeliveryFilter:
        """`base`, narrowed."""
        return self._narrowed(_DELIVERIES, names, base or DeliveryFilter())

    def attempts(self, names: Names, base: AttemptFilter | None = None) -> AttemptFilter:
        """`base`, narrowed."""
        return _attempts(self._narrowed(_ATTEMPTS, names, _as_deliveries(base or AttemptFilter())))

    def events(self, base: EventFilter | None = None) -> EventFilter:
        """`base`, narrowed."""
        base = base or EventFilter()
        begin = DeliveryFilter(
            event_id=base.event_id,
            type_pattern=base.type_pattern,
            texts=base.texts,
            since_ms=base.since_ms,
            until_ms=base.until_ms,
        )
        where = self._narrowed(_EVENTS, {}, begin)
        return EventFilter(
            event_id=where.event_id,
            type_pattern=where.type_pattern,
            texts=where.texts,
            since_ms=where.since_ms,
            until_ms=where.until_ms,
        )

    def _narrowed(self, kind: _List, names: Names, where: DeliveryFilter) -> DeliveryFilter:
        for term in self.terms:
            where = _Narrowing(kind, names, self.now_ms).narrow(where, term)
        return where


def parse_query(text: str, *, now_ms: int, saved: Mapping[str, str] | None = None) -> Query:
    """Read a filter.

    Args:
        now_ms: what durations and times of the day count from.
        saved: what `@name` stands for.

    Raises:
        QueryError: with the place of what is wrong.
    """
    query = Query(terms=tuple(expanded(lex(text), saved or {})), now_ms=now_ms)
    for term in query.terms:
        _check_shape(term, now_ms)
    return query


def _check_shape(term: Term, now_ms: int) -> None:
    """What can be said of a term before it is known of which list it is, and which endpoints there are."""
    if term.negated and term.key and term.key not in NEGATABLE:
        raise term.wrong(f"-{term.key}: cannot be answered: only {', '.join(NEGATABLE)} can be negated")
    match term.key:
        case "state":
            for value in term.values:
                values.state(value)
        case "" | "endpoint":
            pass
        case _:
            _Narrowing(_DELIVERIES, {}, now_ms).narrow(DeliveryFilter(), term)


class _Narrowing:
    """One term after the other, over one kind of list. A filter of deliveries has room for the parts of all lists."""

    def __init__(self, kind: _List, names: Names, now_ms: int) -> None:
        self._kind, self._names, self._now_ms = kind, names, now_ms

    def narrow(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        key = term.key or self._guess(term)
        if key not in self._kind.keys:
            allowed = ", ".join(f"{known}:" for known in self._kind.keys)
            raise term.wrong(f"{self._kind.name} have no {key}: there are {allowed}")
        if term.negated and key not in NEGATABLE:
            raise term.wrong(f"-{key}: cannot be answered: only {', '.join(NEGATABLE)} can be negated")
        term = replace(term, key=key) if term.key else _spelt_out(replace(term, key=key))
        narrowed: DeliveryFilter = getattr(self, f"_{key}")(where, term)
        return narrowed

    def _guess(self, term: Term) -> str:
        kinds = [self._guess_one(value) for value in term.values]
        for value, kind in zip(term.values, kinds, strict=True):
            if kind != kinds[0]:
                first = term.values[0].text[:40]
                raise value.wrong(f"{value.text[:40]!r} is {_a(kind)} and {first!r} {_a(kinds[0])}: write them apart")
        return kinds[0]

    def _guess_one(self, value: Value) -> str:
        text = value.text
        if value.quoted:
            return "text"
        for prefix, kind in (("dlv_", "delivery"), ("evt_", "event")):
            if text.startswith(prefix):
                return kind
        folded = text.lower()
        if text in self._names.values() or text in self._names:
            return "endpoint"
        if folded in Cause._value2member_map_:
            return "cause"
        if folded in DeliveryState._value2member_map_ or folded in values.SPECIAL_STATES:
            return "state"
        if values.STATUS_SHAPE.fullmatch(text):
            return "status"
        return "endpoint" if values.endpoints_called(value, self._names) else "type"

    # One method for each key. A part that was given before is narrowed further.

    def _endpoint(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        found = _unique(one for value in term.values for one in values.endpoints(value, self._names))
        if term.negated:
            found = tuple(one for one in self._names if one not in found)
        return replace(where, endpoints=_met(where.endpoints, found, term))

    def _cause(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        found = _unique(values.cause(value) for value in term.values)
        if term.negated:
            found = tuple(cause for cause in Cause if cause not in found)
        return replace(where, causes=_met(where.causes, found, term))

    def _status(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        found = values.statuses(term)
        if term.negated:
            found = values.all_but(found)
        if where.statuses:
            found = values.both(where.statuses, found)
        return replace(where, statuses=found) if found else _nothing_left(term)

    def _state(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        states, troubled = self._states(term)
        if len(states) == len(_CAN_BE_TROUBLED) and troubled and not where.states:
            return replace(where, troubled=True)
        states = _met(where.states, states, term)
        # Whatever failed is troubled: one filter is written in one way.
        return replace(where, states=states, troubled=(where.troubled or troubled) and states != _FAILED)

    def _states(self, term: Term) -> tuple[tuple[DeliveryState, ...], bool]:
        """The states that are meant, and whether only those whose last try failed."""
        named: list[DeliveryState] = []
        special: list[Value] = []
        for value in term.values:
            one = values.state(value)
            if isinstance(one, DeliveryState) and one in self._kind.states:
                named.append(one)
            elif one in values.SPECIAL_STATES and self._kind.special_states:
                special.append(value)
            else:
                allowed = ", ".join((*self._kind.states, *(values.SPECIAL_STATES if self._kind.special_states else ())))
                raise value.wrong(f"{self._kind.name} are never {one}: there are {allowed}")
        if special:
            return self._troubled(term, special, named), True
        if term.negated:
            return tuple(state for state in self._kind.states if state not in named), False
        return _unique(named), False

    def _troubled(self, term: Term, special: list[Value], named: list[DeliveryState]) -> tuple[DeliveryState, ...]:
        if term.negated:
            said = f"-state:{special[0].text} cannot be answered: name the states that are meant"
            raise special[0].wrong(said)
        if set(named) - {DeliveryState.FAILED}:
            raise special[0].wrong(f"{special[0].text} can stand beside no other state than failed")
        words = {values.state(value) for value in special}
        return (*_RETRYING, DeliveryState.FAILED) if named or values.TROUBLED in words else _RETRYING

    def _type(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        found = values.pattern(values.only(term, "type:invoice.* takes all that begin so"))
        if where.type_pattern is not None:
            met = values.narrower(where.type_pattern, found)
            return replace(where, type_pattern=met) if met else _nothing_left(term)
        return replace(where, type_pattern=found)

    def _since(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        at_ms = self._moment(term)
        return replace(where, since_ms=at_ms if where.since_ms is None else max(at_ms, where.since_ms))

    def _until(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        at_ms = self._moment(term)
        return replace(where, until_ms=at_ms if where.until_ms is None else min(at_ms, where.until_ms))

    def _moment(self, term: Term) -> int:
        return values.of_domain(values.only(term, "one moment"), lambda text: parse_point(text, self._now_ms))

    def _attempts(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        low, high = values.numbers(values.only(term, "2..5 takes all between"))
        lows = [bound for bound in (low, where.attempts_least) if bound is not None]
        highs = [bound for bound in (high, where.attempts_most) if bound is not None]
        least, most = max(lows, default=None), min(highs, default=None)
        if least is not None and most is not None and least > most:
            return _nothing_left(term)
        return replace(where, attempts_least=least, attempts_most=most)

    def _event(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        value = values.only(term, "one event's id")
        found: EventId = values.of_domain(value, check_event_id)
        if where.event_id not in (None, found):
            return _nothing_left(term)
        return replace(where, event_id=found)

    def _delivery(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        if self._kind is _ATTEMPTS:
            values.only(term, "one delivery's id")
        found = _unique(DeliveryId(values.of_domain(value, _delivery_number)) for value in term.values)
        return replace(where, ids=_met(where.ids, found, term))

    def _group(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        found = _unique(values.group(value) for value in term.values)
        return replace(where, groups=_met(where.groups, found, term))

    def _text(self, where: DeliveryFilter, term: Term) -> DeliveryFilter:
        value = values.only(term, 'put a text with commas in quotes, and write text:"…" again for a second one')
        values.of_domain(value, phrase_of)
        return replace(where, texts=_unique((*where.texts, value.text)))


def _delivery_number(text: str) -> int:
    return parse_number("dlv", text)


def _spelt_out(term: Term) -> Term:
    """A word that was guessed, as it would be written with its key: a type without a dot stands for all below it."""
    if term.key != "type":
        return term
    value = values.only(term, "write one type")
    if "." not in value.text and "*" not in value.text:
        spelt = replace(value, text=f"{value.text}.*")
        try:
            values.pattern(spelt)
        except QueryError:
            guess = near(value.text, (*Cause, *DeliveryState, *values.SPECIAL_STATES))
            allowed = guess or ": type an id, a cause, an endpoint or an event type"
            raise value.wrong(f"nothing matches {value.text[:60]!r}{allowed}") from None
        value = spelt
    return replace(term, values=(value,))


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _unique(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))


def _met(before: Sequence[T], found: Sequence[T], term: Term) -> tuple[T, ...]:
    """What is in both; all that was found when nothing was asked for before."""
    met = tuple(one for one in before if one in found) if before else tuple(found)
    if not met:
        _nothing_left(term)
    return met


def _nothing_left(term: Term) -> DeliveryFilter:
    raise term.wrong(f"nothing matches: what else is asked for leaves no {term.key} for this")


def _as_deliveries(where: AttemptFilter) -> DeliveryFilter:
    """The same with room for all parts."""
    states: tuple[DeliveryState, ...] = ()
    for wanted, meant in (
        (where.ended_only, _ENDED),
        (where.failed_only, (DeliveryState.FAILED,)),
        (where.delivered_only, (DeliveryState.DELIVERED,)),
    ):
        if wanted:
            states = meant
    return DeliveryFilter(
        ids=() if where.delivery_id is None else (where.delivery_id,),
        states=states,
        endpoints=where.endpoints,
        event_id=where.event_id,
        type_pattern=where.type_pattern,
        causes=where.causes,
        since_ms=where.since_ms,
        until_ms=where.until_ms,
        statuses=where.statuses,
        attempts_least=where.attempts_least,
        attempts_most=where.attempts_most,
        texts=where.texts,
    )


def _attempts(where: DeliveryFilter) -> AttemptFilter:
    states = set(where.states)
    return AttemptFilter(
        endpoints=where.endpoints,
        delivery_id=where.ids[0] if where.ids else None,
        event_id=where.event_id,
        type_pattern=where.type_pattern,
        causes=where.causes,
        statuses=where.statuses,
        attempts_least=where.attempts_least,
        attempts_most=where.attempts_most,
        texts=where.texts,
        failed_only=states == {DeliveryState.FAILED},
        delivered_only=states == {DeliveryState.DELIVERED},
        ended_only=states == set(_ENDED),
        since_ms=where.since_ms,
        until_ms=where.until_ms,
    )
