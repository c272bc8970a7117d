"""Commands that share --store and --json, show examples in their help, and are imported when they are called."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from console.cli.invocation import invocation_of
from console.config import STORE_VARIABLE


def _set_store(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        invocation_of(ctx).store_flag = value


def _set_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        invocation_of(ctx).json = True


def _shared_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--store"],
            type=click.Path(path_type=Path),
            metavar="PATH",
            expose_value=False,
            callback=_set_store,
            help=f"The store to work on. Default: ${STORE_VARIABLE}, else store.db in the XDG data folder.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_set_json,
            help="Print JSON: one object, or one object a line for lists and tails.",
        ),
    ]


class ConsoleCommand(click.Command):
    """A command with the shared options.

    Args:
        examples: whole command lines for the help, without the program's name; each is parsed in a test.
        json_fields: the names in each object of its `--json` output, for the help.
    """

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), json_fields: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples, self.json_fields = tuple(examples), tuple(json_fields)
        self.params.extend(_shared_options())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.json_fields:
            with formatter.section("JSON fields"):
                formatter.write_text(", ".join(self.json_fields))
        _write_examples(self.examples, ctx, formatter)


class ConsoleGroup(click.Group):
    """A group with the shared options, whose commands are imported when they are named.

    Args:
        lazy: name → `module:attribute` of its command, in the order that the help shows.
        examples: see ConsoleCommand.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, str] | None = None, examples: Sequence[str] = (), **kwargs: Any
    ) -> None:
        kwargs.setdefault("no_args_is_help", False)
        kwargs.setdefault("subcommand_metavar", "COMMAND [ARGS]...")
        super().__init__(*args, **kwargs)
        self.lazy, self.examples = dict(lazy or {}), tuple(examples)
        self.params.extend(_shared_options())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        named = [*ctx._protected_args, *ctx.args]
        if ctx.parent is None and named and not ctx.resilient_parsing and self._is_file(ctx, named[0]):
            # A store to look at, with the console's flags before and after it.
            del given[len(given) - len(named)]
            ctx._protected_args, ctx.args = [], []
            rest = super().parse_args(ctx, given)
            if left := [*ctx._protected_args, *ctx.args]:
                raise click.UsageError(f"{left[0]}: a command takes its store by --store", ctx)
            invocation_of(ctx).copy_path = Path(named[0])
        return rest

    def _is_file(self, ctx: click.Context, word: str) -> bool:
        """Whether a word is a file, and no command; what looks like one and is not there is said to be missing."""
        if self.get_command(ctx, word) is not None:
            return False
        if Path(word).is_file():
            return True
        if "/" in word or word.endswith(".db"):
            raise click.UsageError(f"there is no command and no file {word!r}", ctx)
        return False

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        _write_examples(self.examples, ctx, formatter)


def _write_examples(examples: Sequence[str], ctx: click.Context, formatter: click.HelpFormatter) -> None:
    if not examples:
        return
    name = ctx.find_root().info_name
    with formatter.section("Examples"):
        for example in examples:
            # Not write_text: a command line that is wrapped cannot be pasted.
            formatter.write(f"{'':>{formatter.current_indent}}{name} {example}".rstrip() + "\n")
