"""Where everything is kept. The only place that knows SQL; the rest of the product sees `protocol.Store`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from console.domain.copy import StoreCopy
    from console.store.protocol import Store

__all__ = ["Store", "check_store", "copy_to_look_at", "open_copied_store", "open_store"]


def open_store(path: Path, *, read_only: bool = False, create: bool = True, any_thread: bool = False) -> "Store":
    """Open the store at `path` for the calling thread, making or migrating it first when that is needed.

    Args:
        path: the SQLite file; its folder is made with mode 0700, the file with 0600.
        read_only: nothing is ever written, not even a migration.
        create: a store that is not there is made; else that is an error.
        any_thread: several threads will take turns with it, one at a time; else another thread's use is an error.

    Raises:
        StoreError: one line that names the file, what is wrong and the way out.
    """
    from console.store.sqlite.opening import open_sqlite_store

    return open_sqlite_store(path, read_only=read_only, create=create, any_thread=any_thread)


def check_store(path: Path, *, read_only: bool = False, create: bool = True) -> None:
    """Do all that `open_store` does, and keep nothing open. Raises StoreError as that does."""
    from console.store.sqlite.opening import make_ready

    make_ready(path, read_only=read_only, create=create)


def copy_to_look_at(path: Path) -> "AbstractContextManager[StoreCopy]":
    """A copied or backed-up store that can be opened while the block runs; nothing is ever written beside it.

    Raises:
        StoreError: there is none, or it is torn, or of a schema that cannot be read.
    """
    from console.store.sqlite.copies import copy_to_look_at as look_at

    return look_at(path)


def open_copied_store(copy: "StoreCopy") -> "Store":
    """The store of a copy, for the calling thread, for reading only. Raises StoreError."""
    from console.store.sqlite.copies import open_copied_store as open_it

    return open_it(copy)


def __getattr__(name: str) -> Any:
    # Only who looks at the protocol while it runs needs it loaded.
    if name == "Store":
        from console.store.protocol import Store

        return Store
    raise AttributeError(name)
