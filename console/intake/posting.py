"""`POST /v1/events`: the one path that must be fast. Read, checked, kept on disk, answered."""

from collections.abc import Sequence

import msgspec

from console.domain.event import Accepted, NewEvent
from console.domain.event_schema import Flaw
from console.domain.loops import Loop
from console.domain.outcome import Headers
from console.domain.token import Token
from console.intake.acceptor import Taken, keyed
from console.intake.desk import Desk
from console.intake.parsing import FAULTS_MOST, not_accepted, parse_events
from console.intake.problems import Fault, Header, Problem
from console.operations.accepting import Refusal

KEY_MOST = 255

_JSON: Header = (b"content-type", b"application/json")
_REPLAYED: Header = (b"idempotent-replayed", b"true")


class AcceptedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is on disk."""

    id: str
    duplicate: bool
    """Its id had been accepted before: nothing was changed."""
    deliveries: int
    """To how many endpoints it is owed."""


class AcceptedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Events that are on disk, in the order in which they were posted."""

    accepted: list[AcceptedEvent]


_encode = msgspec.json.Encoder().encode


async def post_events(
    desk: Desk, token: Token, *, body: bytes, content_type: str, key: str | None, way: Headers = ()
) -> tuple[bytes, list[Header]]:
    """Accept what was posted. Returns the answer to it, a 202, as JSON, and its header fields.

    Args:
        way: the headers that say which way it has come.

    Raises:
        Problem: it is wrong, and nothing was accepted.
        ConsoleError: the store could not take it; nothing was accepted.
    """
    passage = desk.checks.way(way) if way else None
    if isinstance(passage, Loop):
        raise Problem(508, passage.reason)
    events, is_batch = parse_events(body, content_type)
    events = _let_in(await desk.checks.check(events, passage), is_batch=is_batch)
    if key is None:
        taken = await desk.acceptor.accept(events)
    else:
        _check_key(key)
        own = [Fault(item=n, field="id", reason=_TWO_IDS) for n, event in enumerate(events) if event.id is not None]
        if own:
            raise Problem(400, f"nothing was accepted: {_TWO_IDS}", errors=own[:100])
        events, beyond = keyed(events, token.id, key)
        taken = await desk.acceptor.accept(events, beyond=beyond)
    return _answer(taken, is_batch=is_batch), [_JSON, _REPLAYED] if taken.replayed else [_JSON]


def _let_in(checked: Sequence[NewEvent | Refusal], *, is_batch: bool) -> list[NewEvent]:
    """All of them, or none."""
    events = [one for one in checked if isinstance(one, NewEvent)]
    if len(events) < len(checked):
        refused = [(number, one.flaw) for number, one in enumerate(checked) if isinstance(one, Refusal)]
        raise not_accepted(
            [_fault(flaw, number if is_batch else None) for number, flaw in refused[:FAULTS_MOST]],
            status=422,
            count=len(refused),
        )
    return events


def _fault(flaw: Flaw, item: int | None) -> Fault:
    below = flaw.path if not flaw.path or flaw.path.startswith("[") else f".{flaw.path}"
    return Fault(item=item, field=f"data{below}", reason=f"{flaw.reason} (schema {flaw.pattern} v{flaw.version})")


_TWO_IDS = "with an Idempotency-Key events have no id of their own: leave out one of the two"


def _check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_MOST or not key.isascii() or not key.isprintable():
        raise Problem(400, f"Idempotency-Key: 1 to {KEY_MOST} printable ASCII characters")


def _answer(taken: Taken, *, is_batch: bool) -> bytes:
    if is_batch:
        return _encode(AcceptedBatch(accepted=[_shape(one) for one in taken.answers]))
    return _encode(_shape(taken.answers[0]))


def _shape(one: Accepted) -> AcceptedEvent:
    return AcceptedEvent(id=one.id, duplicate=one.duplicate, deliveries=one.deliveries)
