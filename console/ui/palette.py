"""The command palette: the keys of this place, and what is reached by name or by id, in one list."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Matcher, Provider
from textual.content import Content
from textual.screen import Screen
from textual.style import Style

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.ids import AttemptId, DeliveryId, check_event_id, format_number, parse_number
from console.domain.rates import Window
from console.ui import endpoint_acts
from console.ui.format import inline
from console.ui.inspection import delivery_of_event
from console.ui.keys import key_name
from console.ui.pausing import pause_or_resume
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.operations import OperationsScreen
from console.ui.steering import complain, say, send_test_event, session_of
from console.ui.themes import PREFIX
from console.ui.widgets.header import SHOWN_WINDOWS

_ASIDE = ("lines.", "tree.", "table.", "app.window")
"""Bindings, by how their ids begin, that need no entry while nothing is searched."""


ABOVE_ALL = 1e9
"""A score no fuzzy match reaches: the id that was typed comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something that can be done here. `title` is clean text; `aside` commands are found only by searching."""

    title: str
    run: Callable[[], Any]
    key: str = ""
    aside: bool = False


class PaletteHost(Protocol):
    """What the palette may ask of an app, beside its session. Each is left out where the app has no such method."""

    def action_open_home(self) -> object: ...

    def action_open_failures(self) -> object: ...

    def action_open_operations(self) -> object: ...

    def action_open_alerts(self) -> object: ...

    def action_open_inbox(self) -> object: ...

    def choose_window(self, window: Window) -> object: ...


class ConsoleCommands(Provider):
    """Feeds Textual's palette. Nothing from outside is ever parsed as markup: every text is given as Content."""

    def __init__(self, screen: Screen[Any], match_style: Style | None = None) -> None:
        super().__init__(screen, match_style)
        self._reading: asyncio.Future[list[Endpoint]] | None = None

    async def discover(self) -> Hits:
        for command in self._commands(await self._endpoints()):
            if not command.aside:
                yield DiscoveryHit(_shown(command, Content(command.title)), command.run, text=command.title)

    async def search(self, query: str) -> Hits:
        for command in commands_by_id(self.app, query):
            yield Hit(ABOVE_ALL, Content(command.title), command.run, text=command.title)
        matcher = self.matcher(query)
        for command in self._commands(await self._endpoints()):
            score, highlighted = _highlight(matcher, command.title)
            if score > 0:
                yield Hit(score, _shown(command, highlighted), command.run, text=command.title)

    async def shutdown(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _endpoints(self) -> list[Endpoint]:
        """The endpoints, read once. Not in `startup`: a search that is given up for the next key cancels what it waits
        for, and Textual leaves out for good a provider whose startup was cancelled."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(_read_endpoints(self.app))
        return await asyncio.shield(self._reading)

    def _commands(self, endpoints: list[Endpoint]) -> Iterator[Command]:
        seen: set[str] = set()
        for group in (
            commands_of_keys(self.screen),
            commands_of_app(self.app),
            commands_of_endpoints(self.app, endpoints),
        ):
            for command in group:
                if command.title not in seen:
                    seen.add(command.title)
                    yield command


async def _read_endpoints(app: App[Any]) -> list[Endpoint]:
    """None of them when the store cannot be read: that leaves the other commands."""
    try:
        return await session_of(app).read(lambda store: store.endpoints())
    except ConsoleError as error:
        complain(app, error)
        return []


def commands_of_keys(screen: Screen[Any]) -> Iterator[Command]:
    """What the keys do here: of the screen, of what has the focus, and of the app."""
    found: dict[tuple[str, str], Command] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        # Bindings without an id are the library's own: scrolling, focus.
        if not binding.id or not binding.description or not active.enabled or binding.id == "app.commands":
            continue
        name = (binding.action, binding.description)
        known = found.get(name)
        found[name] = Command(
            title=inline(active.tooltip or binding.description),
            run=_runner(screen.app, binding.action, active.node),
            key=f"{known.key} {key_name(key)}" if known else key_name(key),
            aside=binding.id.startswith(_ASIDE),
        )
    yield from found.values()


def _runner(app: App[Any], action: str, node: Any) -> Callable[[], Any]:
    async def run() -> None:
        await app.run_action(action, node)

    return run


def commands_of_app(app: App[Any]) -> Iterator[Command]:
    """Where one can go, and what is set for the whole console."""
    host = cast(PaletteHost, app)
    if hasattr(app, "action_open_home"):
        yield Command(title="Open home", run=lambda: host.action_open_home())
    if hasattr(app, "action_open_failures"):
        yield Command(title="Open failures one by one", run=lambda: host.action_open_failures())
    yield Command(title="Open operations", run=_operations(app))
    if hasattr(app, "action_open_alerts"):
        yield Command(title="Open alerts", run=lambda: host.action_open_alerts())
    if hasattr(app, "action_open_inbox"):
        yield Command(title="Open the inbox", run=lambda: host.action_open_inbox())
    if hasattr(app, "choose_window"):
        for window in SHOWN_WINDOWS:
            yield Command(title=f"Rates of the last {window.label}", run=_window(host, window), aside=True)
    for theme in sorted(app.available_themes):
        if theme.startswith(PREFIX):
            yield Command(title=f"Theme: {inline(theme.removeprefix(PREFIX))}", run=_theme(app, theme))


def _operations(app: App[Any]) -> Callable[[], Any]:
    if hasattr(app, "action_open_operations"):
        return lambda: cast(PaletteHost, app).action_open_operations()
    return lambda: app.push_screen(OperationsScreen())


def _window(host: PaletteHost, window: Window) -> Callable[[], Any]:
    return lambda: host.choose_window(window)


def _theme(app: App[Any], name: str) -> Callable[[], None]:
    def choose() -> None:
        app.theme = name
        if hasattr(app, "memory"):
            app.memory.choose_theme(name)

    return choose


def commands_of_endpoints(app: App[Any], endpoints: list[Endpoint]) -> Iterator[Command]:
    """What is done to an endpoint, by its name, and to all."""
    if session_of(app).read_only:
        return
    for endpoint in endpoints:
        verb = "Pause" if endpoint.state is EndpointState.ACTIVE else "Resume"
        yield Command(title=f"{verb} endpoint {inline(endpoint.name)}", run=_asking(app, endpoint, pause_or_resume))
        title = f"Send a test event to {inline(endpoint.name)}"
        yield Command(title=title, run=_asking(app, endpoint, send_test_event), aside=True)
        for words, act in _ENDPOINT_ACTS:
            title = f"{words} {inline(endpoint.name)}"
            yield Command(title=title, run=_asking(app, endpoint, act), aside=True)
    if hasattr(app, "memory"):
        yield Command(title="Edit the defaults of all endpoints", run=_working(app, endpoint_acts.edit_defaults))
        yield Command(title="Add an endpoint", run=_working(app, endpoint_acts.add_endpoint), aside=True)


_ENDPOINT_ACTS: tuple[tuple[str, Callable[[App[Any], Endpoint], Any]], ...] = (
    ("Edit endpoint", endpoint_acts.edit_endpoint),
    ("Rotate the secret of", endpoint_acts.rotate),
    ("Remove endpoint", endpoint_acts.remove_endpoint),
)


def _working(app: App[Any], act: Callable[[App[Any]], Any]) -> Callable[[], Any]:
    def run() -> None:
        app.run_worker(act(app), group="form", exclusive=True, exit_on_error=False)

    return run


def _asking(app: App[Any], endpoint: Endpoint, ask: Callable[[App[Any], Endpoint], Any]) -> Callable[[], Any]:
    def run() -> None:
        # Waiting for an answer needs a worker.
        app.run_worker(ask(app, endpoint), group="steering", exclusive=True, exit_on_error=False)

    return run


def commands_by_id(app: App[Any], query: str) -> Iterator[Command]:
    """Open the event, delivery or attempt whose id was typed."""
    text = query.strip()
    try:
        if text.lower().startswith("dlv_"):
            delivery = DeliveryId(parse_number("dlv", text))
            yield _opening(
                app, f"Open delivery {format_number('dlv', delivery)}", lambda: _find_delivery(app, delivery)
            )
        elif text.lower().startswith("att_"):
            attempt = AttemptId(parse_number("att", text))
            yield _opening(app, f"Open attempt {format_number('att', attempt)}", lambda: _find_attempt(app, attempt))
        elif text.startswith("evt_"):
            check_event_id(text)
            yield _opening(app, f"Open event {inline(text)}", lambda: _find_event(app, text))
    except InvalidInputError:
        return  # not typed to its end yet


def _opening(app: App[Any], title: str, find: Callable[[], Any]) -> Command:
    async def open_it() -> None:
        try:
            found = await find()
        except ConsoleError as error:
            complain(app, error)
            return
        if found is not None:
            await app.push_screen(found)

    return Command(title=title, run=open_it)


async def _find_delivery(app: App[Any], number: DeliveryId) -> InspectorScreen:
    await session_of(app).read(lambda store: store.delivery(number))
    return InspectorScreen(number)


async def _find_attempt(app: App[Any], number: AttemptId) -> InspectorScreen:
    attempt = await session_of(app).read(lambda store: store.attempt(number))
    return InspectorScreen(attempt.delivery_id, attempt.id)


async def _find_event(app: App[Any], text: str) -> InspectorScreen | None:
    event_id = check_event_id(text)
    delivery = await session_of(app).read(lambda store: delivery_of_event(store, event_id))
    if delivery is None:
        say(app, f"{event_id} is owed to no endpoint: none wanted its type when it was accepted", warn=True)
        return None
    return InspectorScreen(delivery)


def _shown(command: Command, title: Content) -> Content:
    return Content.assemble(title, (f"  {command.key}", "dim")) if command.key else title


def _highlight(matcher: Matcher, text: str) -> tuple[float, Content]:
    """How well a text matches, and the text with what matched marked. Textual's own parses the text as markup."""
    score, offsets = matcher.fuzzy_search.match(matcher.query, text)
    content = Content(text)
    for offset in offsets if score else ():
        if not text[offset].isspace():
            content = content.stylize(matcher.match_style, offset, offset + 1)
    return score, content
