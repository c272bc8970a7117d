"""Where a LineTable takes its rows from."""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


class RowSource(Protocol[RowT_co]):
    """Rows by index, some of which may not be here yet. Every method is called on the UI thread and must not block.

    Whoever changes the source calls `LineTable.rows_changed()` afterwards, on the UI thread.
    """

    @property
    def count(self) -> int:
        """How many rows there are, loaded or not."""
        ...

    def row(self, index: int) -> RowT_co | None:
        """The row at `index` (0 ≤ index < count), or None while it is not loaded."""
        ...

    def want(self, first: int, last: int) -> None:
        """Rows `first` to `last` (both included) are on the screen: load what is missing of them."""
        ...

    def index_of(self, key: Hashable) -> int | None:
        """Where the row with this key is now; None when it is gone, not loaded, or costly to find."""
        ...


class ListSource(RowSource[RowT]):
    """Rows that are all in memory."""

    def __init__(self, rows: Sequence[RowT], row_key: Callable[[RowT], Hashable]) -> None:
        self._row_key = row_key
        self._rows = rows
        self._index: dict[Hashable, int] | None = None

    def replace(self, rows: Sequence[RowT]) -> None:
        """Other rows, or the same sequence after it was changed. Then call `LineTable.rows_changed()`."""
        self._rows = rows
        self._index = None

    @property
    def count(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> RowT | None:
        return self._rows[index] if 0 <= index < len(self._rows) else None

    def want(self, first: int, last: int) -> None:
        """Nothing to load."""

    def index_of(self, key: Hashable) -> int | None:
        if self._index is None:
            self._index = {self._row_key(row): index for index, row in enumerate(self._rows)}
        return self._index.get(key)
