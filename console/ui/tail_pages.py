"""Pages of the tail, read from the store: older attempts, newer ones, the first, the newest, and what a count holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from console.domain.delivery import Attempt
from console.domain.errors import ConsoleError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId
from console.domain.searching import Found
from console.store import Store
from console.ui.session import ReadInterruptedError, Session
from console.ui.widgets.attempt_tail import AttemptTail, PageKind
from console.ui.widgets.tail_model import OPENED, Folded

PAGE = 200
"""Attempts of a page."""

BUDGET_MS = 60.0
"""How long one read may take: a filter that finds little is gone on with, and the way to the store is free between."""

GROUP = "tail-pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Where a page begins: below `before`, or above `after`; neither: at the newest."""

    before: AttemptId | None = None
    after: AttemptId | None = None


async def bring_page(
    session: Session,
    tail: AttemptTail,
    kind: PageKind,
    where: AttemptFilter,
    learn: Callable[[set[AttemptId]], object],
) -> None:
    """Read the page that a tail asked for, and hand it over; nothing when another has taken its place.

    Args:
        learn: told which attempts match all that was asked for, before they are handed over.

    Raises StoreError.
    """
    model = tail.model
    span = {
        "older": _Span(before=model.oldest_id),
        "newer": _Span(after=model.newest_id),
        "first": _Span(after=AttemptId(0)),
        "newest": _Span(),
    }[kind]
    try:
        rows, reached, done = await _read(session, where, span)
    except ReadInterruptedError:
        return
    except ConsoleError:
        tail.page_failed(kind)
        raise
    learn({row.id for row in rows})
    tail.page_came(kind, rows, reached=reached, done=done)


def _find(where: AttemptFilter, page: AttemptPage, store: Store) -> Found[Attempt]:
    return store.find_attempts(where, page, budget_ms=BUDGET_MS)


async def _read(session: Session, where: AttemptFilter, span: _Span) -> tuple[list[Attempt], AttemptId | None, bool]:
    """A page, however far one must look for it; how far one had to, and whether nothing lies beyond."""
    rows: list[Attempt] = []
    reached: AttemptId | None = None
    while True:
        page = AttemptPage(limit=PAGE - len(rows), before=span.before, after=span.after)
        found = await session.read(partial(_find, where, page), group=GROUP)
        upwards = span.after is not None
        rows = [*rows, *found.rows] if upwards else [*found.rows, *rows]
        if found.reached:
            reached = AttemptId(found.reached)
        if found.done or len(rows) >= PAGE or not found.reached:
            return rows, reached, found.done
        span = _Span(after=reached) if upwards else _Span(before=reached)


async def bring_fold(session: Session, tail: AttemptTail, fold: Folded, where: AttemptFilter) -> None:
    """Read the attempts that a fold counts, and show them below it. Raises StoreError."""
    if not fold.skipped:
        second = fold.at_ms
        where = replace(where, delivered_only=True, since_ms=second, until_ms=second + 1000)
    page = AttemptPage(limit=OPENED, after=AttemptId(fold.first_id - 1))
    try:
        rows = await session.read(lambda store: store.attempts(where, page), group=GROUP)
    except ReadInterruptedError:
        return
    tail.open_fold(fold, [row for row in rows if row.id <= fold.last_id])
