"""What keys do at this moment: one reading of the bindings, for the line at the bottom, the help and the palette."""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.screen import Screen

GROUPS = {
    "lines": "Moving",
    "table": "Rows",
    "app": "Everywhere",
}
"""The first part of a binding's id, and the heading under which help shows it; others are the screen's own."""

HERE = "Here"

_SHOWN = {
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "question_mark": "?",
    "slash": "/",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "at": "@",
    "colon": ":",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "home": "Home",
    "end": "End",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "f1": "F1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHelp:
    """An action that can be taken here, and its keys as people write them."""

    keys: tuple[str, ...]
    action: str
    description: str
    group: str
    in_footer: bool

    @property
    def shown(self) -> str:
        return self.keys[0]

    @property
    def width(self) -> int:
        """Cells of it in the line at the bottom."""
        return len(self.shown) + len(self.description) + 3


def key_name(key: str) -> str:
    """`Esc`, `^u`, `G`: a key as it is written for people."""
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    if key.startswith("shift+"):
        return "shift+" + key_name(key.removeprefix("shift+"))
    return _SHOWN.get(key, key)


def keys_here(screen: Screen[object]) -> list[KeyHelp]:
    """Every action of the screen and of what has the focus, in order of binding; hidden ones are left out."""
    found: dict[tuple[str, str], KeyHelp] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        # Textual's own bindings have no id: scrolling sideways and the like, which nothing here needs.
        if binding.id is None or binding.system or not binding.description or not active.enabled:
            continue
        group = GROUPS.get(binding.id.split(".")[0], HERE)
        known = found.get((binding.action, binding.description))
        found[binding.action, binding.description] = KeyHelp(
            keys=tuple(
                sorted(
                    (*(known.keys if known else ()), key_name(key)), key=lambda name: (not name.isascii(), len(name))
                )
            ),
            action=binding.action,
            description=binding.description,
            group=group,
            in_footer=binding.show,
        )
    return list(found.values())


def footer_keys(screen: Screen[object]) -> list[KeyHelp]:
    """Those that matter: what has the focus first, then the screen, then everywhere."""
    return [key for key in keys_here(screen) if key.in_footer]


def grouped(keys: Iterable[KeyHelp]) -> list[tuple[str, list[KeyHelp]]]:
    """By heading: the screen's own first."""
    by_group: dict[str, list[KeyHelp]] = {}
    for key in keys:
        by_group.setdefault(key.group, []).append(key)
    order = [HERE, "Rows", "Moving", "Everywhere"]
    return [(group, by_group[group]) for group in order if group in by_group]
