"""A copied or backed-up store that is opened to be looked at, with no engine."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Reading(StrEnum):
    """How a copy can be read without writing anything beside it."""

    WHOLE = "whole"
    """Nothing belongs to it but the file itself."""
    WITH_LOG = "with_log"
    """Its write-ahead log holds commits that the file does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCopy:
    """Which file was named, which is read, and when the copy ends."""

    path: Path
    opened: Path
    """The same, or a migrated copy of it that is deleted in the end."""
    reading: Reading
    as_of_ms: int
    """Its newest activity, epoch ms: everything in it is looked at from then."""
    notice: str | None = None
    """What had to be done to read it, for the operator."""
