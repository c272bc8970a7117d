"""`web`: the console in a browser on this machine."""

import asyncio
import sys

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import flush, note, say, warn
from console.cli.parameters import THEME
from console.domain.errors import ConsoleError
from console.store import open_store

PORT = 8500


@click.command(cls=ConsoleCommand, examples=("web", "web --read-only --port 9000"))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="N",
    help="On 127.0.0.1; 0: any that is free.",
)
@click.option("--read-only", is_flag=True, help="Without the keys that change anything.")
@click.option("--theme", type=THEME, metavar="NAME", help="The console's theme.")
@pass_invocation
def web(invocation: Invocation, port: int, read_only: bool, theme: str | None) -> None:
    """Show the console in a browser on this machine.

    It listens on loopback alone, and the address that is printed holds a secret: whoever opens it acts as you. From
    another machine, forward the port through SSH: ssh -L 8500:127.0.0.1:8500 HOST.

    Needs the extra: pip install 'webhook-console[web]'.
    """
    if invocation.json:
        raise click.UsageError("web has no --json")
    try:
        from console.ui.web import serve_web
    except ImportError:
        raise ConsoleError("web: textual-serve is not installed: pip install 'webhook-console[web]'") from None
    path = invocation.store_path
    open_store(path, read_only=read_only, create=not read_only).close()
    flags = [*(("--read-only",) if read_only else ()), *(("--theme", theme) if theme else ())]
    command = [sys.executable, "-m", "console", "--store", str(path), *flags]

    def ready(address: str) -> None:
        warn("whoever opens this address acts as you: keep it to yourself")
        say(address)
        note("Ctrl-C ends it")
        flush()

    try:
        asyncio.run(serve_web(command, port=port, ready=ready))
    except OSError as problem:
        raise ConsoleError(f"port {port}: {problem.strerror or problem}: choose another with --port") from None
