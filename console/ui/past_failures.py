"""The failures of a moment of the past: deliveries whose last try by then had failed, whatever became of them since."""

from collections.abc import Callable
from dataclasses import dataclass

from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import AttemptId
from console.domain.moment import Moment
from console.store import Store
from console.ui.failure_search import FailureSearch, Piece

PAGE = 500
"""Failed attempts looked at in one read."""


@dataclass(slots=True, kw_only=True)
class PastSearch(FailureSearch):
    """One filter's list at a moment; of a range, what failed in it. `reached` is an attempt, the newest come first."""

    moment: Moment

    def begin(self, limit: int, *, from_top: bool) -> Callable[[Store], Piece]:
        """Read from the top. The past does not change, so there is never anything newer."""
        where, moment = self.where, self.moment
        return lambda store: _piece(store, where, moment, before=None)

    def go_on(self, limit: int) -> Callable[[Store], Piece]:
        """Read on below what was reached."""
        where, moment = self.where, self.moment
        before = AttemptId(self.reached) if self.reached is not None else None
        return lambda store: _piece(store, where, moment, before=before)

    def take_top(self, piece: Piece) -> None:
        """What `begin` brought is all there is so far."""
        self.rows, self.reached, self.done, self.at_ms = list(piece.rows), piece.reached, piece.done, piece.at_ms


def _piece(store: Store, where: DeliveryFilter, moment: Moment, *, before: AttemptId | None) -> Piece:
    tried = AttemptFilter(
        endpoints=where.endpoints,
        event_id=where.event_id,
        type_pattern=where.type_pattern,
        causes=where.causes,
        statuses=where.statuses,
        attempts_least=where.attempts_least,
        attempts_most=where.attempts_most,
        texts=where.texts,
        failed_only=True,
        since_ms=moment.since_ms,
        until_ms=moment.until_ms,
    )
    page = store.attempts(tried, AttemptPage(limit=PAGE, before=before))
    then = store.deliveries_at(list({attempt.delivery_id for attempt in page}), moment.at_ms)
    rows = tuple(
        delivery
        for attempt in reversed(page)
        if (found := then.get(attempt.delivery_id)) is not None
        and found[0] == attempt.id
        and _matches(delivery := found[1], where)
    )
    return Piece(
        rows=rows,
        reached=page[0].id if page else 0,
        done=len(page) < PAGE,
        at_ms=_begun_ms(page),
    )


def _begun_ms(page: list[Attempt]) -> int | None:
    return page[0].started_at_ms if page else None


def _matches(delivery: Delivery, where: DeliveryFilter) -> bool:
    """What attempts cannot be asked for. States are those of then."""
    if where.ids and delivery.id not in where.ids:
        return False
    if where.groups and delivery.failure_group not in where.groups:
        return False
    if where.since_ms is not None and delivery.created_at_ms < where.since_ms:
        return False
    if where.until_ms is not None and delivery.created_at_ms >= where.until_ms:
        return False
    return delivery.state in where.states if where.states else delivery.state is not DeliveryState.CANCELLED
