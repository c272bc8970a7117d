"""Muting an alert, and letting it fire again."""

import shlex
from typing import Any

from textual.app import App

from console.domain.alerts import AlertKind, AlertRule, duration_words
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.retry import parse_duration_s
from console.operations.alerts import mute_rule
from console.store import Store
from console.ui.steering import complain, say, session_of
from console.ui.widgets.confirm import Field, FieldsScreen

MUTE_FOR = "1h"
MOST_MUTED_S = 30 * 24 * 3600.0


async def mute_or_unmute(app: App[Any], rule: AlertRule) -> bool:
    """Mute a rule for as long as is answered; one that is muted fires again at once. Returns whether it changed."""
    session = session_of(app)
    for_s: float | None = None
    reason: str | None = None
    if not rule.muted(session.clock.now_ms()):
        each = "the engine" if rule.spec.kind is AlertKind.ENGINE_STALLED else "each endpoint, not one alone"
        body = [
            f"{rule.spec.words} · {rule.endpoint_name or each}",
            "Nothing new of it fires in that time, and nothing of it is shown. What fires already goes on.",
        ]
        question = FieldsScreen(
            f"Mute alert {rule.id}",
            body,
            (
                Field(label="For how long", value=MUTE_FOR, placeholder="30m, 2h, 1d", required=True, check=mute_time),
                Field(label="Why", placeholder="reason, kept in the audit log", max_length=200),
            ),
            also=lambda texts: mute_command(rule, *texts),
        )
        answer = await app.push_screen_wait(question)
        if answer is None:
            return False
        for_s, reason = mute_time(answer[0]), answer[1] or None

    def mute(store: Store) -> AlertRule:
        now_ms = session.clock.now_ms()
        return mute_rule(store, rule.id, for_s=for_s, actor=session.actor, reason=reason, now_ms=now_ms)

    try:
        await session.write(mute)
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"alert {rule.id} {'fires again' if for_s is None else f'is muted for {duration_words(for_s)}'}")
    return True


def mute_command(rule: AlertRule, time: str, reason: str) -> list[str]:
    """The command that does the same."""
    words = [
        "webhook-console",
        "alerts",
        "mute",
        str(rule.id),
        "--for",
        time,
        *(("--reason", reason) if reason else ()),
    ]
    return ["", "the same: " + shlex.join(words)]


def mute_time(text: str) -> float:
    """Seconds. Raises InvalidInputError for what is no time, none at all, or years."""
    for_s = parse_duration_s(text)
    if not 1 <= for_s <= MOST_MUTED_S:
        raise InvalidInputError(f"mute {text[:40]!r}: 1s to {duration_words(MOST_MUTED_S)} are allowed")
    return for_s
