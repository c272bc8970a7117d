"""`POST /v1/events`: the one path that must be fast. Read, checked, kept on disk, answered."""

import msgspec

from console.domain.event import Accepted
from console.domain.token import Token
from console.intake.acceptor import Taken, keyed
from console.intake.desk import Desk
from console.intake.parsing import parse_events
from console.intake.problems import Fault, Header, Problem

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
    desk: Desk, token: Token, *, body: bytes, content_type: str, key: str | None
) -> tuple[bytes, list[Header]]:
    """Accept what was posted. Returns the answer to it, a 202, as JSON, and its header fields.

    Raises:
        Problem: it is wrong, and nothing was accepted.
        ConsoleError: the store could not take it; nothing was accepted.
    """
    events, is_batch = parse_events(body, content_type)
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
