"""Which SQLite is used.

Versions up to 3.51.2, but for 3.44.6 and 3.50.7, can lose committed writes when two connections write and checkpoint at
once (the WAL-reset race, https://www.sqlite.org/wal.html#walresetbug). `pysqlite3` bundles a good one and is what
sqlite-utils takes when it is installed, so it comes first; else the standard library's, whose version decides whether
a store may be written at all.
"""

import importlib
import sqlite3 as standard
from typing import TYPE_CHECKING

FIRST_SAFE = (3, 51, 3)
BACKPORTED = frozenset({(3, 44, 6), (3, 50, 7)})


def is_safe(version: tuple[int, ...]) -> bool:
    """Whether a version of SQLite has the WAL-reset race mended."""
    return version >= FIRST_SAFE or version in BACKPORTED or (version[:2] == (3, 44) and version > (3, 44, 6))


if TYPE_CHECKING:
    sqlite3 = standard
else:
    try:
        sqlite3 = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        sqlite3 = standard

MAY_WRITE = is_safe(sqlite3.sqlite_version_info)
