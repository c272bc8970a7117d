"""The entry point: `webhook-console`."""

import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path

from console.cli.quick_start import compile_methods_later, loading

compile_methods_later()  # before any module that makes dataclasses
with loading():
    import click

    from console import __version__
    from console.cli.commands import ConsoleGroup
    from console.cli.invocation import Invocation, invocation_of
    from console.cli.output import error, note, pointed_at
    from console.config import APP
    from console.domain.errors import ConsoleError, QueryError

DEBUG_VARIABLE = "WEBHOOK_CONSOLE_DEBUG"
COMPLETION_VARIABLE = "_WEBHOOK_CONSOLE_COMPLETE"
FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

SHOWN_WINDOWS = ("1m", "5m", "15m", "1h", "6h", "24h")
SHOWN_SCREENS = ("home", "failures", "groups", "charts", "operations", "alerts", "inbox")
"""As the domain and the screens have them, which need not be loaded to parse a command line."""

_COMMANDS = {
    "demo": "console.cli.demo:demo",
    "serve": "console.cli.engine:serve",
    "status": "console.cli.engine:status",
    "read": "console.cli.read:read",
    "stop": "console.cli.engine:stop",
    "send": "console.cli.send:send",
    "endpoints": "console.cli.endpoints:endpoints",
    "filters": "console.cli.saved:filters",
    "defaults": "console.cli.defaults:defaults",
    "apply": "console.cli.configuration:apply",
    "export": "console.cli.configuration:export",
    "recipes": "console.cli.recipes:recipes",
    "events": "console.cli.events:events",
    "deliveries": "console.cli.deliveries:deliveries",
    "attempts": "console.cli.attempts:attempts",
    "failures": "console.cli.failures:failures",
    "stats": "console.cli.stats:stats",
    "forecast": "console.cli.forecast:forecast",
    "operations": "console.cli.operations:operations",
    "secrets": "console.cli.secrets:secrets",
    "tokens": "console.cli.tokens:tokens",
    "schemas": "console.cli.schemas:schemas",
    "sources": "console.cli.sources:sources",
    "inbox": "console.cli.inbox:inbox",
    "capture": "console.cli.captures:capture",
    "listen": "console.cli.listen:listen",
    "transform": "console.cli.transform:transform",
    "verify": "console.cli.verify:verify",
    "alerts": "console.cli.alerts:alerts",
    "retention": "console.cli.retention:retention",
    "doctor": "console.cli.doctor:doctor",
    "config": "console.cli.config:config",
    "backup": "console.cli.backup:backup",
    "web": "console.cli.web:web",
    "completion": "console.cli.completion:completion",
}


@click.group(
    cls=ConsoleGroup,
    lazy=_COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=(
        "",
        "demo",
        "endpoints add https://example.com/hooks --types 'invoice.*'",
        "send invoice.paid --data '{\"id\": 42}'",
        "deliveries retry --endpoint billing --since 2h",
    ),
)
@click.option("--theme", metavar="NAME", help="The console's theme.")
@click.option("--read-only", is_flag=True, help="Open the console without the keys that change anything.")
@click.option("--no-engine", is_flag=True, help="Do not start an engine when none is running.")
@click.option("--no-state", is_flag=True, help="Do not begin as the console was left, nor remember how it is left.")
@click.option("--at", metavar="WHEN", help="Show a moment of the past, or a range: 14:02, 2h ago, 14:02..14:20.")
@click.option("--window", type=click.Choice(SHOWN_WINDOWS), help="Show rates over this window.")
@click.option("--endpoint", metavar="REF", help="Show one endpoint only.")
@click.option("--screen", type=click.Choice(SHOWN_SCREENS), help="Open this screen.")
@click.option("--filter", "filter_text", metavar="FILTER", help="Show only failures that match.")
@click.version_option(__version__, prog_name=APP, message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context, /, theme: str | None, read_only: bool, no_engine: bool, no_state: bool, **view: str | None
) -> int | None:
    """Send signed webhooks from one machine, and watch, pause and retry them.

    Without a command the console opens, and an engine is started in the background when none is running. With a file
    instead of a command, a copy or a backup of a store, it shows that as of its end, with no engine.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C, 141 the reader of the output has gone.
    """
    if ctx.invoked_subcommand is None:
        if invocation_of(ctx).json:
            raise click.UsageError("the console has no --json: give a command, such as status --json", ctx)
        return _console(invocation_of(ctx), theme, read_only, no_engine, not no_state, view)
    flags: dict[str, object] = {
        "--theme": theme, "--read-only": read_only, "--no-engine": no_engine, "--no-state": no_state,
        **{f"--{name.removesuffix('_text')}": value for name, value in view.items()},
    }  # fmt: skip
    for flag, given in flags.items():
        if given:
            raise click.UsageError(f"{flag} belongs to the console, which opens without a command", ctx)
    return None


def _console(
    invocation: Invocation,
    theme: str | None,
    read_only: bool,
    no_engine: bool,
    remember: bool,
    view: Mapping[str, str | None],
) -> int:
    """Open the console, on the store or on the copy that was named."""
    if invocation.copy_path is None and not any(view.values()):
        from console.cli.opening import open_console

        return open_console(invocation, theme=theme, read_only=read_only, no_engine=no_engine, remember=remember)
    from console.cli.viewing import Asked, open_copy, open_viewed

    asked = Asked(**view)
    if invocation.copy_path is not None:
        return open_copy(invocation, invocation.copy_path, theme=theme, asked=asked)
    return open_viewed(invocation, theme=theme, read_only=read_only, no_engine=no_engine, asked=asked)


def main() -> int:
    """Run the command line of this process. Returns the exit code."""
    _mend_streams()
    return run(sys.argv[1:])


def _mend_streams() -> None:
    """Streams that a parent closed are empty ones here, and no character is one that cannot be written."""
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115 - for as long as the process runs
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process runs
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process runs
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def run(arguments: Sequence[str], invocation: Invocation | None = None) -> int:
    """Run one command line. Every way to fail is one line on stderr, and an exit code."""
    try:
        try:
            return _invoke(arguments, invocation or Invocation(own_process=True))
        finally:
            sys.stdout.flush()
    except click.UsageError as problem:
        return _usage(problem)
    except QueryError as problem:
        return _wrong_filter(problem)
    except click.ClickException as problem:
        error(problem.format_message())
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # ends the line in which the terminal echoed ^C
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except Exception as problem:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        error(_one_line(problem))
        if isinstance(problem, OSError):
            _forget_stdout()
        return FAILED


def _invoke(arguments: Sequence[str], invocation: Invocation) -> int:
    if COMPLETION_VARIABLE in os.environ:
        cli.main(list(arguments), prog_name=APP, complete_var=COMPLETION_VARIABLE, obj=invocation)
    # Not cli.main, which answers a broken pipe and an interrupt in its own way.
    try:
        with cli.make_context(APP, list(arguments), obj=invocation) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return result if isinstance(result, int) else 0


def _usage(problem: click.UsageError) -> int:
    words = " ".join(problem.format_message().split()).rstrip(".")
    hint = f" (see '{problem.ctx.command_path} --help')" if problem.ctx is not None else ""
    error(words[:1].lower() + words[1:] + hint)
    return USAGE


def _wrong_filter(problem: QueryError) -> int:
    """One line that says what is wrong, then the filter, and a line that points at the place."""
    error(f"filter: {problem}")
    for line in pointed_at(problem):
        note(line)
    return USAGE


def _one_line(problem: Exception) -> str:
    text = str(problem).partition("\n")[0]
    if isinstance(problem, ConsoleError):
        return text
    if isinstance(problem, OSError) and problem.strerror:
        place = f"{problem.filename}: " if problem.filename else ""
        return f"{place}{problem.strerror}"
    return f"internal error: {type(problem).__name__}: {text} ({DEBUG_VARIABLE}=1 shows the traceback)"


def _forget_stdout() -> None:
    """Stdout takes no more: what is still buffered must not complain again when the interpreter ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
