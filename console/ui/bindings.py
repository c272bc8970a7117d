"""Every key of the console by the id of what it does: what can be bound anew, and what would clash."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations
from pkgutil import walk_packages
from typing import Any

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import _character_to_key

WITH_ALL = frozenset({"app", "lines", "table", "tail", "tree", "endpoints", "reading"})
"""First parts of ids that are heard beside those of any screen: the app's, and those of what a screen is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What can be bound: its id, what it does in words, and the keys it has."""

    id: str
    description: str
    keys: tuple[str, ...]

    @property
    def place(self) -> str:
        """The first part of the id: where it is heard."""
        return self.id.partition(".")[0]


def all_bindings() -> dict[str, Bound]:
    """Everything that has keys, by id. Imports every screen: not for the first frame."""
    import console.ui

    for module in walk_packages(console.ui.__path__, "console.ui."):
        import_module(module.name)
    found: dict[str, Bound] = {}
    for kind in _subclasses(DOMNode):
        if not kind.__module__.startswith("console.ui."):
            continue
        for binding in vars(kind).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id is not None:
                keys = (*(found[binding.id].keys if binding.id in found else ()), *keys_of(binding.key))
                words = binding.tooltip or binding.description
                found[binding.id] = Bound(id=binding.id, description=words, keys=tuple(dict.fromkeys(keys)))
    return dict(sorted(found.items()))


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def keys_of(text: str) -> tuple[str, ...]:
    """`?,f1` as the names that keys have: `question_mark`, `f1`."""
    keys = (key.strip() for key in text.split(","))
    return tuple(_character_to_key(key) if len(key) == 1 else key for key in keys if key)


def problems(keys: Mapping[str, str], lines: Mapping[str, str]) -> list[str]:
    """What is wrong with keys that were bound anew: ids that nothing has, and keys that would do two things.

    Args:
        keys: by id, as the file has them.
        lines: `file:line` of each.
    """
    bound = all_bindings()
    said = []
    for name in keys:
        if name not in bound:
            near = difflib.get_close_matches(name, bound, 1)
            hint = f": did you mean {near[0]}?" if near else ": see `webhook-console config keys`"
            said.append(f"{lines.get(name, 'keys')}: nothing is called `{name}`{hint}")
    now = {name: keys_of(keys[name]) if name in keys else one.keys for name, one in bound.items()}
    for a, b in combinations(bound.values(), 2):
        if a.id not in keys and b.id not in keys:
            continue
        both = set(now[a.id]) & set(now[b.id])
        if both - (set(a.keys) & set(b.keys)) and _heard_together(a, b):
            place = lines.get(a.id) or lines.get(b.id) or "keys"
            words = f"{place}: {', '.join(sorted(both))} would be both `{a.id}` and `{b.id}`"
            said.append(f"{words}: bind one of them anew")
    return said


def _heard_together(a: Bound, b: Bound) -> bool:
    return a.place == b.place or a.place in WITH_ALL or b.place in WITH_ALL
