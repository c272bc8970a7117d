"""What became of one event at every other endpoint."""

from collections.abc import Sequence
from typing import Any

from console.ui.inspection import Outcome
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.vocabulary import Cell

_COLUMNS = (
    Column(key="endpoint", title="ENDPOINT", width=14, flex=1),
    Column(key="state", title="STATE", width=11),
    Column(key="note", title="WHY", width=18, flex=3),
)


class OutcomeList(LineTable[Outcome]):
    """Endpoints with what they are owed of one event; Enter opens the delivery."""

    def __init__(self, **kw: Any) -> None:
        self._outcomes: ListSource[Outcome] = ListSource((), lambda outcome: outcome.endpoint_id)
        super().__init__(
            _COLUMNS,
            source=self._outcomes,
            row_key=lambda outcome: outcome.endpoint_id,
            render_cell=outcome_cell,
            empty="There is no other endpoint.",
            **kw,
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # There is nothing to do with marks here.
        return False if action in ("mark", "mark_range", "clear_marks") else super().check_action(action, parameters)

    def show(self, outcomes: Sequence[Outcome]) -> None:
        """Other rows, in their order."""
        self._outcomes.replace(outcomes)
        self.rows_changed()


def outcome_cell(outcome: Outcome, key: str) -> Cell:
    """What a cell says."""
    match key:
        case "endpoint":
            return outcome.endpoint_name, "strong" if outcome.delivery_id is not None else "muted"
        case "state":
            return outcome.mark
        case _:
            return outcome.note, "muted"
