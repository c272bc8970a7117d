"""Files of the user's that may change while the console runs."""

from asyncio import Event
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Final

_DEBOUNCE_MS: Final = 150
"""An editor may write, rename and touch; one change is told."""


async def changed_files(
    directories: Iterable[Path], wanted: Callable[[Path], bool], stop: Event | None = None
) -> AsyncIterator[Path]:
    """Each file in the directories that is wanted, whenever it is written. Ends when `stop` is set, or by cancelling.

    Directories are watched, not files, since editors replace files; one that does not exist yet is waited for. A file
    that was removed is no change.
    """
    # Costs a native library, and only a running console needs it.
    from watchfiles import awatch

    inside = tuple(directory.resolve() for directory in directories)
    above = {parent for directory in inside for parent in (directory, *directory.parents)}

    def concerns(_: object, name: str) -> bool:
        path = Path(name)
        return (path.parent in inside and wanted(path)) or path in above

    roots = _watchable(inside)
    while stop is None or not stop.is_set():
        # Never recursive: the nearest directory that exists may be the home directory.
        changes = awatch(*roots, watch_filter=concerns, debounce=_DEBOUNCE_MS, stop_event=stop, recursive=False)
        async for batch in changes:
            paths = {Path(name) for _, name in batch} - above
            if (now := _watchable(inside)) != roots:
                paths |= {path for directory in now - roots & set(inside) for path in _files(directory, wanted)}
            for path in sorted(paths):
                if path.exists():
                    yield path
            if now != roots:
                roots = now
                break


def _watchable(directories: Iterable[Path]) -> set[Path]:
    """Of each directory itself, or the nearest above it that exists."""
    return {next(path for path in (directory, *directory.parents) if path.is_dir()) for directory in directories}


def _files(directory: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if wanted(path)]
    except OSError:
        return []
