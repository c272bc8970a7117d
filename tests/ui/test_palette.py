"""The palette: one registry of keys and names, ids that open, and no text parsed as markup."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.theme import Theme

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.ids import EventId
from console.domain.rates import Window
from console.ui.palette import ConsoleCommands, commands_by_id, commands_of_endpoints, commands_of_keys
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.operations import OperationsScreen
from console.ui.widgets.confirm import ConfirmScreen, FieldsScreen, PromptScreen
from tests.ui.inspected import Host, Scene, assert_nothing_raw, make_scene, seen_on, until


class PaletteHost(Host):
    """As the console's app: a palette, and what it may ask for."""

    COMMANDS = {ConsoleCommands}  # noqa: RUF012 - as App declares it
    BINDINGS = [Binding("F", "open_failures", "Failures", id="test.failures")]  # noqa: RUF012 - as App declares it
    opened: str = ""
    window: str = ""

    def action_open_failures(self) -> None:
        self.opened = "failures"

    def action_open_alerts(self) -> None:
        self.opened = "alerts"

    def choose_window(self, window: Window) -> None:
        self.window = window.label


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = make_scene(tmp_path)
    yield scene
    scene.store.close()


@pytest.fixture
def app(scene: Scene) -> PaletteHost:
    return PaletteHost(scene.path, scene.clock)


async def choose(pilot: Pilot[None], query: str, first: str) -> None:
    """Type into the palette, and take the first command once it is `first`."""
    app: App[None] = pilot.app
    app.action_command_palette()
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    await pilot.press(*query)
    await until(pilot, lambda: first in seen_on(app))
    assert_nothing_raw(app)
    await pilot.press("enter")
    await until(pilot, lambda: not isinstance(app.screen, CommandPalette))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_it_lists_the_keys_of_this_place(app: PaletteHost, scene: Scene, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await app.push_screen(InspectorScreen(scene.at_crm))
        await until(pilot, lambda: "Attempt 2 of 2" in seen_on(app))
        app.action_command_palette()
        await until(pilot, lambda: "What its transform makes of this event  M" in seen_on(app))
        assert "Next pane  Tab" in seen_on(app)
        assert_nothing_raw(app)


async def test_a_key_runs_where_it_belongs(app: PaletteHost, scene: Scene) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(InspectorScreen(scene.at_crm))
        await until(pilot, lambda: "Attempt 2 of 2" in seen_on(app))
        await choose(pilot, "retry", "Retry this delivery  r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: scene.store.delivery(scene.at_crm).manual)


async def test_a_key_is_listed_once(app: PaletteHost, scene: Scene) -> None:
    async with app.run_test() as pilot:
        await app.push_screen(InspectorScreen(scene.at_crm))
        await until(pilot, lambda: "Attempt 2 of 2" in seen_on(app))
        titles = [command.title for command in commands_of_keys(app.screen)]
        assert len(titles) == len(set(titles))
        assert {"Retry this delivery", "Failures", "Down"} <= set(titles)
        down = next(command for command in commands_of_keys(app.screen) if command.title == "Down")
        assert down.aside
        assert set(down.key.split()) == {"j", "↓"}


async def test_screens_windows_and_themes(app: PaletteHost) -> None:
    app.register_theme(Theme(name="console-dawn", primary="#336699"))
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "dawn", "Theme: dawn")
        await until(pilot, lambda: app.theme == "console-dawn")
        await choose(pilot, "open failures", "Open failures")
        await until(pilot, lambda: app.opened == "failures")
        await choose(pilot, "open alerts", "Open alerts")
        await until(pilot, lambda: app.opened == "alerts")
        await choose(pilot, "last 15m", "Rates of the last 15m")
        await until(pilot, lambda: app.window == "15m")
        await choose(pilot, "open operations", "Open operations")
        await until(pilot, lambda: isinstance(app.screen, OperationsScreen))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_endpoint_is_paused_and_resumed_by_name(app: PaletteHost, scene: Scene, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await choose(pilot, "pause endpoint mail", "Pause endpoint mail[bold]")
        await until(pilot, lambda: isinstance(app.screen, FieldsScreen))
        await pilot.press(*"late", "enter")
        await until(pilot, lambda: scene.store.find_endpoint("mail[bold]").state is EndpointState.PAUSED)
        await choose(pilot, "resume endpoint mail", "Resume endpoint mail[bold]")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press("enter")
        await until(pilot, lambda: scene.store.find_endpoint("mail[bold]").state is EndpointState.ACTIVE)


async def test_a_test_event_is_sent_after_asking(app: PaletteHost, scene: Scene) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "test event to leads", "Send a test event to leads")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        where = DeliveryFilter(endpoints=(scene.leads.id,), states=(DeliveryState.PENDING,))
        await until(pilot, lambda: scene.store.deliveries(where, limit=1))


@pytest.mark.parametrize(
    ("typed", "title", "delivery"),
    [
        ("evt_scene", "Open event evt_scene", "dlv_000001"),
        ("dlv_000001", "Open delivery dlv_000001", "dlv_000001"),
        ("att_000002", "Open attempt att_000002", "dlv_000001"),
    ],
)
async def test_an_id_opens_the_inspector(app: PaletteHost, scene: Scene, typed: str, title: str, delivery: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, typed, title)
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen) and delivery in seen_on(app))
        if typed == "att_000002":
            await until(pilot, lambda: "Attempt 1 of 2" in seen_on(app))


async def test_an_id_that_leads_nowhere_says_so(app: PaletteHost, scene: Scene) -> None:
    scene.store.remove_endpoint(scene.mail.id, scene.clock.now_ms())
    scene.store.remove_endpoint(scene.crm.id, scene.clock.now_ms())
    scene.store.accept([NewEvent(type="order.new", payload=b"{}", id=EventId("evt_unwanted"))], scene.clock.now_ms())
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, "evt_nobody", "Open event evt_nobody")
        await until(pilot, lambda: len(app.said) == 1)
        await choose(pilot, "evt_unwanted", "Open event evt_unwanted")
        await until(pilot, lambda: len(app.said) == 2)
        assert "owed to no endpoint" in app.said[1]
        await choose(pilot, "dlv_zzzzzz", "Open delivery dlv_zzzzzz")
        await until(pilot, lambda: len(app.said) == 3)


async def test_half_an_id_offers_nothing(app: PaletteHost) -> None:
    async with app.run_test():
        for text in ("dlv_", "att_!", "evt_a.b", "crm", ""):
            assert list(commands_by_id(app, text)) == []


async def test_read_only_offers_nothing_that_changes(scene: Scene) -> None:
    app = PaletteHost(scene.path, scene.clock, read_only=True)
    async with app.run_test():
        assert list(commands_of_endpoints(app, [scene.crm])) == []
