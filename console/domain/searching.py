"""Reads that take no longer than they may: what was found so far, and where to go on."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from console.domain.ids import EndpointId

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """What matches, of what was looked at. It may be fewer than were asked for, or none, and there may still be more.

    Whoever wants more asks again with `before=reached` (or `after=reached`, where that was asked).
    """

    rows: tuple[T, ...]
    reached: int
    """Everything from this number on was looked at (down to it; upwards: up to it), this one included."""
    done: bool
    """Beyond `reached` there is nothing that matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many match, of what was looked at."""

    by_endpoint: dict[EndpointId, int]
    complete: bool
    """Everything was looked at; else these are at least so many."""

    @property
    def total(self) -> int:
        return sum(self.by_endpoint.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStatus:
    """How far the words of payloads and responses are indexed. What is newer is looked through row by row."""

    indexed_event: int
    newest_event: int
    """Numbers of events."""
    indexed_attempt: int
    newest_attempt: int
    lag_s: float
    """Age of the oldest event or response that waits to be indexed; 0: none does."""

    @property
    def behind(self) -> int:
        """How many events and attempts are not indexed yet."""
        return self.newest_event - self.indexed_event + self.newest_attempt - self.indexed_attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What a piece of indexing came to."""

    stale_up_to: int | None
    """Notes of what was deleted are seen to up to this one; None: there were none."""
    more: bool
    """There is enough left for another piece at once."""
