"""A copy of the store."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a copy took."""

    path: Path
    size_bytes: int
    copied_ms: int
    """While the copy was made the write-ahead log could only grow: from the first page to the last."""
    checked_ms: int
    wal_bytes: int
    """The log's size when the copy was done."""
    wal_grew_bytes: int
