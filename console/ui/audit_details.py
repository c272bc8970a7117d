"""One act of the audit log in full: what it changed, what came of it, whether it can be taken back, and its command."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from console.domain.change import Change
from console.domain.errors import ConsoleError
from console.domain.ids import EndpointId, format_number
from console.domain.operation import BulkPlan, Operation, OperationKind, Outcomes
from console.domain.query_format import format_query
from console.operations.undoing import ENGINE, plan_undo, value_words
from console.store import Store
from console.ui.previews import MOST_NAMED
from console.ui.widgets.reading_view import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is looked up for one act alone."""

    undo: str
    """What taking it back would do, or why it cannot be."""
    outcomes: Outcomes | None
    """What came of a retry."""
    command: str
    """The command that does the same; empty: none does."""


def read_details(store: Store, operation: Operation) -> Details:
    """Raises StoreError."""
    try:
        undo = " ".join(plan_undo(store, operation.id).lines)
    except ConsoleError as error:
        undo = f"cannot be: {str(error).partition(': ')[2] or error}"
    retried = operation.kind is OperationKind.DELIVERY_RETRY
    names = {endpoint.id: endpoint.name for endpoint in store.endpoints()}
    return Details(
        undo=undo,
        outcomes=store.outcomes(operation.id) if retried else None,
        command=command_of(operation, store.bulk_plan(operation.id), names),
    )


def change_lines(change: Change | None) -> list[Line]:
    """Each part that was changed, before and after."""
    if change is None:
        return []
    before, after = change.before or {}, change.after or {}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    lines = [
        Line(
            spans=(
                ("        ", "normal"),
                (f"{name}: ", "muted"),
                (value_words(before.get(name), name), "normal"),
                (" → ", "muted"),
                (value_words(after.get(name), name), "strong"),
            ),
            hang=10,
        )
        for name in names
    ]
    hidden = [f"{name}: changed, and not kept since it may hold a secret" for name in change.hidden]
    lines += [Line(spans=(("        ", "normal"), (words, "muted")), hang=10) for words in hidden]
    return [Line(spans=(("changed", "muted"),)), *lines] if lines else []


def detail_lines(more: Details) -> list[Line]:
    """What was looked up, to read."""
    said = [("undo", more.undo)]
    if more.outcomes is not None:
        said.insert(0, ("came of", more.outcomes.words))
    if more.command:
        said.append(("the same", more.command))
    return [Line(spans=((f"{name:<9}", "muted"), (words, "normal")), hang=9) for name, words in said]


def command_of(operation: Operation, plan: BulkPlan | None, names: Mapping[EndpointId, str]) -> str:
    """The command line that does the same once more; empty when there is none."""
    words = _bulk_words(operation, plan, names) if plan is not None else _single_words(operation)
    reason = ["--reason", operation.reason] if words and operation.reason and operation.actor != ENGINE else []
    return shlex.join(["webhook-console", *words, *reason]) if words else ""


def _bulk_words(operation: Operation, plan: BulkPlan, names: Mapping[EndpointId, str]) -> list[str]:
    if plan.undoes is not None:
        return ["operations", "undo", format_number("op", plan.undoes)]
    verb = operation.kind.value.removeprefix("delivery_")
    rate = [] if operation.rate_per_s is None else ["--rate", _rate_words(operation.rate_per_s)]
    if plan.where.ids:
        ids = [format_number("dlv", number) for number in plan.where.ids[:MOST_NAMED]]
        return ["deliveries", verb, *ids, *rate] if len(plan.where.ids) <= MOST_NAMED else []
    return [] if verb == "skip" else ["deliveries", verb, "--filter", format_query(plan.where, names), *rate]


def _rate_words(per_s: float) -> str:
    return f"{per_s:g}/s" if per_s == round(per_s) else f"{round(per_s * 60):d}/m"


def _single_words(operation: Operation) -> list[str]:
    after = operation.change.after or {} if operation.change is not None else {}
    match operation.kind:
        case OperationKind.ENDPOINT_PAUSE:
            return ["endpoints", "pause", operation.target]
        case OperationKind.ENDPOINT_RESUME:
            pace = after.get("pace")
            ramp = ["--ramp", f"{pace['ramp_s']:g}s"] if pace and pace["ramp_s"] else []
            return [
                "endpoints",
                "resume",
                operation.target,
                *(["--rate", _rate_words(pace["per_s"]), *ramp] if pace else []),
            ]
        case OperationKind.ENDPOINT_TEST:
            return ["endpoints", "test", operation.target]
        case OperationKind.ENDPOINT_REMOVE:
            return ["endpoints", "remove", operation.target]
        case OperationKind.EVENT_RESEND if operation.change is not None and not after.get("edited"):
            url = ["--url", after["url"]] if after.get("url") else []
            return ["events", "resend", operation.change.subject, "--endpoint", str(after.get("endpoint")), *url]
        case OperationKind.UNDO if operation.change is not None and operation.change.undoes is not None:
            return ["operations", "undo", format_number("op", operation.change.undoes)]
        case _:
            return []
