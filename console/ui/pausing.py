"""Pausing and resuming endpoints from any screen: the questions, the operation, and what is said of it afterwards."""

from collections.abc import Sequence
from typing import Any

from textual.app import App

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.ids import EndpointId
from console.domain.pacing import Pace
from console.domain.policy import parse_rate_limit
from console.domain.retry import parse_duration_s
from console.domain.time_ahead import parse_time_ahead
from console.operations.endpoints import Held, oldest_due, pace_words, pause_endpoint, resume_endpoint
from console.store import Store
from console.ui.format import countdown, date_time
from console.ui.previews import pace_lines, pause_lines, resume_lines, resumed_lines, same_line
from console.ui.steering import complain, say, session_of
from console.ui.widgets.confirm import Field, FieldsScreen, PromptScreen

REASON_MAX = 200

_OVER = " over "


def parse_pace(text: str, now_ms: int = 0) -> Pace | None:
    """`20/s`, or `20/s over 5m` to climb to it; None for an empty text.

    Raises:
        InvalidInputError
    """
    if not text.strip():
        return None
    rate, over, ramp = text.strip().lower().partition(_OVER)
    if over and not ramp.strip():
        raise InvalidInputError(f"pace {text[:40]!r}: write it as 20/s or 20/s over 5m")
    return Pace(per_s=parse_rate_limit(rate).per_s, ramp_s=parse_duration_s(ramp) if over else 0.0, since_ms=now_ms)


def parse_until(text: str, now_ms: int) -> tuple[int | None, Pace | None]:
    """When, and at what pace: `30m`, `06:00`, `2h at 20/s over 5m`; nothing for an empty text.

    Raises:
        InvalidInputError
    """
    if not text.strip():
        return None, None
    when, at, pace = text.strip().partition(" at ")
    if at and not pace.strip():
        raise InvalidInputError(f"pace {text[:40]!r}: write it as 2h at 20/s")
    return parse_time_ahead(when, now_ms), parse_pace(pace, now_ms)


def paused_lines(endpoints: Sequence[Endpoint], reason: str, until: str, now_ms: int) -> list[str]:
    """What becomes of them, and the command that does the same.

    Raises:
        InvalidInputError: the time cannot be read (yet).
    """
    at_ms, pace = parse_until(until, now_ms)
    when, _, pace_text = until.partition(" at ")
    flags = ["--until" if ":" in when else "--for", when.strip()] if at_ms is not None else []
    flags += _flags(pace_text) if pace is not None else []
    flags += ["--reason", reason] if reason else []
    lines = [] if at_ms is None else [f"Resumed {countdown(now_ms, at_ms)}, {_moment(at_ms)}{pace_words(pace)}."]
    return [*lines, *same_line(endpoints, "pause", *flags)]


def _moment(at_ms: int) -> str:
    return f"at {date_time(at_ms)[:16]}"


def _flags(text: str) -> list[str]:
    rate, over, ramp = text.strip().lower().partition(_OVER)
    return (["--rate", rate.strip()] if rate else []) + (["--ramp", ramp.strip()] if over else [])


async def pause_or_resume(app: App[Any], *endpoints: Endpoint) -> bool:
    """Pause those that are active, asking why; when none is, resume them all. Returns whether any changed."""
    active = tuple(endpoint for endpoint in endpoints if endpoint.state is EndpointState.ACTIVE)
    try:
        if active:
            return await _pause(app, active)
        return await _resume(app, endpoints)
    except ConsoleError as error:
        complain(app, error)
        return False


async def _pause(app: App[Any], endpoints: Sequence[Endpoint]) -> bool:
    session = session_of(app)
    waiting = await session.read(lambda store: read_waiting(store, endpoints))
    now_ms = session.clock.now_ms()
    question = FieldsScreen(
        f"Pause {_named(endpoints)}",
        pause_lines(endpoints, waiting),
        (
            Field(label="Why", placeholder="reason, kept in the audit log", max_length=REASON_MAX),
            Field(
                label="Resume by itself (empty: somebody has to)",
                placeholder="30m, 06:00, 2h at 20/s over 5m",
                check=lambda text: parse_until(text, now_ms),
            ),
        ),
        also=lambda texts: paused_lines(endpoints, texts[0], texts[1], now_ms),
    )
    answer = await app.push_screen_wait(question)
    if answer is None:
        return False
    reason, until = answer

    def pause_all(store: Store) -> list[tuple[Endpoint, bool]]:
        now_ms = session.clock.now_ms()
        at_ms, pace = parse_until(until, now_ms)
        return [
            pause_endpoint(
                store,
                e.id,
                actor=session.actor,
                reason=reason or None,
                now_ms=now_ms,
                resume_at_ms=at_ms,
                resume_pace=pace,
            )
            for e in endpoints
        ]

    return _say_result(app, endpoints, await session.write(pause_all))


async def _resume(app: App[Any], endpoints: Sequence[Endpoint]) -> bool:
    """How fast is asked first, when anything waits, then why."""
    session = session_of(app)
    waiting = await session.read(lambda store: read_waiting(store, endpoints))
    title = f"Resume {_named(endpoints)}"
    lines, asked = resume_lines(endpoints, waiting, session.clock.now_ms()), ""
    if any(held.count for held in waiting.values()):
        question = PromptScreen(
            f"{title}: how fast?", [*lines, *pace_lines(endpoints)], placeholder="20/s over 5m", check=parse_pace
        )
        answer = await app.push_screen_wait(question)
        if answer is None:
            return False
        lines, asked = [], answer
    else:
        lines.append("")
    reason = await _ask_reason(app, title, [*lines, *resumed_lines(endpoints, parse_pace(asked), _flags(asked))])
    if reason is None:
        return False

    def resume_all(store: Store) -> list[tuple[Endpoint, bool]]:
        now_ms = session.clock.now_ms()
        pace = parse_pace(asked, now_ms)
        return [
            resume_endpoint(store, e.id, actor=session.actor, reason=reason or None, now_ms=now_ms, pace=pace)
            for e in endpoints
        ]

    return _say_result(app, endpoints, await session.write(resume_all))


async def _ask_reason(app: App[Any], title: str, body: Sequence[str]) -> str | None:
    question = PromptScreen(title, body, placeholder="reason, kept in the audit log", max_length=REASON_MAX)
    return await app.push_screen_wait(question)


def read_waiting(store: Store, endpoints: Sequence[Endpoint]) -> dict[EndpointId, Held]:
    """What each of them is owed, and since when."""
    gauges, due = store.gauges(), oldest_due(store, endpoints)
    return {
        e.id: Held(count=gauges[e.id].pending if e.id in gauges else 0, oldest_due_ms=due.get(e.id)) for e in endpoints
    }


def _say_result(app: App[Any], asked: Sequence[Endpoint], after: Sequence[tuple[Endpoint, bool]]) -> bool:
    changed = [endpoint for endpoint, is_new in after if is_new]
    if changed:
        one = changed[0]
        at_ms = one.resume_at_ms
        now_ms = session_of(app).clock.now_ms()
        later = "" if at_ms is None else f", and resumes {countdown(now_ms, at_ms)}"
        say(app, f"{_named(changed)} {'is' if len(changed) == 1 else 'are'} {one.state}{pace_words(one.pace)}{later}")
    else:
        say(app, f"{_named(asked)} {'was' if len(asked) == 1 else 'were'} {after[0][0].state} already", warn=True)
    return bool(changed)


def _named(endpoints: Sequence[Endpoint]) -> str:
    return endpoints[0].name if len(endpoints) == 1 else f"{len(endpoints)} endpoints"
