"""Lists in pages: what is asked for, and the mark from which the next page goes on."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeVar

from litestar.params import QueryParameter

from console.domain.ids import EndpointId
from console.domain.query import Query, parse_query
from console.domain.searching import Found
from console.intake.problems import Fault, Problem
from console.intake.shapes import Page
from console.store.protocol import Store

R = TypeVar("R")
S = TypeVar("S")

LIMIT_MOST = 500
BUDGET_MS = 500.0
"""So long is looked for rows of one page."""

Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MOST, description="At most so many.")]
Cursor = Annotated[str | None, QueryParameter(max_length=200, description="`next` of the page before.")]
Filter = Annotated[
    str | None,
    QueryParameter(
        max_length=4000,
        description="A line of the filter language: `endpoint:crm state:failed cause:timeout_read status:5xx since:2h`",
    ),
]

Kind = Literal["event", "delivery", "attempt", "operation", "endpoint"]


def cursor_of(kind: Kind, mark: str | int) -> str:
    """Opaque to who gets it."""
    return base64.urlsafe_b64encode(f"{kind}:{mark}".encode()).decode().rstrip("=")


def mark_of(kind: Kind, cursor: str | None) -> str | None:
    """What `cursor_of` was given; None: the list begins. Raises Problem."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    name, colon, mark = text.partition(":")
    if name != kind or not colon or not mark:
        raise _no_cursor()
    return mark


def number_of(kind: Kind, cursor: str | None) -> int | None:
    """The same, for lists that are ordered by numbers."""
    mark = mark_of(kind, cursor)
    if mark is None:
        return None
    if not (mark.isascii() and mark.isdigit() and len(mark) < 19):
        raise _no_cursor()
    return int(mark)


def _no_cursor() -> Problem:
    said = "cursor: it is none of this list's; take `next` of a page as it is"
    return Problem(400, said, errors=[Fault(field="cursor", reason=said)])


def found_page(kind: Kind, found: Found[R], limit: int, shape: Callable[[R], S]) -> Page[S]:
    """What was found, newest first."""
    full = len(found.rows) >= limit
    return Page(
        data=[shape(row) for row in found.rows],
        next=None if found.done else cursor_of(kind, found.reached),
        complete=found.done or full,
    )


def query_of(text: str | None, now_ms: int) -> Query:
    """A filter that was read. Raises QueryError."""
    return parse_query(text or "", now_ms=now_ms)


def names_of(store: Store) -> Mapping[EndpointId, str]:
    """The names of endpoints, as a filter needs them."""
    return {endpoint.id: endpoint.name for endpoint in store.endpoints()}
