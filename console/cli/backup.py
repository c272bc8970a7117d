"""`backup`: a copy of the store, made while an engine delivers."""

import sys
from pathlib import Path

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, note, say
from console.cli.records import path_text

_FIELDS = ("path", "size_bytes", "copied_ms", "checked_ms", "wal_bytes", "wal_grew_bytes")
WORTH_SAYING_BYTES = 64 * 1024 * 1024


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=("backup /var/backups/hooks.db", "backup hooks.db --force --json"),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file of that name.")
@pass_invocation
def backup(invocation: Invocation, file: Path, force: bool) -> int:
    """Copy the store to FILE while an engine goes on delivering: one moment of it, checked and on disk.

    The copy is a store like any other: look into it with --store FILE. It holds payloads and signing secrets, so its
    mode is 0600. Serving it delivers what was pending at that moment, be it delivered since or not.
    """
    invocation.give_way()
    progress = _Percent()
    with invocation.reading() as store:
        made = store.back_up(file.expanduser(), replace=force, progress=progress)
    progress.end()
    if invocation.json:
        emit({**{name: getattr(made, name) for name in _FIELDS}, "path": path_text(made.path)})
        return 0
    from console.cli.output import clean
    from console.ui.format import duration, size

    took = f"copied in {duration(made.copied_ms)}, checked in {duration(made.checked_ms)}"
    say(f"{clean(str(made.path))}  {size(made.size_bytes)}, {took}")
    if made.wal_grew_bytes >= WORTH_SAYING_BYTES:
        note(f"meanwhile the store's write-ahead log grew by {size(made.wal_grew_bytes)}; the engine shortens it again")
    return 0


class _Percent:
    """How far it is, on stderr, replacing itself; silent when stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = done * 100 // max(1, total)
        if percent != self._shown and sys.stderr.isatty():
            self._shown = percent
            sys.stderr.write(f"\r{'checking…' if done >= total else f'copied {percent} %'}\x1b[K")
            sys.stderr.flush()

    def end(self) -> None:
        """Take it off the screen."""
        if self._shown >= 0:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
