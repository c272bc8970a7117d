"""Filters over rows that are in memory: the same language, where no store is asked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from console.domain.delivery import Attempt
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import AttemptFilter
from console.domain.matching import pattern_matches
from console.domain.query import Query
from console.domain.query_text import Term, Value, near

ENDPOINT_KEYS = ("endpoint", "state")
"""What a list of endpoints can be asked."""


def attempt_matches(where: AttemptFilter, attempt: Attempt) -> bool:
    """Whether an attempt, as it stands, matches all parts but `texts`, which only the store can tell."""
    return (
        (not where.endpoints or attempt.endpoint_id in where.endpoints)
        and where.delivery_id in (None, attempt.delivery_id)
        and where.event_id in (None, attempt.event_id)
        and (where.type_pattern is None or _is_of_type(where.type_pattern, attempt.event_type))
        and (where.since_ms is None or attempt.started_at_ms >= where.since_ms)
        and (where.until_ms is None or attempt.started_at_ms < where.until_ms)
        and (where.attempts_least is None or attempt.number >= where.attempts_least)
        and (where.attempts_most is None or attempt.number <= where.attempts_most)
        and _came_to(where, attempt)
    )


def while_open(where: AttemptFilter) -> AttemptFilter:
    """The parts that do not depend on how an attempt ends, but for `texts`: what it cannot match later is left out."""
    open_ = replace(where, causes=(), statuses=(), texts=())
    return replace(open_, failed_only=False, delivered_only=False, ended_only=False)


def _is_of_type(pattern: str, event_type: str) -> bool:
    return pattern == "*" or pattern_matches(pattern, event_type)


def _came_to(where: AttemptFilter, attempt: Attempt) -> bool:
    if where.causes and attempt.cause not in where.causes:
        return False
    status = attempt.status
    if where.statuses and (status is None or not any(one.low <= status <= one.high for one in where.statuses)):
        return False
    if where.failed_only and attempt.cause is None:
        return False
    if where.delivered_only and not attempt.succeeded:
        return False
    return not where.ended_only or attempt.ended_at_ms is not None


ENDPOINT_STATES = {
    "active": "",
    "paused": "by an operator",
    "tripped": "by its circuit breaker",
    "disabled": "410 Gone, or failing for days",
}
"""Its states, with a hint for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One term: any of the words, or none of them."""

    words: tuple[str, ...]
    key: str
    negated: bool


@dataclass(frozen=True, slots=True)
class EndpointQuery:
    """What a list of endpoints is asked: names, URLs and states."""

    parts: tuple[_Part, ...]

    def matches(self, endpoint: Endpoint) -> bool:
        """Whether every part does."""
        return all(any(_has(part.key, word, endpoint) for word in part.words) != part.negated for part in self.parts)


def endpoint_query(query: Query) -> EndpointQuery:
    """A filter as a list of endpoints takes it: `endpoint:`, `state:paused`, and words found in names and URLs.

    Raises:
        QueryError: a part is one that endpoints do not have.
    """
    return EndpointQuery(tuple(_parts(query.terms)))


def _parts(terms: tuple[Term, ...]) -> Iterator[_Part]:
    for term in terms:
        if term.key not in ("", *ENDPOINT_KEYS):
            raise term.wrong(f"endpoints have no {term.key}: there are endpoint:, state: and words of a name or URL")
        if term.key == "state":
            for value in term.values:
                _check_state(value)
        words = tuple(value.text.casefold() for value in term.values)
        yield _Part(words=words, key=term.key, negated=term.negated)


def _check_state(value: Value) -> None:
    if value.text.lower() not in EndpointState._value2member_map_:
        guess = near(value.text, EndpointState) or f": there are {', '.join(EndpointState)}"
        raise value.wrong(f"endpoints are never {value.text[:60]}{guess}")


def _has(key: str, word: str, endpoint: Endpoint) -> bool:
    if key == "state":
        return endpoint.state == word
    named = word in endpoint.name.casefold() or word == endpoint.id
    return named or (not key and (word in endpoint.url.casefold() or endpoint.state == word))
