"""Filters of the domain as SQL conditions with bound parameters."""

import json

from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, DeliveryFilter, EventFilter
from console.store.sqlite.schema import TROUBLED


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
    c.maybe("created_at >= ?", where.since_ms)
    c.maybe("created_at < ?", where.until_ms)
    if where.troubled or where.states == (DeliveryState.FAILED,):
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
    if where.failed_only:
        c.add("cause IS NOT NULL")
    if where.ended_only:
        c.add("ended_at IS NOT NULL")
    c.maybe("started_at >= ?", where.since_ms)
    c.maybe("started_at < ?", where.until_ms)
    return c


def of_events(where: EventFilter) -> Conditions:
    """Over `events`."""
    c = Conditions()
    c.maybe("type GLOB ?", where.type_pattern)
    c.maybe("accepted_at >= ?", where.since_ms)
    c.maybe("accepted_at < ?", where.until_ms)
    return c
