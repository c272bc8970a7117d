"""Questions before what cannot be undone."""

import sys

import click

from console.cli.output import note


class DeclinedError(click.ClickException):
    """The operator said no."""


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when the operator agrees; No is the default.

    Raises:
        DeclinedError: the answer was no.
        click.UsageError: there is nobody to ask, and `--yes` was not given.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on: give --yes")
    if not click.confirm(question, default=False, err=True):
        raise DeclinedError("nothing was changed")


def plural(n: int, word: str, words: str | None = None) -> str:
    """`1 delivery`, `1,200 deliveries`."""
    return f"{n:,} {word if n == 1 else words or word + 's'}"


class Progress:
    """A count on stderr that replaces itself; silent when stderr is no terminal."""

    def __init__(self, total: int) -> None:
        self._total, self._shown = total, False

    def __call__(self, done: int) -> None:
        if done < self._total and sys.stderr.isatty():
            sys.stderr.write(f"\r{done:,} of {self._total:,}\x1b[K")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        """Take the count off the screen."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def nothing(text: str) -> None:
    """Say on stderr that a list is empty, so that stdout stays empty for programs."""
    note(text)
