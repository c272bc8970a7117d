"""What the flags of one invocation say, and the store behind them: the composition root of every command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.config import KEY_FILE_VARIABLE, KEY_VARIABLE, keyring, store_path
from console.domain.clock import Clock, SystemClock
from console.domain.sealing import Keyring
from console.store import open_store

if TYPE_CHECKING:
    from console.store import Store

_NICE = 10


@dataclass(slots=True, kw_only=True)
class Invocation:
    """Filled in while the command line is parsed: `--store` and `--json` may stand before or after a subcommand."""

    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    store_flag: Path | None = None
    copy_path: Path | None = None
    """A file that was named instead of a command: a copy of a store, to be looked at."""
    json: bool = False
    own_process: bool = False
    """This process does nothing else."""
    key_file: Path | None = None

    @property
    def store_path(self) -> Path:
        """The store that the flags and the environment name."""
        return store_path(self.store_flag, self.environ)

    @property
    def keys(self) -> Keyring:
        """What seals and opens secrets. Raises ConfigError when it is not right."""
        return keyring(self.key_file, self.environ)

    def give_way(self) -> None:
        """Let others on this machine go first from now on: for what reads all of a store while an engine delivers."""
        if self.own_process:
            os.nice(_NICE)

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """The store, for reading only. Raises StoreError when there is none."""
        with _closing(open_store(self.store_path, read_only=True, create=False)) as store:
            yield store

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[Store]:
        """The store, for an operation; `create` makes one that is not there. Raises StoreError."""
        with _closing(open_store(self.store_path, create=create)) as store:
            yield store


@contextmanager
def _closing(store: Store) -> Iterator[Store]:
    try:
        yield store
    finally:
        store.close()


pass_invocation = click.make_pass_decorator(Invocation)
"""Hands a command its Invocation as first argument."""


def invocation_of(ctx: click.Context) -> Invocation:
    """The Invocation of a context; one for the environment when none was given (shell completion)."""
    found = ctx.find_object(Invocation)
    if found is None:
        found = ctx.find_root().obj = Invocation()
    return found


def _set_key_file(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        invocation_of(ctx).key_file = value.expanduser()


key_file_option = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    expose_value=False,
    callback=_set_key_file,
    help=f"The keys that seal secrets in the store. Default: ${KEY_VARIABLE}, else ${KEY_FILE_VARIABLE}, else none.",
)
"""For commands that seal or open secrets: fills in the Invocation's `keys`."""
