"""How a body differs from the one that was sent, without saying what is in either. Pure."""

import re
from typing import Any

from console.domain.signature_variants import parse_json

_MOST_PATHS = 3
_DEEPEST = 40
_BLANKS = re.compile(rb"\s+")


def how_it_differs(sent: bytes, got: bytes) -> tuple[bool, tuple[str, ...]]:
    """Whether both are the same JSON, and what is different, in words; names of keys are in them, values never."""
    try:
        ours, theirs = parse_json(sent), parse_json(got)
        same = _same(ours, theirs, 0)
        paths = () if same else tuple(_paths(ours, theirs, "", 0))
    except (ValueError, RecursionError):
        return False, (_as_bytes(sent, got),)
    if same:
        return True, tuple(_of_writing(sent, got, ours, theirs)) or (_as_bytes(sent, got),)
    return False, paths or (_as_bytes(sent, got),)


def _as_bytes(sent: bytes, got: bytes) -> str:
    if not got:
        return "it is empty: something read it before, or it was not kept"
    if sent.startswith(got):
        return f"it is cut after {len(got):,} of {len(sent):,} bytes"
    at = next((i for i, (a, b) in enumerate(zip(sent, got, strict=False)) if a != b), min(len(sent), len(got)))
    return f"it differs from byte {at:,} on; it has {len(got):,} bytes, what was sent {len(sent):,}"


def _of_writing(sent: bytes, got: bytes, ours: Any, theirs: Any) -> list[str]:
    """What is not the same although the values are."""
    found = []
    if _keys(ours) != _keys(theirs):
        found.append("its keys stand in another order")
    if _BLANKS.findall(sent) != _BLANKS.findall(got):
        found.append("it has other blanks between its parts")
    if sent.count(b"\\u") != got.count(b"\\u"):
        found.append("it writes some letters as \\uXXXX, or no longer does")
    if sent.count(b"\\/") != got.count(b"\\/"):
        found.append("it writes / as \\/, or no longer does")
    if _texts(ours) != _texts(theirs):
        found.append("its numbers are written with other digits")
    return found


def _keys(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return [(key, _keys(item, depth + 1)) for key, item in value.items()]
    return [_keys(item, depth + 1) for item in value] if isinstance(value, list) else None


def _texts(value: Any, depth: int = 0) -> Any:
    """The value with its numbers as they are written."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {key: _texts(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item, depth + 1) for item in value]
    return str(value)


def _number(value: Any) -> float | int | None:
    """A number, digits aside; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.startswith("\0n") and value.endswith("\0"):
        try:
            return float(value[2:-1])
        except ValueError:
            return None
    return None


def _same(a: Any, b: Any, depth: int) -> bool:
    if depth > _DEEPEST:
        return bool(a == b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key], depth + 1) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y, depth + 1) for x, y in zip(a, b, strict=True))
    one, other = _number(a), _number(b)
    if one is not None and other is not None:
        return one == other
    return type(a) is type(b) and bool(a == b)


def _paths(a: Any, b: Any, path: str, depth: int) -> list[str]:
    """Where two values differ, a few places at most."""
    if _same(a, b, depth):
        return []
    if depth < _DEEPEST and isinstance(a, dict) and isinstance(b, dict):
        found = [f"{_at(path, key)} is missing" for key in a if key not in b]
        found += [f"{_at(path, key)} is new" for key in b if key not in a]
        for key in a:
            if key in b and len(found) < _MOST_PATHS:
                found += _paths(a[key], b[key], _at(path, key), depth + 1)
        return found[:_MOST_PATHS]
    if depth < _DEEPEST and isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return [f"{path or 'the list'} has {len(b)} items instead of {len(a)}"]
        found = []
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            if len(found) < _MOST_PATHS:
                found += _paths(x, y, f"{path}[{i}]", depth + 1)
        return found[:_MOST_PATHS]
    return [f"{path or 'the value'} is another"]


def _at(path: str, key: str) -> str:
    shown = key[:60]
    return f"{path}.{shown}" if path else shown
