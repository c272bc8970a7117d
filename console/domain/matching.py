"""Which endpoints want an event."""

import re
from collections.abc import Iterable

from console.domain.errors import InvalidInputError

_PATTERN = re.compile(r"\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?")

OPERATIONAL_PREFIX = "webhook."
"""How the types of operational events begin."""


def check_pattern(text: str) -> str:
    """`*`, a type (`invoice.paid`), or a type's beginning and everything below it (`invoice.*`).

    Raises:
        InvalidInputError
    """
    if not _PATTERN.fullmatch(text):
        raise InvalidInputError(f"type pattern {text!r}: use a type (invoice.paid), a branch (invoice.*) or *")
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
