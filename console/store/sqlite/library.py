"""Which SQLite is used.

Versions up to 3.51.2, but for 3.44.6 and 3.50.7, can lose committed writes when two connections write and checkpoint at
once (the WAL-reset race, https://www.sqlite.org/wal.html#walresetbug). `pysqlite3` bundles a good one and is what
sqlite-utils takes when it is installed, so it comes first; else the standard library's, whose version decides whether
a store may be written at all.
"""

import importlib
from typing import TYPE_CHECKING

FIRST_SAFE = (3, 51, 3)
BACKPORTED: dict[tuple[int, ...], int] = {(3, 44): 6, (3, 50): 7}
"""Release lines that got the mend too, and the first patch that has it."""


def is_safe(version: tuple[int, ...]) -> bool:
    """Whether a version of SQLite has the WAL-reset race mended."""
    first_patch = BACKPORTED.get(version[:2])
    return version >= FIRST_SAFE or (first_patch is not None and version[2] >= first_patch)


if TYPE_CHECKING:
    import sqlite3 as sqlite3
else:
    try:
        sqlite3 = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        sqlite3 = importlib.import_module("sqlite3")

MAY_WRITE = is_safe(sqlite3.sqlite_version_info)
