"""What an operation changed, kept with it in the audit log so that it can be shown and taken back."""

from dataclasses import dataclass
from typing import Any

from console.domain.ids import OperationId

Values = dict[str, Any]
"""By the name of a part; values as JSON has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The parts of one thing before and after an operation, as far as they differ. Never a secret."""

    subject: str
    """The id of what was changed: an endpoint's, an event's, an alert rule's, or `defaults`."""
    before: Values | None = None
    """None: it was not there."""
    after: Values | None = None
    """None: it is gone."""
    hidden: tuple[str, ...] = ()
    """Parts that changed, and whose values are not kept since they may hold a secret."""
    undoes: OperationId | None = None
    """The operation that this one took back."""
