"""The line under the endpoints that says when the current one's backlog is drained."""

from typing import TYPE_CHECKING

from textual.content import Content

from console.domain.errors import ConsoleError
from console.domain.ids import EndpointId
from console.operations.forecast import read_forecast
from console.ui.forecasting import forecast_line
from console.ui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from console.ui.screens.live_screen import LiveScreen
    from console.ui.widgets.endpoint_table import EndpointRow

EVERY_S = 5.0
"""How often the same endpoint's forecast is read again."""


class ForecastPane:
    """Reads for the endpoint that has the cursor, while something is pending at it, and fills the screen's line."""

    def __init__(self, screen: "LiveScreen", line_id: str) -> None:
        self._screen, self._line_id = screen, line_id
        self._shown: EndpointId | None = None
        self._read_at_s = float("-inf")

    def look(self, row: "EndpointRow | None") -> None:
        """This row is the current one, as it stands now. Of the past nothing is forecast."""
        console = self._screen.console
        if row is None or not row.pending or console.moment is not None:
            self._shown = None
            self._say("")
            return
        now_s = self._screen.clock.monotonic_s()
        if row.id == self._shown and now_s - self._read_at_s < EVERY_S:
            return
        if row.id != self._shown:
            self._say("")
        self._shown, self._read_at_s = row.id, now_s
        self._screen.run_worker(self._read(row.id), group="forecast", exclusive=True)

    async def _read(self, endpoint_id: EndpointId) -> None:
        console = self._screen.console
        endpoint, now_ms = console.endpoint(endpoint_id), console.now_ms
        if endpoint is None:
            return
        try:
            seen = await console.session.read(lambda store: read_forecast(store, endpoint, now_ms))
        except ConsoleError:
            return  # the feed says it
        if endpoint_id == self._shown:
            self._say(forecast_line(seen))

    def _say(self, words: str) -> None:
        line = self._screen.query_one(f"#{self._line_id}", TextLine)
        line.line = Content(f" ↳ {words}" if words else "")
        line.set_class(bool(words), "-said")
