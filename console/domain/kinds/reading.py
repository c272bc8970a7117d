"""What a kind finds in a request that is proved."""

from dataclasses import dataclass
from typing import Any

from console.domain.inbound import Reply
from console.domain.kinds.body import Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A payload, and what the provider calls it. None: it does not say."""

    payload: bytes
    value: Any
    type: str | None = None
    id: str | None = None


def found(parsed: Parsed, *, type: str | None = None, id: str | None = None) -> Found:
    return Found(payload=parsed.payload, value=parsed.value, type=type, id=id)


def reply(why: str, body: str = "", status: int = 200) -> Reply:
    """An answer to what is no event."""
    return Reply(status=status, body=body.encode("utf-8", "replace"), content_type="text/plain; charset=utf-8", why=why)
