"""Ids as times: rows are numbered as they come, so a stretch of time is a stretch of ids.

Two things put a row before an older one. Writers take the time before they wait for their turn, which is a matter of
seconds; and the clock may be set back, which is written down when it is seen (`meta`, `clock_back`). Bounds leave room
for both, and whoever uses them asks for the exact time beside them.
"""

from console.store.sqlite.connection import Connection

ROOM_MS = 10_000
"""How late a row may come for its time: a writer waits for the store for 5 s at most, and has a batch to collect."""

SET_BACK = "INSERT INTO meta VALUES ('clock_back', ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value"
_CLOCK_BACK = "SELECT value FROM meta WHERE key = 'clock_back'"


def note_clock(connection: Connection, newest_ms: int | None, now_ms: int) -> None:
    """Write down that the clock was set back, if it was. In a transaction that adds a row of the time `now_ms`.

    Args:
        newest_ms: the time of the row before.
    """
    if newest_ms is not None and now_ms < newest_ms - ROOM_MS:
        connection.run(SET_BACK, (newest_ms - now_ms,))


class Times:
    """Bounds over one table whose rows have a number and a time."""

    def __init__(self, connection: Connection, table: str, number: str, at: str) -> None:
        self._connection = connection
        self._next = f"SELECT {number}, {at} FROM {table} WHERE {number} >= ? ORDER BY {number} LIMIT 1"
        self._span = f"SELECT min({number}) FROM {table}", f"SELECT max({number}) FROM {table}"

    def first_since(self, since_ms: int) -> int:
        """A number; every row below it is older than `since_ms`."""
        return self._first_at(since_ms - self._room_ms())

    def end_until(self, until_ms: int) -> int:
        """A number; every row from it on is as young as `until_ms`, or younger."""
        return self._first_at(until_ms + self._room_ms())

    def _room_ms(self) -> int:
        return ROOM_MS + (self._connection.value(_CLOCK_BACK) or 0)

    def _first_at(self, at_ms: int) -> int:
        """The first number of that time, by halving; where times are not in order, one of those that may be it."""
        low, high = (self._connection.value(sql) for sql in self._span)
        if low is None:
            return 0
        high += 1
        while low < high:
            middle = (low + high) // 2
            found = self._connection.row(self._next, (middle,))
            if found is None or found[0] >= high or found[1] >= at_ms:
                high = middle
            else:
                low = found[0] + 1
        return int(low)
