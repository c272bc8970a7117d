"""Exceptions a user can meet. Their text is one line: what, where, and what to do."""

_TEXT_CAP = 1500


class ConsoleError(Exception):
    """Something the user can act on. The command line prints it as one line and exits with 1."""

    def __str__(self) -> str:
        return one_line(super().__str__(), _TEXT_CAP)


class ConfigError(ConsoleError):
    """A setting, flag or file of configuration is wrong."""


class StoreError(ConsoleError):
    """The store cannot be opened, read or written."""


class UnknownReferenceError(ConsoleError):
    """An id or a name that the store does not know."""


class InvalidInputError(ConsoleError):
    """A value was refused whole; the message names the place."""


class QueryError(InvalidInputError):
    """A filter is wrong at one place: characters `start` up to `end` of `text`."""

    def __init__(self, words: str, *, text: str, start: int, end: int) -> None:
        super().__init__(words)
        self.text, self.start, self.end = text, start, end


class TransformError(ConsoleError):
    """A filter or a transform failed on an event, at one place of one of its parts."""

    def __init__(self, words: str, *, part: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(words)
        self.part, self.line, self.column = part, line, column


class EngineRunningError(ConsoleError):
    """Another engine holds this store."""


class StoreBusyError(StoreError):
    """Another process holds the store's write lock, and has for as long as was to be waited."""


class ReadInterruptedError(StoreError):
    """What was being read is no longer wanted: somebody interrupted it. Whoever asked ignores it."""


class SealedError(ConsoleError):
    """A secret is sealed, and none of the keys at hand opens it."""


class FencedError(StoreError):
    """A newer engine has taken over this store: this one must stop."""


def one_line(text: str, most: int = 240) -> str:
    """What somebody else wrote, in a sentence of ours: nothing in it moves a cursor, and it is not endless."""
    plain = text if len(text) <= most else text[:most] + "…"
    return plain if plain.isprintable() else "".join(char if char.isprintable() else " " for char in plain)
