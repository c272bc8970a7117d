"""`completion`: the script that makes a shell complete commands, endpoints, states and causes."""

import click
from click.shell_completion import ShellComplete, get_completion_class

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import say
from console.config import APP


@click.command(
    cls=ConsoleCommand,
    examples=("completion bash > ~/.local/share/bash-completion/completions/webhook-console", "completion zsh"),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_invocation
def completion(invocation: Invocation, shell: str) -> int:
    """Print the completion script of a shell.

    bash and zsh: eval "$(webhook-console completion bash)" in ~/.bashrc or ~/.zshrc. fish: save it as
    ~/.config/fish/completions/webhook-console.fish.
    """
    if invocation.json:
        raise click.UsageError("a completion script is no JSON")
    from console.cli.main import COMPLETION_VARIABLE

    kind = get_completion_class(shell)
    assert kind is not None
    # Not kind.source: for bash that runs a bash to look at its version.
    say(ShellComplete.source(kind(click.get_current_context().find_root().command, {}, APP, COMPLETION_VARIABLE)))
    return 0
