"""Which endpoints want an event."""

import re
from collections.abc import Iterable

from console.domain.errors import InvalidInputError
from console.domain.event import check_event_type

_PATTERN = re.compile(r"\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?")

OPERATIONAL_PREFIX = "webhook."
"""How the types of operational events begin."""


def check_told_type(text: str) -> str:
    """A type that somebody else gives an event: whoever wants operational events is to believe them.

    Raises:
        InvalidInputError
    """
    if text.startswith(OPERATIONAL_PREFIX):
        raise InvalidInputError(
            f"event type {text[:60]!r}: {OPERATIONAL_PREFIX}… is what webhook-console says of itself; choose another"
        )
    return check_event_type(text)


def check_pattern(text: str) -> str:
    """`*`, a type (`invoice.paid`), or a type's beginning and everything below it (`invoice.*`).

    Raises:
        InvalidInputError
    """
    if not _PATTERN.fullmatch(text):
        raise InvalidInputError(f"type pattern {text[:60]!r}: use a type (invoice.paid), a branch (invoice.*) or *")
    return text


def pattern_matches(pattern: str, event_type: str) -> bool:
    """`invoice.*` matches `invoice.paid` and `invoice.line.added`, not `invoice` itself.

    `*` leaves out what this product says of itself (`webhook.endpoint.tripped`…): who wants that says `webhook.*`.
    """
    if pattern == "*":
        return not event_type.startswith(OPERATIONAL_PREFIX)
    if pattern == event_type:
        return True
    return pattern.endswith(".*") and event_type.startswith(pattern[:-1])


def first_match(patterns: Iterable[str], event_type: str) -> str | None:
    """The rule by which an endpoint wants a type; None when it does not."""
    return next((p for p in patterns if pattern_matches(p, event_type)), None)
