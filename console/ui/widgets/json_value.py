"""JSON as it was written: numbers keep their digits, objects their order and even their doubled keys."""

import json
from collections.abc import Iterator
from typing import TypeAlias

from console.ui.widgets.vocabulary import StyleName


class Number(str):
    """A number, digit for digit."""

    __slots__ = ()


class Object(list[tuple[str, "Json"]]):
    """The members of an object, in their order."""

    __slots__ = ()


Json: TypeAlias = "Object | list[Json] | str | Number | bool | None"

_PREVIEW_ITEMS = 8
_PREVIEW_CHARS = 120


def parse(text: str) -> Json:
    """The value that the text holds. Raises ValueError when it is no JSON, or nested too deep to be read."""
    try:
        value: Json = json.loads(
            text, object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=Number
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def is_foldable(value: Json) -> bool:
    return isinstance(value, list) and bool(value)


def children(value: Json, start: int, stop: int) -> Iterator[tuple[str | int, Json]]:
    """Members `start` to `stop` (not included) of an object or array, each with its key or index."""
    if isinstance(value, Object):
        yield from value[start:stop]
    elif isinstance(value, list):
        yield from enumerate(value[start:stop], start)


def quoted(text: str) -> str:
    """A string as JSON writes it, cut where no screen would show more."""
    return json.dumps(text[:_PREVIEW_CHARS], ensure_ascii=False)[:-1] + ("…" if len(text) > _PREVIEW_CHARS else '"')


def preview(value: Json, depth: int = 1) -> str:
    """One line that gives an idea of the value; its cost does not depend on how large the value is."""
    match value:
        case Number():
            return str(value)
        case str():
            return quoted(value)
        case True | False | None:
            return json.dumps(value)
        case Object() | list():
            left, right = "{}" if isinstance(value, Object) else "[]"
            if depth == 0 and value:
                return f"{left}…{right}"
            return left + ", ".join(_preview_items(value, depth - 1)) + right


def _preview_items(value: Json, depth: int) -> Iterator[str]:
    for key, item in children(value, 0, _PREVIEW_ITEMS):
        yield f"{key}: {preview(item, depth)}" if isinstance(key, str) else preview(item, depth)
    if isinstance(value, list) and len(value) > _PREVIEW_ITEMS:
        yield "…"


def find(value: Json, text: str) -> Iterator[tuple[int, ...]]:
    """Where a case-folded text is in a key, or in a value that holds no others: the positions that lead there, in the
    order of the document. A value that stands alone is at position 0."""
    if not is_foldable(value):
        if text in written(value).casefold():
            yield (0,)
        return
    open_lists: list[tuple[Iterator[tuple[int, tuple[str | int, Json]]], tuple[int, ...]]] = []
    open_lists.append((enumerate(children(value, 0, len(value) if isinstance(value, list) else 0)), ()))
    while open_lists:
        members, path = open_lists[-1]
        following = next(members, None)
        if following is None:
            open_lists.pop()
            continue
        position, (key, member) = following
        here = (*path, position)
        in_key = isinstance(key, str) and text in key.casefold()
        if in_key or (not is_foldable(member) and text in written(member).casefold()):
            yield here
        if isinstance(member, list) and member:
            open_lists.append((enumerate(children(member, 0, len(member))), here))


def count_of(value: Json) -> str:
    """How much a folded value holds: `3 keys`, `1 item`."""
    if not isinstance(value, list):
        return ""
    noun = "key" if isinstance(value, Object) else "item"
    return f"{len(value):,} {noun}{'' if len(value) == 1 else 's'}"


def written(value: Json) -> str:
    """The whole value as compact JSON; a string as its bare text, which is what one wants to copy."""
    return value if isinstance(value, str) and not isinstance(value, Number) else _encode(value)


def _encode(value: Json) -> str:
    match value:
        case Number():
            return str(value)
        case Object():
            return "{" + ",".join(f"{_encode(key)}:{_encode(item)}" for key, item in value) + "}"
        case list():
            return "[" + ",".join(_encode(item) for _, item in children(value, 0, len(value))) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def meaning_of(value: Json) -> StyleName:
    """The style that tells the types apart; quotes, digits and words tell them apart without colour."""
    match value:
        case Number():
            return "accent"
        case str():
            return "ok"
        case True | False:
            return "warning"
        case _:
            return "muted"
