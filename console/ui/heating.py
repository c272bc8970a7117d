"""How hot each endpoint of home's list ran: a strip of its errors over the window, read seldom, and where it shows."""

from typing import TYPE_CHECKING

from console.domain.errors import ConsoleError
from console.domain.ids import EndpointId
from console.domain.moment import Moment
from console.domain.rates import Window
from console.store import Store
from console.ui.chart_reading import heat_of
from console.ui.widgets.endpoint_table import HEAT_CELLS, HEAT_FROM
from console.ui.widgets.heat import heat_strip

if TYPE_CHECKING:
    from console.ui.app import ConsoleApp

READ_EVERY_S = 5.0
SHARE_OF_TIME = 0.02
"""Reading takes at most this share of the time."""


class HeatStrips:
    """Strips by endpoint. `look` is called whenever home shows its list, and reads when it is time."""

    def __init__(self, app: "ConsoleApp") -> None:
        self._app = app
        self._strips: dict[EndpointId, str] = {}
        self._asked: tuple[Window, Moment | None] | None = None
        self._next_s = float("-inf")

    def of(self, endpoint: EndpointId) -> str:
        """The strip of an endpoint; empty before it was read, and where there is no room for it."""
        return self._strips.get(endpoint, "")

    def look(self, width: int) -> None:
        """Read anew when it is time, or when another window or moment is shown."""
        app = self._app
        asked, now_s = (app.window, app.moment), app.session.clock.monotonic_s()
        if width < HEAT_FROM or (asked == self._asked and (now_s < self._next_s or app.moment is not None)):
            return
        self._asked, self._next_s = asked, now_s + READ_EVERY_S
        app.run_worker(self._read(), group="heat", exclusive=True)

    async def _read(self) -> None:
        app = self._app
        window, moment, now_ms = app.window, app.moment, app.now_ms
        begun_s = app.session.clock.monotonic_s()

        def read(store: Store) -> dict[EndpointId, str]:
            shares = heat_of(store, window, most=HEAT_CELLS + 1, moment=moment, now_ms=now_ms)
            return {id_: heat_strip(parts, HEAT_CELLS) for id_, parts in shares.items()}

        try:
            self._strips = await app.session.read(read, group="heat")
        except ConsoleError:
            return  # the feed says what is wrong
        cost_s = app.session.clock.monotonic_s() - begun_s
        self._next_s = max(self._next_s, begun_s + cost_s / SHARE_OF_TIME)
