"""Who has a console open on a store."""

from dataclasses import dataclass

STALE_MS = 30_000
"""A console that has not been seen for so long is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Somebody who has a console open on this store. Times are epoch ms."""

    id: str
    actor: str
    """`user@host`, with the SSH client's address when there is one."""
    place: str
    """The screen that is looked at."""
    since_ms: int
    seen_at_ms: int
