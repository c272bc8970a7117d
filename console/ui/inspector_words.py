"""Titles and sentences of the inspector as content. Clean: nothing from outside reaches the screen as it came."""

from textual.content import Content

from console.ui.explain import explain_delivery
from console.ui.format import clock_time, inline, one_line, sanitise, size
from console.ui.inspection import Inspection

PANES = {"attempts": "attempt", "exchange": "attempt", "payload": "payload", "outcomes": "outcomes"}
"""Each pane, in the order of Tab, and the page that shows it on a narrow screen."""


def route(seen: Inspection | None) -> str:
    """What goes where."""
    return "" if seen is None else one_line(f"{seen.delivery.event_type} → {seen.delivery.endpoint_name}", 60)


def event_facts(seen: Inspection) -> str:
    """The event in one line."""
    event = seen.event
    copy = f"  copy of {event.copy_of}" if event.copy_of is not None else ""
    facts = f"{event.id}  {event.type}  {clock_time(event.accepted_at_ms)}  {size(len(event.payload))}  {event.source}"
    return f"Event {one_line(facts + copy, 200)}"


def outcomes_title(seen: Inspection) -> str:
    """How many endpoints were owed it, and how many not."""
    owed = sum(outcome.delivery_id is not None for outcome in seen.outcomes)
    return f"The event elsewhere  {owed} owed, {len(seen.outcomes) - owed} not"


def page_tabs(seen: Inspection, page: str) -> Content:
    """The pages of a narrow screen, the one that is shown marked."""
    titles = {
        "attempt": f"Attempts {len(seen.attempts)}",
        "payload": "Payload",
        "outcomes": f"Endpoints {len(seen.outcomes)}",
    }
    shown = Content("  ").join(
        Content.styled(f" {title} ", "reverse bold" if one == page else "$text-muted") for one, title in titles.items()
    )
    return Content.assemble(shown, "   ", (route(seen), "bold"))


def as_of_words(seen: Inspection) -> str:
    """Of which moment all this is, and what of it is not; empty for what is now."""
    if seen.at_ms is None:
        return ""
    return f"As of {clock_time(seen.at_ms)[:8]}, under the endpoint's policy of today:"


def explanation(seen: Inspection, now_ms: int) -> Content:
    """How the delivery stands now, or stood at the moment that is looked at, why, and what comes next."""
    if seen.not_yet:
        later = (
            f"The event was accepted later, {clock_time(seen.event.accepted_at_ms)[:8]}: none of this was there yet."
        )
        return Content.styled(later, "$text-muted")
    if seen.at_ms is not None:
        now_ms = seen.at_ms
    said = explain_delivery(seen.delivery, seen.attempts, seen.around, now_ms)
    style = {"ok": "$text-success", "normal": "", "strong": "bold"}.get(said.meaning, f"$text-{said.meaning}")
    parts = [Content.styled(as_of_words(seen), "$text-muted")] if seen.at_ms is not None else []
    parts += [Content.styled(sanitise(said.what.replace("\n", " ")), f"bold {style}")]
    parts += [Content(sanitise(text.replace("\n", " "))) for text in (said.why, said.next) if text]
    if seen.endpoint is not None and seen.endpoint.dry_run:
        parts.append(Content.styled("Its endpoint is in dry run: nothing is sent.", "$text-accent"))
    if seen.event.flaw is not None:
        flaw = inline(str(seen.event.flaw))
        parts.append(Content.styled(f"⚑ The payload does not match its schema: {flaw}.", "$text-warning"))
    return Content(" ").join(parts)
