"""The filter options that lists and bulk actions share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from console.cli.parameters import CAUSE, ENDPOINT, EVENT_ID, FILTER, MOMENT, PATTERN, STATE
from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId, EventId
from console.domain.outcome import Cause
from console.domain.query import Query
from console.store import Store

R = TypeVar("R")
DEFAULT_LIMIT = 50
PAGE = 500
"""Rows read at once, however many are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFlags:
    """What was given; None or empty where nothing was."""

    states: tuple[DeliveryState, ...]
    endpoints: tuple[str, ...]
    event_id: EventId | None
    type_pattern: str | None
    causes: tuple[Cause, ...]
    since_ms: int | None
    until_ms: int | None
    query: Query | None = None
    """What --filter says."""

    @property
    def given(self) -> bool:
        return self != _NOTHING

    def resolve(self, store: Store) -> DeliveryFilter:
        """The filter, with endpoints looked up. Raises UnknownReferenceError, QueryError."""
        where = DeliveryFilter(
            states=self.states,
            endpoints=endpoint_ids(store, self.endpoints),
            event_id=self.event_id,
            type_pattern=self.type_pattern,
            causes=self.causes,
            since_ms=self.since_ms,
            until_ms=self.until_ms,
        )
        return where if self.query is None else self.query.deliveries(names_of(store), where)


_NOTHING = DeliveryFlags(
    states=(), endpoints=(), event_id=None, type_pattern=None, causes=(), since_ms=None, until_ms=None
)


def names_of(store: Store) -> dict[EndpointId, str]:
    """The names of endpoints, as a filter needs them."""
    return {endpoint.id: endpoint.name for endpoint in store.endpoints()}


def endpoint_ids(store: Store, references: tuple[str, ...]) -> tuple[EndpointId, ...]:
    """The endpoints meant. Raises UnknownReferenceError."""
    return tuple(dict.fromkeys(store.find_endpoint(reference).id for reference in references))


ENDPOINTS = click.option(
    "--endpoint", "endpoints", type=ENDPOINT, multiple=True, metavar="REF", help="Of this endpoint. Repeatable."
)
TYPE = click.option("--type", "type_pattern", type=PATTERN, metavar="PATTERN", help="Of this event type: invoice.*")
EVENT = click.option("--event", "event_id", type=EVENT_ID, metavar="ID", help="Of this event.")
CAUSES = click.option(
    "--cause",
    "causes",
    type=CAUSE,
    multiple=True,
    metavar="CAUSE",
    help=f"With this cause: {', '.join(Cause)}. Repeatable.",
)
SINCE = click.option("--since", "since_ms", type=MOMENT, metavar="WHEN", help="From then on: 2h (ago) or an ISO time.")
UNTIL = click.option("--until", "until_ms", type=MOMENT, metavar="WHEN", help="Before then.")
FILTER_LINE = click.option(
    "--filter",
    "query",
    type=FILTER,
    metavar="TEXT",
    help="A filter in one line, as the console has it: 'endpoint:crm status:5xx since:2h text:\"card declined\"'.",
)
LIMIT = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="At most so many, the newest first.",
)
_STATES = click.option("--state", "states", type=STATE, multiple=True, help="In this state. Repeatable.")
_OPTIONS = (FILTER_LINE, _STATES, ENDPOINTS, EVENT, TYPE, CAUSES, SINCE, UNTIL)


def delivery_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the filters of deliveries to a command, which takes them as one `flags`."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        flags = DeliveryFlags(
            states=tuple(dict.fromkeys(kwargs.pop("states"))),
            endpoints=kwargs.pop("endpoints"),
            event_id=kwargs.pop("event_id"),
            type_pattern=kwargs.pop("type_pattern"),
            causes=tuple(dict.fromkeys(kwargs.pop("causes"))),
            since_ms=kwargs.pop("since_ms"),
            until_ms=kwargs.pop("until_ms"),
            query=kwargs.pop("query"),
        )
        return command(*args, flags=flags, **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected
