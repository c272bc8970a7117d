"""How other processes tell the engine that something changed: rows that it reads when the store's version moves."""

from collections.abc import Iterable

from console.store.sqlite.connection import Connection

ENGINE = 0
"""The `endpoint` of a nudge that is for the engine itself."""

_INTAKE = "UPDATE meta SET value = value + 1 WHERE key = 'intake'"
_NUDGE = "INSERT INTO nudges (endpoint, settings) VALUES (?, ?)"


def work_changed(connection: Connection, endpoints: Iterable[int]) -> None:
    """What these endpoints (seq) are owed changed."""
    connection.run_many(_NUDGE, [(endpoint, 0) for endpoint in endpoints])


def settings_changed(connection: Connection, endpoint: int) -> None:
    """An endpoint (seq) was added, edited, removed, or changed its state."""
    connection.run(_NUDGE, (endpoint, 1))


def stop_asked(connection: Connection) -> None:
    """The engine is asked to end."""
    connection.run(_NUDGE, (ENGINE, 1))


def intake_changed(connection: Connection) -> None:
    """A source, a token or a schema changed: whoever takes events in reads them again."""
    connection.run(_INTAKE)
