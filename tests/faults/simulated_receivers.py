"""Receivers of a simulated world: each has a mood, and what it answers in it is drawn."""

from collections.abc import Awaitable, Callable
from random import Random

from console.domain.outcome import Cause, Failure, Outcome, Request, Response

Sleep = Callable[[float], Awaitable[None]]

MOODS = (
    "well",
    "well",
    "slow",
    "failing",
    "hanging",
    "flapping",
    "busy",
    "resetting",
    "refusing",
    "unreachable",
    "mixed",
)
FLAPS_EVERY_S = 40.0


async def answer(mood: str, request: Request, random: Random, elapsed_s: float, sleep: Sleep) -> Outcome:
    """What a receiver of this mood answers, after as long as it takes, within the request's time."""
    if mood == "mixed":
        mood = random.choice(("well", "failing", "hanging", "busy", "resetting"))
    if mood == "flapping":
        mood = "well" if int(elapsed_s / FLAPS_EVERY_S) % 2 else "failing"
    if mood == "unreachable":
        return await _no_answer(Cause.TIMEOUT_CONNECT, request.connect_timeout_s, sleep)
    takes_s = {"slow": random.uniform(0, 1.5) * request.total_timeout_s, "hanging": 1e9}.get(
        mood, random.choice((0.0, 0.001, 0.02, 0.3))
    )
    if takes_s >= request.total_timeout_s:
        return await _no_answer(Cause.TIMEOUT_READ, request.total_timeout_s, sleep)
    if mood == "resetting":
        return await _no_answer(Cause.RESET, takes_s, sleep)
    await sleep(takes_s)
    status, headers = _status(mood, random)
    ms = takes_s * 1000
    return Response(status=status, headers=headers, body=b"", body_truncated=False, first_byte_ms=ms, total_ms=ms)


def _status(mood: str, random: Random) -> tuple[int, tuple[tuple[str, str], ...]]:
    match mood:
        case "failing":
            return random.choice((500, 502, 503)), ()
        case "busy":
            return random.choice((429, 503)), (("retry-after", random.choice(("0", "3", "120", "7200", "soon"))),)
        case "refusing":
            return random.choice((400, 404, 302)), ()
        case "gone":
            return 410, ()
        case _:
            return random.choice((200, 201, 204)), ()


async def _no_answer(cause: Cause, takes_s: float, sleep: Sleep) -> Failure:
    await sleep(takes_s)
    return Failure(cause=cause, detail=f"simulated: {cause}", total_ms=takes_s * 1000)
