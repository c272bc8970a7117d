"""What a schema is made of: its parts, and what refers to which. A schema is what its JSON is, decoded."""

from collections.abc import Iterator
from typing import Any

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_CHOICES = frozenset({"anyOf", "oneOf"})
_LITERALS = frozenset({"const", "default", "examples"})
"""What is below them is data, not schema."""
_SHELVES = frozenset({"$defs", "definitions", "default", "examples"})
"""What is below them counts when it is referred to, or never."""


def references(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a schema refers to, and where."""
    for key, below in value.items() if isinstance(value, dict) else ():
        if key in _REFERENCES and isinstance(below, str):
            yield (*path, key), below
        elif key not in _LITERALS:
            yield from references(below, (*path, key))
    for number, below in enumerate(value) if isinstance(value, list) else ():
        yield from references(below, (*path, number))


class Unfolded:
    """How large a schema is with its references followed: where one leads back to what it is part of, it ends."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._sizes: dict[int, int | None] = {}
        """By identity, which holds while the schema does; None: being measured."""
        self._back = 0
        self._chooses = False
        self._named = dict(_names(schema))
        self.parts = self._measure(schema)
        self.ways = self._back if self._chooses else min(self._back, 1)

    def _measure(self, value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        size = self._sizes.get(id(value), 0)
        if size is None:
            self._back += 1
            return 1
        if not size:
            self._sizes[id(value)] = None
            size = self._sizes[id(value)] = 1 + self._inner(value)
        return size

    def _inner(self, value: dict[str, Any] | list[Any]) -> int:
        if isinstance(value, list):
            return sum(map(self._measure, value))
        size = 0
        for key, below in value.items():
            self._chooses |= key in _CHOICES
            if key in _REFERENCES and isinstance(below, str):
                size += self._measure(self._target(below))
            elif key == "enum" and isinstance(below, list) and all(isinstance(one, str) for one in below):
                size += 1  # looked up, not compared one by one
            elif key not in _SHELVES:
                size += self._measure(below)
        return size

    def _target(self, reference: str) -> Any:
        """What a reference leads to; the schema as a whole when it is not clear."""
        if reference in self._named:
            return self._named[reference]
        value = self._schema
        _, _, pointer = reference.partition("#")
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return self._schema
        return value


def _names(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a schema that have a name, by what refers to them."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict):
        for key, prefix in (("$anchor", "#"), ("$dynamicAnchor", "#"), ("$id", "")):
            if isinstance(value.get(key), str):
                yield prefix + value[key], value
    for below in inner:
        yield from _names(below)
