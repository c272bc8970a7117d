"""Every key of every screen: no two mean different things in one place, and none that is shown is dead."""

from collections.abc import Callable

import pytest
from textual.dom import DOMNode

from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.keys import keys_here
from tests.ui.conftest import MovableClock
from tests.ui.places import PLACES, furnish, go

Make = Callable[..., ConsoleApp]

SHADOWED = {
    ("q", "back_or_quit"),  # goes back wherever there is something to go back from
    ("tab", "app.focus_next"),  # takes what is offered, where a filter is typed
    ("u", "undo_last"),  # takes back what is chosen, where operations are listed
    ("escape", "back"),  # leaves the range, or clears the filter that is being typed, first
}
"""Keys of ours that something nearer to the focus takes on purpose, with the action that then rests."""


def resolves(app: ConsoleApp, action: str, node: DOMNode) -> bool:
    """Whether the action names something that can be called."""
    target, name, _ = app._parse_action(action, node)
    return any(hasattr(target, prefix + name) for prefix in ("action_", "_action_"))


@pytest.mark.parametrize("place", PLACES)
async def test_every_key_that_is_shown_does_something(
    store: Store, clock: MovableClock, make_console: Make, place: str
) -> None:
    furnish(store, clock.now_ms())
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
    furnish(store, clock.now_ms())
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
