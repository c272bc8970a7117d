"""What every group of queries stands on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.store.sqlite.connection import Connection


class Queries:
    """One connection, and transactions that may span several groups."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def path(self) -> Path:
        return self._connection.path

    @property
    def read_only(self) -> bool:
        return self._connection.read_only

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[None]:
        try:
            with self._connection.transaction(wait=wait):
                yield
        except BaseException:
            self._forget()
            raise

    @contextmanager
    def _erasing(self) -> Iterator[None]:
        """A transaction in which what is replaced is overwritten in its page, not only let go of: secrets."""
        self._connection.run("PRAGMA secure_delete=ON")
        try:
            with self.transaction():
                yield
        finally:
            self._connection.run("PRAGMA secure_delete=OFF")

    def _forget(self) -> None:
        """Drop what was remembered from a transaction that did not come to be."""

    def interrupt(self) -> None:
        self._connection.interrupt()

    def go_on(self) -> None:
        self._connection.go_on()

    def close(self) -> None:
        self._connection.close()
