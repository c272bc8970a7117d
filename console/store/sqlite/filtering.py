"""Filters of the domain as SQL conditions with bound parameters."""

import json

from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, DeliveryFilter, EventFilter, StatusRange
from console.domain.outcome import Cause
from console.store.sqlite.schema import TROUBLED

_OF_3XX, _OF_4XX, _OF_5XX = [Cause.HTTP_3XX], [Cause.HTTP_4XX, Cause.GONE], [Cause.HTTP_5XX]
_STATUS_OF_FAILURE = "last_cause IS NOT NULL AND last_status IS NOT NULL"
_PAYLOAD_SAYS = "says((SELECT payload FROM events WHERE seq = {event}), ?)"
_ANSWER_SAYS = "says((SELECT response_body FROM exchanges WHERE attempt = {attempt}), ?)"
_AN_ANSWER_SAYS = """EXISTS (SELECT 1 FROM attempts said JOIN exchanges ON exchanges.attempt = said.id
  WHERE said.delivery = deliveries.id AND says(exchanges.response_body, ?))"""


class Conditions:
    """Conditions joined by AND, and their parameters in order."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.parameters: list[object] = []

    def add(self, condition: str, *parameters: object) -> None:
        self._conditions.append(condition)
        self.parameters.extend(parameters)

    def among(self, column: str, values: tuple[object, ...]) -> None:
        """The column is one of the values; no condition when there are none."""
        if values:
            self.add(f"{column} IN ({', '.join('?' * len(values))})", *values)

    def maybe(self, condition: str, value: object | None) -> None:
        """A condition with one parameter; none when the value is None."""
        if value is not None:
            self.add(condition, value)

    def within(self, column: str, ranges: tuple[StatusRange, ...]) -> None:
        """The column is in one of the ranges; no condition when there are none."""
        if ranges:
            bounds = [bound for each in ranges for bound in (each.low, each.high)]
            self.add(f"({' OR '.join([f'{column} BETWEEN ? AND ?'] * len(ranges))})", *bounds)

    def endpoints(self, column: str, ids: tuple[object, ...]) -> None:
        if ids:
            self.add(f"{column} IN (SELECT seq FROM endpoints WHERE id IN ({', '.join('?' * len(ids))}))", *ids)

    def where(self) -> str:
        return " AND ".join(self._conditions) or "1"


def of_deliveries(where: DeliveryFilter) -> Conditions:
    """Over `deliveries`, unaliased columns; a type is looked up in `events`."""
    c = Conditions()
    if where.ids:
        # One parameter: marks may be more than SQLite allows parameters.
        c.add("id IN (SELECT value FROM json_each(?))", json.dumps(where.ids))
    if where.states == (DeliveryState.SENDING,):
        c.add("state = 'sending'")  # in letters, as the index on those says it
    else:
        c.among("state", where.states)
    c.endpoints("endpoint", where.endpoints)
    c.maybe("event = (SELECT seq FROM events WHERE id = ?)", where.event_id)
    c.maybe("(SELECT type FROM events WHERE seq = event) GLOB ?", where.type_pattern)
    c.among("last_cause", where.causes)
    c.within("last_status", where.statuses)
    if failures_only(where.statuses):
        c.add(_STATUS_OF_FAILURE)
    c.maybe("attempts >= ?", where.attempts_least)
    c.maybe("attempts <= ?", where.attempts_most)
    c.among("failure_group", where.groups)
    if where.groups:
        c.add("failure_group IS NOT NULL")
    c.maybe("created_at >= ?", where.since_ms)
    c.maybe("created_at < ?", where.until_ms)
    for text in where.texts:
        c.add(f"({_PAYLOAD_SAYS.format(event='event')} OR {_AN_ANSWER_SAYS})", text, text)
    if where.troubled or where.groups or where.states == (DeliveryState.FAILED,):
        c.add(TROUBLED)  # true of every failed one, and what makes the index on those usable
    return c


def of_attempts(where: AttemptFilter) -> Conditions:
    """Over `attempts`, unaliased columns."""
    c = Conditions()
    c.endpoints("endpoint", where.endpoints)
    c.maybe("delivery = ?", where.delivery_id)
    c.maybe(
        "delivery IN (SELECT id FROM deliveries WHERE event = (SELECT seq FROM events WHERE id = ?))", where.event_id
    )
    c.maybe(
        "(SELECT type FROM events WHERE seq = (SELECT event FROM deliveries WHERE id = delivery)) GLOB ?",
        where.type_pattern,
    )
    c.among("cause", where.causes)
    c.within("status", where.statuses)
    if failures_only(where.statuses):
        c.add("cause IS NOT NULL AND status IS NOT NULL")
    c.maybe("number >= ?", where.attempts_least)
    c.maybe("number <= ?", where.attempts_most)
    for text in where.texts:
        payload = _PAYLOAD_SAYS.format(event="(SELECT event FROM deliveries WHERE id = delivery)")
        c.add(f"({_ANSWER_SAYS.format(attempt='attempts.id')} OR {payload})", text, text)
    if where.failed_only:
        c.add("cause IS NOT NULL")
    if where.delivered_only:
        c.add("cause IS NULL AND ended_at IS NOT NULL")
    if where.ended_only:
        c.add("ended_at IS NOT NULL")
    c.maybe("started_at >= ?", where.since_ms)
    c.maybe("started_at < ?", where.until_ms)
    return c


def of_events(where: EventFilter) -> Conditions:
    """Over `events`."""
    c = Conditions()
    c.maybe("id = ?", where.event_id)
    c.maybe("type GLOB ?", where.type_pattern)
    c.maybe("accepted_at >= ?", where.since_ms)
    c.maybe("accepted_at < ?", where.until_ms)
    for text in where.texts:
        c.add("says(payload, ?)", text)
    return c


def failures_only(statuses: tuple[StatusRange, ...]) -> bool:
    """Whether no answer of such a status can be a success."""
    return bool(statuses) and all(each.high < 200 or each.low > 299 for each in statuses)


def causes_of(statuses: tuple[StatusRange, ...]) -> tuple[Cause, ...]:
    """Every cause that an answer of such a status can have, if it is a failure."""
    causes = [Cause.PROTOCOL]
    for low, high, of_these in ((300, 399, _OF_3XX), (400, 499, _OF_4XX), (500, 599, _OF_5XX)):
        if any(each.low <= high and each.high >= low for each in statuses):
            causes += of_these
    return tuple(causes)
