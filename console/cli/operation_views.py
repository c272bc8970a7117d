"""Operations as people read them."""

from collections.abc import Sequence

from console.cli.table import Cell, Column, print_facts, print_table
from console.domain.ids import format_number
from console.domain.operation import Operation
from console.operations.undoing import value_words
from console.ui.format import ABSENT, date_time, exact


def print_operations(rows: Sequence[Operation]) -> None:
    columns = (
        Column(title="WHEN"),
        Column(title="WHAT"),
        Column(title="TARGET", flexible=True),
        Column(title="DONE", right=True),
        Column(title="RESULT", flexible=True),
        Column(title="REASON", flexible=True, optional=True),
        Column(title="WHO", flexible=True),
    )
    print_table(
        columns,
        (
            [
                date_time(row.started_at_ms)[:19],
                row.kind.value,
                row.target,
                exact(row.done) if not row.is_open else f"{exact(row.done)} of {exact(row.total or 0)}",
                row.result or ("under way" if row.finished_at_ms is None else ""),
                row.reason or "",
                row.actor,
            ]
            for row in rows
        ),
    )


def print_operation(operation: Operation, undo: str, outcomes: str | None) -> None:
    """One operation in full.

    Args:
        undo: what taking it back would do, or why it cannot be.
        outcomes: what came of a retry.
    """
    ended = operation.finished_at_ms
    facts: list[tuple[str, Cell]] = [
        ("operation", (format_number("op", operation.id), "strong")),
        ("what", operation.kind.value),
        ("target", operation.target),
        ("who", operation.actor),
        ("reason", operation.reason or ABSENT),
        ("begun", date_time(operation.started_at_ms)),
        ("ended", "not yet" if ended is None else date_time(ended)),
        ("done", exact(operation.done) + ("" if operation.total is None else f" of {exact(operation.total)}")),
    ]
    if operation.rate_per_s is not None:
        facts.append(("rate", f"{operation.rate_per_s:g} a second"))
    if operation.cancelled_by is not None:
        facts.append(("stopped by", operation.cancelled_by))
    facts.append(("result", operation.result or ABSENT))
    facts += _change_facts(operation)
    if outcomes is not None:
        facts.append(("came of it", outcomes))
    facts.append(("undo", undo))
    print_facts(facts)


def _change_facts(operation: Operation) -> list[tuple[str, Cell]]:
    """Each part that was changed, before and after."""
    change = operation.change
    if change is None:
        return []
    before, after = change.before or {}, change.after or {}
    facts: list[tuple[str, Cell]] = [
        (name, f"{value_words(before.get(name), name)} → {value_words(after.get(name), name)}")
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    return [*facts, *((name, "changed, not kept") for name in change.hidden)]
