"""Every key of every screen: no two mean different things in one place, and none that is shown is dead."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.dom import DOMNode

from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.keys import keys_here
from tests.ui.conftest import MovableClock
from tests.ui.places import PLACES, go, prepare, spoil

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


@pytest.mark.parametrize("name", PLACES)
async def test_no_key_is_dead_and_none_means_two_things(
    store: Store, store_path: Path, clock: MovableClock, make_console: Make, name: str
) -> None:
    place = PLACES[name]
    prepare(store, place, clock.now_ms())
    if place.broken:
        store.close()
        spoil(store_path)
    app = make_console(read_only=place.read_only)
    async with app.run_test(size=(120, 40)) as pilot:
        await go(pilot, app, name)
        assert keys_here(app.screen) or place.kind is CommandPalette
        dead(app)
        assert meant_twice(app) <= SHADOWED


def dead(app: ConsoleApp) -> None:
    """Fails where a key of ours does nothing."""
    for key, active in app.screen.active_bindings.items():
        if active.binding.id is None:
            continue
        assert resolves(app, active.binding.action, active.node), f"{key}: no {active.binding.action}"
        assert active.enabled, f"{key} is shown and does nothing: {active.binding.action}"


def meant_twice(app: ConsoleApp) -> set[tuple[str, str]]:
    """Keys that something nearer to the focus takes away, with the action that then rests."""
    taken: dict[str, str] = {}
    twice = set()
    for node, bindings in app.screen._modal_binding_chain:
        for key, found in bindings.key_to_bindings.items():
            for binding in found:
                # Those without an id are the library's own, which ours may take.
                if binding.id is None or app._check_action_state(binding.action, node) is False:
                    continue
                if taken.setdefault(key, binding.action) != binding.action:
                    twice.add((key, binding.action))
    return twice
