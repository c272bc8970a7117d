"""Things with a name, as an operator refers to them: by id, name, or the beginning of either when only one has it."""

from console.domain.errors import UnknownReferenceError
from console.store.sqlite.connection import Connection, Row

_SHOWN = 3


class Named:
    """The rows of one table.

    Args:
        columns: what is read of a row.
        there: the condition for those that are on lists.
        noun: what one is called in messages; the command that lists them has its plural.
    """

    def __init__(self, table: str, columns: str, *, there: str, noun: str) -> None:
        self._noun, self._plural = noun, f"{noun}s"
        select = f"SELECT name, {columns} FROM {table} WHERE {there}"
        self._exact = f"{select} AND id = ?", f"{select} AND name = ?"
        begins = "(substr(id, 1, length(?1)) = ?1 OR substr(name, 1, length(?1)) = ?1)"
        self._begun = f"{select} AND {begins} ORDER BY name LIMIT {_SHOWN + 1}"

    def find(self, connection: Connection, reference: str) -> Row:
        """Raises UnknownReferenceError: none or several."""
        for sql in self._exact:
            if (row := connection.row(sql, (reference,))) is not None:
                return row[1:]
        found = connection.rows(self._begun, (reference,)) if reference else []
        if not found:
            raise UnknownReferenceError(f"no {self._noun} {reference!r}: see `webhook-console {self._plural} list`")
        if len(found) > 1:
            names = ", ".join(row[0] for row in found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
            raise UnknownReferenceError(f"{reference!r} fits several {self._plural} ({names}): write more of it")
        return found[0][1:]
