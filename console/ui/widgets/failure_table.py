"""Deliveries that failed or wait for another try, newest first, read page by page."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from console.domain.delivery import Delivery, DeliveryState
from console.domain.ids import DeliveryId
from console.ui import format as fmt
from console.ui.widgets.ages import brief_age, brief_countdown
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import RowSource
from console.ui.widgets.vocabulary import Cell, delivery_mark, with_status

PAGE = 500
"""Deliveries read at once."""

AHEAD = 100
"""The next page is asked for when so few rows are left below the screen."""

COLUMNS = (
    Column(key="endpoint", title="ENDPOINT", width=14, flex=3),
    Column(key="type", title="EVENT TYPE", width=15, flex=3),
    Column(key="event", title="EVENT ID", width=16, flex=2, priority=1),
    Column(key="cause", title="CAUSE", width=15, flex=1),
    Column(key="tries", title="TRIES", width=5, align="right"),
    Column(key="state", title="STATE", width=10),
    Column(key="next", title="NEXT", width=4, align="right"),
    Column(key="age", title="AGE", width=4, align="right"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """A delivery, and its times as they are shown. Rows that are equal look alike."""

    delivery: Delivery
    next_try: str
    age: str


def make_row(delivery: Delivery, now_ms: int) -> FailureRow:
    """A delivery as its row shows it at a moment."""
    pending = delivery.state is DeliveryState.PENDING and not delivery.held
    return FailureRow(
        delivery=delivery,
        next_try=brief_countdown(now_ms, delivery.next_attempt_at_ms if pending else None),
        age=brief_age(now_ms, delivery.created_at_ms),
    )


def render_failure(row: FailureRow, key: str) -> Cell:
    """The text of one cell, and what it means."""
    delivery = row.delivery
    match key:
        case "endpoint":
            return delivery.endpoint_name, "normal"
        case "type":
            return delivery.event_type, "normal"
        case "event":
            return delivery.event_id, "muted"
        case "cause":
            return with_status(
                delivery.last_status, delivery.last_cause
            ) or fmt.ABSENT, "error" if delivery.last_cause else "muted"
        case "tries":
            return f"{delivery.attempts}/{delivery.schedule_length}", "normal"
        case "state":
            return delivery_mark(delivery)
        case "next":
            return row.next_try, "muted"
        case _:
            return row.age, "muted"


class PagedFailures(RowSource[FailureRow]):
    """The pages that are loaded. `more` is called when the next one is wanted, once until it came."""

    def __init__(self, more: Callable[[], object]) -> None:
        self.deliveries: list[Delivery] = []
        self.complete = True
        self.now_ms = 0
        self._more = more
        self._asked = False
        self._index: dict[Hashable, int] = {}

    def replace(self, deliveries: Sequence[Delivery], *, complete: bool) -> None:
        """Other rows; `complete`: no more follow."""
        self.deliveries, self.complete, self._asked = list(deliveries), complete, False
        self._index = {delivery.id: index for index, delivery in enumerate(self.deliveries)}

    @property
    def first(self) -> DeliveryId | None:
        return self.deliveries[0].id if self.deliveries else None

    @property
    def last(self) -> DeliveryId | None:
        return self.deliveries[-1].id if self.deliveries else None

    @property
    def count(self) -> int:
        return len(self.deliveries)

    def row(self, index: int) -> FailureRow | None:
        return make_row(self.deliveries[index], self.now_ms)

    def want(self, first: int, last: int) -> None:
        if not self.complete and not self._asked and last >= self.count - AHEAD:
            self._asked = True
            self._more()

    def index_of(self, key: Hashable) -> int | None:
        return self._index.get(key)


class FailureTable(LineTable[FailureRow]):
    """Failures. Its keys ask for retries; the owner does them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry", id="failures.retry"),
        Binding("R", "retry_all", "Retry all", id="failures.retry-all"),
        Binding("d", "give_up", "Cancel", id="failures.cancel"),
    ]

    class RetryRequested(Message):
        """Try these again."""

        def __init__(self, ids: tuple[DeliveryId, ...]) -> None:
            super().__init__()
            self.ids = ids

    class RetryAllRequested(Message):
        """Try all that match the filter again."""

    class CancelRequested(Message):
        """Give these up."""

        def __init__(self, ids: tuple[DeliveryId, ...]) -> None:
            super().__init__()
            self.ids = ids

    class MoreWanted(Message):
        """The end of what is loaded comes near."""

    def __init__(self, *, id: str | None = None) -> None:
        self.pages = PagedFailures(lambda: self.post_message(self.MoreWanted()))
        super().__init__(
            COLUMNS,
            source=self.pages,
            row_key=lambda row: row.delivery.id,
            render_cell=render_failure,
            empty="reading the store …",
            id=id,
        )

    def show(self, deliveries: Sequence[Delivery], *, complete: bool, now_ms: int) -> None:
        """Show these; when they are the same ones, only the lines that differ are painted again."""
        before = [self.pages.row(index) for index in self._visible()]
        same = [d.id for d in self.pages.deliveries] == [d.id for d in deliveries]
        self.pages.replace(deliveries, complete=complete)
        self.pages.now_ms = now_ms
        if same:
            self._repaint(before)
            return
        at_top = self.cursor == 0
        self.rows_changed()
        if at_top:
            # The newest row is what is looked at there, not the one that was newest before.
            self.move_cursor(0)

    def tick(self, now_ms: int) -> None:
        """Time went on."""
        before = [self.pages.row(index) for index in self._visible()]
        self.pages.now_ms = now_ms
        self._repaint(before)

    def _visible(self) -> range:
        return range(self.first_visible, self.last_visible + 1)

    def _repaint(self, before: Sequence[FailureRow | None]) -> None:
        for index, row in zip(self._visible(), before, strict=True):
            if self.pages.row(index) != row:
                self.refresh_index(index)

    @property
    def chosen(self) -> tuple[DeliveryId, ...]:
        """The marked deliveries, else the one under the cursor."""
        if self.marks:
            return tuple(DeliveryId(key) for key in self.marks if isinstance(key, int))
        return (self.current.delivery.id,) if self.current else ()

    def action_retry(self) -> None:
        if self.chosen:
            self.post_message(self.RetryRequested(self.chosen))

    def action_retry_all(self) -> None:
        self.post_message(self.RetryAllRequested())

    def action_give_up(self) -> None:
        if self.chosen:
            self.post_message(self.CancelRequested(self.chosen))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("retry", "retry_all", "give_up") and getattr(self.app, "read_only", False):
            return False
        return super().check_action(action, parameters)
