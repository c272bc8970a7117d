"""Order of delivery: which events wait for which.

An endpoint whose policy says `fifo` gets the events of one order key strictly in the order in which they were accepted.
Its open deliveries (pending, sending, failed) with one key stand in a *line*, by age. The first is the *head*: it alone
is sent, retried and waited for. The others are *blocked* until it was delivered, cancelled or skipped. A failed head
keeps blocking its line, and no other, until an operator retries or skips it.

Outside of any line stand test events, and what was delivered before and is sent again by hand: both go at once.
"""

import json
from typing import Any

from console.domain.policy import DeliveryPolicy, Ordering

BLOCKED_AT_MS = 2**53 - 1
"""The due time of a delivery that waits for those before it. It never comes, so that a claim passes it over."""

_LONGEST = 100

Path = tuple[str, ...]
"""A path into a payload, by name or, in a list, by number; empty: the whole endpoint is one line."""


def order_path(policy: DeliveryPolicy) -> Path | None:
    """Where the order key is found in a payload; None: the endpoint wants no order."""
    if policy.ordering is not Ordering.FIFO:
        return None
    return tuple(policy.order_key.split(".")) if policy.order_key else ()


def value_at(payload: Any, path: Path) -> Any:
    """What a decoded payload has at a path; None when it has nothing there."""
    value = payload
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 7:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def order_key(payload: Any, path: Path) -> str:
    """The key of a decoded payload. What has nothing at the path, or null, shares the key "".

    A text is its own key; anything else is its JSON with sorted names. A key that is long or not printable is hashed.
    """
    value = value_at(payload, path)
    if value is None or not path:
        return ""
    key = (
        value
        if isinstance(value, str)
        else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    )
    if len(key) > _LONGEST or not key.isprintable():
        from hashlib import sha256  # loads OpenSSL, for what is rare

        return "sha256:" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return key
