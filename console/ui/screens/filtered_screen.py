"""What screens of deliveries that can be filtered have in common: the line that is typed, and what it means."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from console.domain.ids import EndpointId
from console.ui.screens.live_screen import LiveScreen

if TYPE_CHECKING:
    from console.ui.widgets.filter_bar import FilterBar


class FilteredScreen(LiveScreen):
    """Subclasses show what matches another filter, and have a `_table`, which is focused when no more is typed."""

    PLACEHOLDER: ClassVar[str]

    def __init__(self, text: str = "") -> None:
        """`text`: a filter to begin with."""
        super().__init__()
        self._text = text
        self._busy = self._wrong = ""

    @property
    def warning(self) -> str:
        return self._busy or self._wrong

    @property
    def filter_text(self) -> str:
        """The filter, as it was typed."""
        return self._text

    @property
    def _table(self) -> Widget:
        raise NotImplementedError

    @property
    def _names(self) -> dict[EndpointId, str]:
        snapshot = self.console.snapshot
        return {e.id: e.name for e in snapshot.endpoints} if snapshot else {}

    @property
    def _seen_types(self) -> Iterable[str]:
        """Of events, to be offered besides those that endpoints want."""
        return ()

    async def action_filter(self) -> None:
        from console.ui.widgets.filter_bar import FilterBar

        if self.query(FilterBar):
            return
        desk, snapshot = self.console.filters, self.console.snapshot
        desk.read_saved()
        if desk.trouble is not None:
            self.console.complain(desk.trouble)
        bar = FilterBar(
            self._text,
            placeholder=self.PLACEHOLDER,
            check=self._understood,
            vocabulary=desk.words("deliveries", snapshot.endpoints if snapshot else (), self._seen_types),
            history=desk.history,
        )
        await self.mount(bar, before="KeyBar")

    def _understood(self, text: str) -> str:
        from console.domain.query import format_query

        query = self.console.filters.parse(text, self.console.now_ms)
        return format_query(query.deliveries(self._names), self._names)

    def show_filter(self, text: str) -> None:
        """Show what matches another filter."""
        raise NotImplementedError

    def on_filter_bar_changed(self, event: "FilterBar.Changed") -> None:
        self.show_filter(event.text)
        if event.closed:
            self.console.filters.remember(event.text)
            self._table.focus()

    def on_filter_bar_save_requested(self, event: "FilterBar.SaveRequested") -> None:
        self.run_worker(self.console.filters.save_from(self, event.text), group="save", exclusive=True)
