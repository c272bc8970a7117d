"""The filters of home's two panes: what they ask for, over rows that are in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.delivery import Attempt
from console.domain.endpoint import Endpoint
from console.domain.errors import QueryError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId, EndpointId
from console.domain.query import format_query
from console.domain.query_rows import EndpointQuery, attempt_matches, endpoint_query
from console.store import Store
from console.ui.filtering import names_of

if TYPE_CHECKING:
    from console.ui.filtering import FilterDesk

BUDGET_MS = 80.0
PLACEHOLDERS = {
    "endpoints": "words of names and URLs, state:paused",
    "tail": 'crm 5xx -cause:dns type:invoice.* text:"card declined"',
}


class PaneFilters:
    """What is asked of the endpoints and of the tail. A filter that cannot be read leaves what was asked before: names
    that it needs may not be known yet."""

    def __init__(self, desk: "FilterDesk") -> None:
        self._desk = desk
        self._texts = {"endpoints": "", "tail": ""}
        self._endpoints = EndpointQuery(())
        self._tail: AttemptFilter | None = None
        self._names: dict[EndpointId, str] = {}
        self._said: set[AttemptId] = set()
        """Attempts in which all the texts are."""

    def ask(self, pane: str, text: str, now_ms: int) -> None:
        """Ask for something else."""
        self._texts[pane] = text
        try:
            if pane == "endpoints":
                self._endpoints = endpoint_query(self._desk.parse(text, now_ms))
            else:
                self._tail = self._desk.parse(text, now_ms).attempts(self._names) if text.strip() else None
                self._said.clear()
        except QueryError:
            return

    def know(self, endpoints: Iterable[Endpoint], now_ms: int) -> bool:
        """These are the endpoints now. Returns whether the tail asks for something else since."""
        names, before = names_of(endpoints), self._tail
        if names == self._names:
            return False
        self._names = names
        if self._texts["tail"]:
            self.ask("tail", self._texts["tail"], now_ms)
        return self._tail != before

    def understood(self, pane: str, text: str, now_ms: int) -> str:
        """What a text asks of a pane, in its own words. Raises QueryError."""
        query = self._desk.parse(text, now_ms)
        if pane == "endpoints":
            endpoint_query(query)
            return ""
        return format_query(query.attempts(self._names), self._names)

    def has_endpoint(self, endpoint: Endpoint) -> bool:
        """Whether it is asked for."""
        return self._endpoints.matches(endpoint)

    @property
    def attempts(self) -> AttemptFilter:
        """What is asked of the tail."""
        return self._tail or AttemptFilter()

    @property
    def wanted(self) -> Callable[[Attempt], bool] | None:
        """Whether an attempt is asked for; None: all are."""
        where = self._tail
        if where is None:
            return None
        if not where.texts:
            return lambda attempt: attempt_matches(where, attempt)
        return lambda attempt: attempt.id in self._said and attempt_matches(where, attempt)

    def question(self, attempts: Sequence[Attempt]) -> Callable[[Store], set[AttemptId]] | None:
        """What only the store can tell of these: in which of them the texts are. None: nothing is to be asked."""
        where = self._tail
        if where is None or not where.texts:
            return None
        asked = [attempt.id for attempt in attempts if attempt_matches(where, attempt)]
        if not asked:
            return None
        said = AttemptFilter(texts=where.texts, endpoints=where.endpoints)
        return lambda store: _said_in(store, said, min(asked), max(asked))

    def learn(self, said: set[AttemptId]) -> None:
        """The answer: in these they are."""
        if self._tail is not None and self._tail.texts:
            self._said |= said


def _said_in(store: Store, where: AttemptFilter, first: AttemptId, last: AttemptId) -> set[AttemptId]:
    found: set[AttemptId] = set()
    page = AttemptPage(limit=last - first + 1, after=AttemptId(first - 1), before=AttemptId(last + 1))
    while True:
        piece = store.find_attempts(where, page, budget_ms=BUDGET_MS)
        found |= {attempt.id for attempt in piece.rows}
        if piece.done or piece.reached >= last:
            return found
        page = replace(page, after=AttemptId(piece.reached))
