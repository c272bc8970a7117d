"""Every key of every screen: no two mean different things in one place, and none that is shown is dead."""

from contextlib import closing
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.dom import DOMNode

from console.domain.clock import ManualClock
from console.ui.app import ConsoleApp
from console.ui.keys import keys_here
from console.ui.session import Session
from tests.ui.places import NOW_MS, PLACES, go, put_store

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
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    place, path = PLACES[name], tmp_path / "store.db"
    put_store(path, place)
    with closing(Session(path, read_only=place.read_only, clock=ManualClock(NOW_MS), actor="ada@test")) as session:
        app = ConsoleApp(session, theme=None, notice=None, started_engine=False)
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
