"""Times in as few cells as a column has, and that change seldom: what changes is painted again."""

from console.ui.format import ABSENT

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def brief(seconds: int) -> str:
    """`12s`, `5m`, `3h`, `2d`: the largest unit, cut."""
    for length, letter in _UNITS:
        if seconds >= length:
            return f"{seconds // length}{letter}"
    return "0s"


def brief_age(now_ms: int, then_ms: int | None) -> str:
    """How long ago; `0s` for what a clock out of step puts in the future."""
    return ABSENT if then_ms is None else brief(max(0, now_ms - then_ms) // 1000)


def brief_countdown(now_ms: int, then_ms: int | None) -> str:
    """How long until; `now` when it is due. A started second counts."""
    if then_ms is None:
        return ABSENT
    return "now" if then_ms <= now_ms else brief(-((now_ms - then_ms) // 1000))
