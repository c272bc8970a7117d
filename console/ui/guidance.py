"""What to do where there is nothing yet to look at, and what stands in the way of delivering. Pure."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from console.domain.status import EngineStatus
from console.ui.format import counted
from console.ui.widgets.header import GONE_AFTER_S

Line = tuple[str, str]
"""A key or a command, and what it does; either may be empty."""

SEND = """webhook-console send invoice.paid --data '{"amount": 12}'"""
SERVE = "webhook-console serve"
LISTEN = "webhook-console serve --listen 127.0.0.1:8400"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What guidance depends on."""

    read_only: bool
    live: bool
    """What is shown is now, and not the past or a copy."""
    engine_alive: bool
    pending: int
    store: Path | None
    """The store, where a command must name it; None: it is the one that commands take by themselves."""

    def command(self, words: str) -> str:
        """A command line that works on this store."""
        return words if self.store is None else f"{words} --store {shlex.quote(str(self.store))}"


def alive(engine: EngineStatus | None, now_ms: int) -> bool:
    """Whether an engine may be delivering: one that is silent for a moment is late, and not gone."""
    if engine is None or engine.stopped_at_ms is not None:
        return False
    return now_ms - engine.heartbeat_at_ms < GONE_AFTER_S * 1000


def no_endpoints(standing: Standing) -> list[Line]:
    """The way from nothing to the first delivery."""
    if standing.read_only or not standing.live:
        return [
            ("", "Nothing is set up in this store" + ("." if standing.live else " at this moment.")),
            ("", ""),
            ("", "It is opened for looking only: open it without --read-only to add an endpoint.")
            if standing.live
            else ("L", "goes back to what is now"),
        ]
    return [
        ("", "An endpoint is a URL that wants events. Three ways to begin:"),
        ("", ""),
        ("n", "adds the first one here, in a form"),
        (standing.command("webhook-console endpoints add URL"), ""),
        ("", "    adds it from another shell"),
        ("webhook-console demo", ""),
        ("", "    all of this at work: receivers that misbehave, a store of its own"),
        ("", ""),
        ("", "Then t sends the endpoint a test event, and this one of your own:"),
        (standing.command(SEND), ""),
        *engine_lines(standing),
    ]


def no_attempts(standing: Standing) -> str:
    """What the list of attempts says while there are none."""
    if not standing.live:
        return "No attempt by then."
    if standing.read_only:
        return "No attempt yet."
    if standing.pending and standing.engine_alive:
        waiting = counted(standing.pending, "delivery waits", "deliveries wait")
        return f"No attempt yet: {waiting}, for its time or for an endpoint that is held."
    if standing.pending:
        waiting = counted(standing.pending, "delivery waits", "deliveries wait")
        return f"No attempt yet: {waiting}, and no engine is running. Start one:\n\n{standing.command(SERVE)}"
    lines = ["No event yet. t sends a test event to the endpoint above. One of your own:", "", standing.command(SEND)]
    lines += [command or words for command, words in engine_lines(standing)]
    return "\n".join(lines)


def engine_lines(standing: Standing) -> list[Line]:
    """That no engine is running, and how one is started; nothing when one is."""
    if standing.engine_alive or standing.read_only or not standing.live:
        return []
    return [
        ("", ""),
        ("", "■ No engine is running: nothing is sent until one does:"),
        (standing.command(SERVE), ""),
    ]


def held_up(standing: Standing) -> str:
    """What keeps everything from being delivered, in a line; empty when nothing does."""
    if standing.engine_alive or standing.read_only or not standing.live or not standing.pending:
        return ""
    waiting = counted(standing.pending, "delivery waits", "deliveries wait")
    return f"■ no engine is running and {waiting}: {standing.command(SERVE)}"


# The inbox


def no_sources(standing: Standing, *, listening: bool) -> list[Line]:
    """The way from nothing to the first request that comes in."""
    if not standing.live:
        return [
            ("", "Nothing had come in by then, and there is no source."),
            ("", ""),
            ("L", "goes back to what is now"),
        ]
    if standing.read_only:
        return [
            ("", "There is no source: nothing can come in."),
            ("", ""),
            ("", "It is opened for looking only: open it without --read-only to add one in another shell."),
        ]
    lines = [
        ("", "A source is a URL at which webhooks come in. Two ways to begin:"),
        ("", ""),
        ("n", "makes a throw-away URL that records whatever is sent to it. In another shell:"),
        (standing.command("webhook-console capture new"), ""),
        ("", ""),
        ("", "A URL for a provider: what is genuine becomes an event, the rest is kept and refused."),
        (standing.command("webhook-console sources add stripe --kind stripe --secret @FILE"), ""),
    ]
    return (
        lines
        if listening
        else [*lines, ("", ""), ("", "■ The engine takes in what comes once it listens:"), _listen(standing)]
    )


def _listen(standing: Standing) -> Line:
    return standing.command(LISTEN), ""


def no_arrivals(standing: Standing, url: str) -> str:
    """What the list of requests says while there are none. `url`: of a source, or empty."""
    if not standing.live:
        return "Nothing had come in by then."
    lines = ["Nothing has come in yet."]
    if url:
        lines += ["", f"curl -d '{{\"hello\": 1}}' -H 'content-type: application/json' {url}"]
    return "\n".join(lines)


def not_listening(standing: Standing, *, listening: bool) -> str:
    """Why nothing can come in, in a line; empty when it can."""
    if not standing.live or standing.read_only or (listening and standing.engine_alive):
        return ""
    why = "the engine does not listen" if standing.engine_alive else "no engine is running"
    return f"■ {why}: what is sent to these URLs is refused: {standing.command(LISTEN)}"
