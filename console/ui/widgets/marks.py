"""Which rows of a table are marked, and the range that is being marked. Pure: a row is its key, a place its index."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

MARK_GLYPH, RANGE_GLYPH, NO_GLYPH = "•", "│", " "

MOST_IN_A_RANGE = 10_000
"""More rows than this are not marked one by one: that is what 'all that match' is for."""

IndexOf = Callable[[Hashable], int | None]
"""Where the row with a key is now; None when that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Rows from `first` to `last`, both included; none when `last` is below `first`."""

    first: int = 0
    last: int = -1

    def __contains__(self, index: int) -> bool:
        return self.first <= index <= self.last

    def __len__(self) -> int:
        return self.last + 1 - self.first


class Marks:
    """Marks are by key, so they stay on their rows whatever comes between these, even while they are not shown."""

    def __init__(self) -> None:
        self._keys: dict[Hashable, None] = {}
        self._begun: tuple[Hashable, int] | None = None

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """In the order they were marked."""
        return tuple(self._keys)

    def set(self, keys: Iterable[Hashable]) -> None:
        """Mark these and no others."""
        self._keys = dict.fromkeys(keys)

    def toggle(self, key: Hashable) -> None:
        """Mark a row, or take its mark away."""
        if key in self._keys:
            del self._keys[key]
        else:
            self._keys[key] = None

    # Ranges

    @property
    def in_range(self) -> bool:
        """Whether a range is being marked."""
        return self._begun is not None

    def begin_range(self, key: Hashable, index: int) -> None:
        """A range begins at this row."""
        self._begun = (key, index)

    def cancel_range(self) -> None:
        """Nothing of the range is marked."""
        self._begun = None

    def span(self, cursor: int, index_of: IndexOf) -> Span:
        """The rows between where the range began and the cursor."""
        if self._begun is None:
            return Span()
        key, index_then = self._begun
        index = index_of(key)
        start = index_then if index is None else index
        return Span(first=min(start, cursor), last=max(start, cursor))

    def end_range(self, span: Span, key_at: Callable[[int], Hashable | None]) -> int:
        """Mark the rows of a range. Returns how many were left out: not loaded, or beyond MOST_IN_A_RANGE."""
        self._begun = None
        stop = min(span.last + 1, span.first + MOST_IN_A_RANGE)
        loaded = [key for index in range(span.first, stop) if (key := key_at(index)) is not None]
        self._keys |= dict.fromkeys(loaded)
        return len(span) - len(loaded)

    def glyph(self, key: Hashable, index: int, cursor: int, index_of: IndexOf) -> str:
        """What stands before a row."""
        if key in self._keys:
            return MARK_GLYPH
        return RANGE_GLYPH if self._begun is not None and index in self.span(cursor, index_of) else NO_GLYPH
