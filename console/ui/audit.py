"""The audit log as the console shows it: what is loaded of it, newest first, and each act in words."""

from collections.abc import Iterable
from dataclasses import replace

from console.domain.ids import OperationId, format_number
from console.domain.operation import Operation, OperationKind
from console.store import Store
from console.ui.audit_details import Details, change_lines, detail_lines
from console.ui.format import ABSENT, date_time, duration, exact
from console.ui.widgets.reading_view import Line
from console.ui.widgets.vocabulary import Cell

PAGE = 200

_BAR = 8
"""Cells of a progress bar."""

_WHAT: dict[OperationKind, str] = {
    OperationKind.ENDPOINT_ADD: "add",
    OperationKind.ENDPOINT_EDIT: "edit",
    OperationKind.ENDPOINT_PAUSE: "pause",
    OperationKind.ENDPOINT_RESUME: "resume",
    OperationKind.ENDPOINT_REMOVE: "remove",
    OperationKind.ENDPOINT_DISABLE: "disable",
    OperationKind.ENDPOINT_TEST: "test",
    OperationKind.ENDPOINT_TRIP: "trip",
    OperationKind.ENDPOINT_RECOVER: "recover",
    OperationKind.DEFAULTS_EDIT: "defaults",
    OperationKind.CONFIG_APPLY: "apply",
    OperationKind.SECRET_ROTATE: "rotate",
    OperationKind.SECRET_REVEAL: "reveal",
    OperationKind.SECRETS_SEAL: "seal",
    OperationKind.SECRETS_UNSEAL: "unseal",
    OperationKind.DELIVERY_RETRY: "retry",
    OperationKind.DELIVERY_CANCEL: "cancel",
    OperationKind.DELIVERY_SKIP: "skip",
    OperationKind.DELIVERY_UNDO: "undo",
    OperationKind.UNDO: "undo",
    OperationKind.EVENT_RESEND: "resend",
    OperationKind.RETENTION_EDIT: "retention",
    OperationKind.RETENTION_RUN: "clean up",
    OperationKind.SOURCE_ADD: "add source",
    OperationKind.SOURCE_EDIT: "edit source",
    OperationKind.SOURCE_ENABLE: "open source",
    OperationKind.SOURCE_DISABLE: "shut source",
    OperationKind.SOURCE_REMOVE: "drop source",
    OperationKind.ALERT_ADD: "add alert",
    OperationKind.ALERT_EDIT: "edit alert",
    OperationKind.ALERT_REMOVE: "drop alert",
    OperationKind.ALERT_MUTE: "mute alert",
    OperationKind.ALERT_FIRED: "▲ alert",
    OperationKind.ALERT_RESOLVED: "alert over",
    OperationKind.TOKEN_ADD: "add token",
    OperationKind.TOKEN_REVOKE: "end token",
    OperationKind.SCHEMA_ADD: "add schema",
    OperationKind.SCHEMA_RETIRE: "drop schema",
    OperationKind.ENGINE_STOP: "stop engine",
}


def what_words(operation: Operation) -> str:
    """What was done, in a word."""
    return _WHAT.get(operation.kind) or operation.kind.replace("_", " ")


def result_cell(operation: Operation) -> Cell:
    """What came of it, or how far it is."""
    if operation.finished_at_ms is None:
        return _progress_words(operation), "accent"
    return operation.result or f"{exact(operation.done)} done", "normal"


def _progress_words(operation: Operation) -> str:
    if not operation.total:
        return f"… {exact(operation.done)} so far"
    full = min(_BAR, operation.done * _BAR // operation.total)
    bar = "▰" * full + "▱" * (_BAR - full)
    return f"{bar} {exact(operation.done)} of {exact(operation.total)}"


def matches(operation: Operation, text: str) -> bool:
    """Whether every word of a filter occurs in what a row says; `who:`, `kind:`, `endpoint:`, `why:` and `result:` look
    in that part alone."""
    id_ = format_number("op", operation.id)
    parts = {
        "who": operation.actor,
        "kind": f"{operation.kind} {what_words(operation)}",
        "endpoint": operation.target,
        "why": operation.reason or "",
        "result": operation.result or "",
    }
    parts = {name: said.casefold() for name, said in parts.items()}
    everything = " ".join((id_, *parts.values()))
    for word in text.casefold().split():
        name, colon, value = word.partition(":")
        if (value not in parts[name]) if colon and name in parts else (word not in everything):
            return False
    return True


def as_then(operations: Iterable[Operation], at_ms: int) -> list[Operation]:
    """Those that had begun by a moment; what ended later was under way."""
    return [
        operation
        if operation.finished_at_ms is None or operation.finished_at_ms <= at_ms
        else replace(operation, finished_at_ms=None, result=None, cancelled_by=None)
        for operation in operations
        if operation.started_at_ms <= at_ms
    ]


def operation_lines(operation: Operation, more: Details | None = None) -> list[Line]:
    """The whole row, to read; `more`: what was looked up beside it."""
    ended = operation.finished_at_ms
    result, meaning = result_cell(operation)
    took = f"  ({duration(ended - operation.started_at_ms)})" if ended is not None else ""
    facts: tuple[tuple[str, str, Cell], ...] = (
        ("id", format_number("op", operation.id), ("", "normal")),
        ("what", what_words(operation), (f"  {operation.kind}", "muted")),
        ("who", operation.actor, ("", "normal")),
        ("target", operation.target, ("", "normal")),
        ("reason", operation.reason or ABSENT, ("", "normal")),
        ("begun", date_time(operation.started_at_ms), ("", "normal")),
        ("ended", date_time(ended) if ended is not None else "not yet", (took, "muted")),
        ("done", exact(operation.done), _pace_cell(operation)),
    )
    lines = [Line(spans=((f"{name:<8}", "muted"), (value, "normal"), more), hang=8) for name, value, more in facts]
    lines.append(Line(spans=((f"{'result':<8}", "muted"), (result, meaning)), hang=8))
    lines += change_lines(operation.change)
    if more is not None:
        lines += detail_lines(more)
    return lines


def _pace_cell(operation: Operation) -> Cell:
    parts = []
    if operation.total is not None:
        parts.append(f"of {exact(operation.total)}")
    if operation.rate_per_s is not None:
        parts.append(f"at {operation.rate_per_s:g}/s")
    if operation.cancelled_by is not None:
        parts.append(f"stopped by {operation.cancelled_by}")
    return "".join(f"  {part}" for part in parts), "muted"


class Audit:
    """What is loaded of the log. Owned by the UI thread; the reads are made elsewhere and handed in."""

    def __init__(self) -> None:
        self._by_id: dict[OperationId, Operation] = {}
        self.complete = False
        """The oldest act is loaded."""

    @property
    def rows(self) -> list[Operation]:
        """Newest first."""
        return [self._by_id[number] for number in sorted(self._by_id, reverse=True)]

    @property
    def newest(self) -> OperationId | None:
        return max(self._by_id, default=None)

    @property
    def oldest(self) -> OperationId | None:
        return min(self._by_id, default=None)

    @property
    def unfinished(self) -> tuple[OperationId, ...]:
        return tuple(o.id for o in self._by_id.values() if o.finished_at_ms is None)

    def take(self, operations: Iterable[Operation]) -> bool:
        """Add new rows and new versions of known ones. Returns whether anything is different."""
        changed = {o.id: o for o in operations if self._by_id.get(o.id) != o}
        self._by_id |= changed
        return bool(changed)


def read_newer(store: Store, newest: OperationId | None, unfinished: Iterable[OperationId]) -> list[Operation]:
    """The newest page, whatever lies between it and `newest`, and how the unfinished stand now."""
    found = store.operations(limit=PAGE)
    while newest is not None and found and found[-1].id > newest + 1:
        page = store.operations(limit=PAGE, before=found[-1].id)
        if not page:
            break
        found += page
    known = {operation.id for operation in found}
    for number in unfinished:
        if number not in known:
            found += store.operations(limit=1, before=OperationId(number + 1))
    return found
