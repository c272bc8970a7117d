"""Every key of every screen: no two mean different things in one place, and none that is shown is dead."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.dom import DOMNode
from textual.pilot import Pilot

from console.domain.alerts import AlertKind, AlertSpec
from console.operations.endpoints import pause_endpoint
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.keys import keys_here
from console.ui.screens.alerts import AlertScreen, AlertsScreen
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.operations import OperationScreen, OperationsScreen
from console.ui.widgets.confirm import ConfirmScreen, PromptScreen
from console.ui.widgets.filter_bar import FilterBar
from tests.ui.conftest import MovableClock, until
from tests.ui.test_failures import fill

Make = Callable[..., ConsoleApp]

SHADOWED = {
    ("q", "back_or_quit"),  # goes back wherever there is something to go back from
    ("escape", "back"),  # leaves the range, or clears the filter that is being typed, first
}
"""Keys of ours that something nearer to the focus takes on purpose, with the action that then rests."""

PLACES: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "home": (HomeScreen, ()),
    "home, in the tail": (HomeScreen, ("tab",)),
    "home, narrowed": (HomeScreen, ("enter",)),
    "home, typing a filter": (FilterBar, ("slash",)),
    "failures": (FailuresScreen, ("F",)),
    "failures, in a range": (FailuresScreen, ("F", "v")),
    "retry preview": (ConfirmScreen, ("F", "r")),
    "pause prompt": (PromptScreen, ("p",)),
    "inspector": (InspectorScreen, ("F", "enter")),
    "inspector, exchange": (InspectorScreen, ("F", "enter", "tab")),
    "inspector, payload": (InspectorScreen, ("F", "enter", "tab", "tab")),
    "inspector, endpoints": (InspectorScreen, ("F", "enter", "tab", "tab", "tab")),
    "audit log": (OperationsScreen, ("a",)),
    "one act": (OperationScreen, ("a", "enter")),
    "alerts": (AlertsScreen, ("A",)),
    "one alert": (AlertScreen, ("A", "enter")),
    "mute prompt": (PromptScreen, ("A", "m")),
    "help": (HelpScreen, ("question_mark",)),
}


def has_rows(app: ConsoleApp) -> bool:
    """Whether what has the focus shows something. In the help nothing takes it."""
    focused = app.screen.focused
    return isinstance(app.screen, HelpScreen) or (focused is not None and getattr(focused, "line_count", 1) > 0)


async def go(pilot: Pilot[int], app: ConsoleApp, place: str) -> None:
    """Press the way to a place, waiting at each step until its rows are there."""
    where, keys = PLACES[place]
    await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
    await until(pilot, lambda: has_rows(app), "rows")
    for key in keys:
        await pilot.press(key)
        await until(pilot, lambda: has_rows(app), "rows")
    if where is FilterBar:
        await until(pilot, lambda: app.screen.query(FilterBar))
    else:
        await until(pilot, lambda: isinstance(app.screen, where), place)
    await pilot.pause()


def resolves(app: ConsoleApp, action: str, node: DOMNode) -> bool:
    """Whether the action names something that can be called."""
    target, name, _ = app._parse_action(action, node)
    return any(hasattr(target, prefix + name) for prefix in ("action_", "_action_"))


@pytest.mark.parametrize("place", PLACES)
async def test_every_key_that_is_shown_does_something(
    store: Store, clock: MovableClock, make_console: Make, place: str
) -> None:
    fill(store, clock)
    store.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED))
    pause_endpoint(store, store.find_endpoint("crm").id, actor="ada", reason=None, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await go(pilot, app, place)
        shown = {key.action for key in keys_here(app.screen)}
        assert shown
        for key, active in app.screen.active_bindings.items():
            if active.binding.id is None:
                continue
            assert resolves(app, active.binding.action, active.node), f"{key}: no {active.binding.action}"
            assert active.enabled, f"{key} is shown and does nothing: {active.binding.action}"


@pytest.mark.parametrize("place", PLACES)
async def test_no_key_means_two_things(store: Store, clock: MovableClock, make_console: Make, place: str) -> None:
    fill(store, clock)
    store.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED))
    pause_endpoint(store, store.find_endpoint("crm").id, actor="ada", reason=None, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await go(pilot, app, place)
        taken: dict[str, str] = {}
        twice = set()
        for node, bindings in app.screen._modal_binding_chain:
            for key, found in bindings.key_to_bindings.items():
                for binding in found:
                    # Those without an id are the library's own, which ours may take.
                    if binding.id is None or app._check_action_state(binding.action, node) is False:
                        continue
                    if taken.setdefault(key, binding.action) == binding.action:
                        continue
                    twice.add((key, binding.action))
        assert twice <= SHADOWED
