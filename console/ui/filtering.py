"""What the screens of one console share of filters: what was typed, what is saved, and which words there are."""

from collections.abc import Iterable, Mapping
from typing import Any

from textual.screen import Screen

from console.domain.endpoint import Endpoint
from console.domain.errors import ConfigError, ConsoleError
from console.domain.ids import EndpointId
from console.domain.query import Query, keys_of, parse_query
from console.domain.query_complete import Vocabulary
from console.domain.query_rows import ENDPOINT_KEYS, ENDPOINT_STATES
from console.domain.query_text import check_saved_name
from console.saved_filters import SavedFilters

MOST_REMEMBERED = 50

TAIL_STATES = {"failed": "", "delivered": ""}


class FilterDesk:
    """One for all screens."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.history: list[str] = []
        """What was kept in this session, the newest last."""
        self.saved: Mapping[str, str] = {}
        """As it was last read."""
        self._file = SavedFilters(environ)
        self.trouble: ConfigError | None = None
        """Why the saved ones could not be read."""
        self.read_saved()

    def read_saved(self) -> None:
        """Another console, or an editor, may have changed the file."""
        try:
            self.saved, self.trouble = self._file.read(), None
        except ConfigError as error:
            self.trouble = error

    def parse(self, text: str, now_ms: int) -> Query:
        """A filter as it was typed. Raises QueryError."""
        return parse_query(text, now_ms=now_ms, saved=self.saved)

    def remember(self, text: str) -> None:
        """Keep what was typed for this session."""
        text = text.strip()
        if text:
            self.history[:] = [*(one for one in self.history if one != text), text][-MOST_REMEMBERED:]

    def words(self, kind: str, endpoints: Iterable[Endpoint], types: Iterable[str] = ()) -> Vocabulary:
        """What completion offers on a list of `deliveries`, `attempts` or `endpoints`."""
        known = list(endpoints)
        names = [endpoint.name for endpoint in known]
        if kind == "endpoints":
            return Vocabulary(keys=ENDPOINT_KEYS, endpoints=names, states=ENDPOINT_STATES, saved=self.saved)
        patterns = [pattern for endpoint in known for pattern in endpoint.types if pattern != "*"]
        keys, all_types = keys_of(kind), sorted({*types, *patterns})
        if kind == "attempts":
            return Vocabulary(keys=keys, endpoints=names, types=all_types, states=TAIL_STATES, saved=self.saved)
        return Vocabulary(keys=keys, endpoints=names, types=all_types, saved=self.saved)

    async def save_from(self, screen: Screen[Any], text: str) -> None:
        """Ask for a name, and keep a filter under it; the bar of the screen that asked offers it from then on."""
        from console.ui.steering import complain, say
        from console.ui.widgets.confirm import PromptScreen
        from console.ui.widgets.filter_bar import FilterBar

        body = [
            text,
            "",
            "@NAME stands for it in every filter, here and in --filter. A name that is there is replaced.",
        ]
        question = PromptScreen("Save this filter under which name?", body, required=True, check=check_saved_name)
        name = await screen.app.push_screen_wait(question)
        if name is None:
            return
        try:
            self._file.save(name, text)
        except ConsoleError as error:
            complain(screen.app, error)
            return
        self.read_saved()
        say(screen.app, f"@{name} is saved")
        for bar in screen.query(FilterBar):
            bar.offer(self.saved)


def names_of(endpoints: Iterable[Endpoint]) -> dict[EndpointId, str]:
    """The names of endpoints, as a filter needs them."""
    return {endpoint.id: endpoint.name for endpoint in endpoints}
