"""The keys of the inspector, and when those that change something may be pressed."""

from textual.binding import Binding, BindingType

from console.domain.delivery import DeliveryState
from console.ui.inspection import Inspection

BINDINGS: list[BindingType] = [
    Binding("r", "retry", "Retry", id="inspector.retry", tooltip="Retry this delivery"),
    Binding("p", "pause", "Pause", id="inspector.pause", tooltip="Pause or resume its endpoint"),
    Binding("tab", "pane(1)", "Pane", id="inspector.pane", tooltip="Next pane"),
    Binding("i", "why", "Why", id="inspector.why", tooltip="Why it stands so, and how it was signed"),
    Binding("d", "diff", "Diff", id="inspector.diff", tooltip="Compare with the attempt before, or two marked"),
    Binding("v", "raw", "Raw", id="inspector.raw", tooltip="As on the wire, or readable"),
    Binding("o", "related", "Others", id="inspector.related", tooltip="What else its endpoint got around then"),
    Binding("m", "mask", "Mask", id="inspector.mask", tooltip="Hide all values, or show them"),
    Binding("y", "copy_id", "Id", id="inspector.copy-id", tooltip="Copy the event's id"),
    Binding("Y", "copy_curl", "curl", id="inspector.copy-curl", tooltip="Copy as curl"),
    Binding("w", "save", "Save", id="inspector.save", tooltip="Save the payload or response to a file"),
    Binding("E", "send_copy", "Resend", id="inspector.resend", tooltip="Send again, edited or to another URL"),
    Binding("M", "transform", "What its transform makes of this event", show=False, id="inspector.transform"),
    Binding("X", "skip", "Skip the head of its line", show=False, id="inspector.skip"),
    Binding("left_square_bracket", "step(-1)", "Previous attempt", show=False, id="inspector.previous"),
    Binding("right_square_bracket", "step(1)", "Next attempt", show=False, id="inspector.next"),
    Binding("shift+tab", "pane(-1)", "Pane before", show=False, id="inspector.pane-before"),
    Binding("V", "open_signature", "Signature debugger", show=False, id="inspector.signature"),
    Binding("escape,q", "back", "Back", id="inspector.back"),
]

STEERING = frozenset({"retry", "pause", "send_copy", "skip"})
"""Actions that change something."""


def may_steer(action: str, seen: Inspection | None, *, read_only: bool) -> bool | None:
    """As Textual's `check_action`: False where there is no such action, None where there is none now."""
    if read_only or (action == "skip" and not (seen is not None and seen.around.standing.in_line)):
        return False
    if seen is None:
        return None
    if action != "retry":
        return True if seen.endpoint is not None else None
    return None if seen.delivery.state is DeliveryState.SENDING else True
