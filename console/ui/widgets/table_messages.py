"""What a LineTable tells its owner, who knows them as `LineTable.Chosen`, handled by `on_line_table_chosen`."""

from typing import TYPE_CHECKING, Any

from textual.message import Message
from textual.message_pump import MessagePump

if TYPE_CHECKING:
    from console.ui.widgets.line_table import LineTable


class TableMessage(Message, namespace="line_table"):
    """A message of a table."""

    def __init__(self, table: "LineTable[Any]") -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> "LineTable[Any]":
        return self.table


class Highlighted(TableMessage, namespace="line_table"):
    """The cursor is on another row; None while that row is not loaded, or there is none."""

    def __init__(self, table: "LineTable[Any]", row: Any) -> None:
        super().__init__(table)
        self.row = row

    def can_replace(self, message: MessagePump | Message) -> bool:
        return isinstance(message, Highlighted) and message.table is self.table


class Chosen(TableMessage, namespace="line_table"):
    """Enter on a row, or a double click."""

    def __init__(self, table: "LineTable[Any]", row: Any) -> None:
        super().__init__(table)
        self.row = row


class MarksChanged(TableMessage, namespace="line_table"):
    """Other rows are marked. `left_out` rows of a range were not loaded, or beyond MOST_IN_A_RANGE."""

    def __init__(self, table: "LineTable[Any]", left_out: int) -> None:
        super().__init__(table)
        self.left_out = left_out


class SortChanged(TableMessage, namespace="line_table"):
    """Another order is wanted: sort by `column`, or None for the order of the source."""

    def __init__(self, table: "LineTable[Any]", column: str | None, descending: bool) -> None:
        super().__init__(table)
        self.column = column
        self.descending = descending
