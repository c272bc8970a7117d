"""`recipes`: configuration files for what many want."""

import click
from click.shell_completion import CompletionItem

from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, say
from console.cli.parameters import Checked


@click.group(
    cls=ConsoleGroup, examples=("recipes list", "recipes show stripe-payments", "recipes show form-to-slack --json")
)
def recipes() -> None:
    """Files for 'apply': form to Slack, Stripe to CRM, GitHub to chat, and others.

    Put one in a file, set the variables that its first lines name, change what you like, and apply it:
    webhook-console recipes show stripe-payments > webhooks.toml
    """


class _RecipeName(Checked):
    def __init__(self) -> None:
        super().__init__("name", str)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        from console.recipes import recipes as all_recipes

        return [CompletionItem(one.name, help=one.about) for one in all_recipes() if one.name.startswith(incomplete)]


@recipes.command("list", cls=ConsoleCommand, json_fields=("name", "about"), examples=("recipes list",))
@pass_invocation
def list_(invocation: Invocation) -> None:
    """List the recipes, and what each is for."""
    from console.cli.table import Column, print_table
    from console.recipes import recipes as all_recipes

    found = all_recipes()
    if invocation.json:
        for one in found:
            emit({"name": one.name, "about": one.about})
        return
    print_table((Column(title="NAME"), Column(title="DOES", flexible=True)), [(one.name, one.about) for one in found])


@recipes.command(
    cls=ConsoleCommand, json_fields=("name", "toml"), examples=("recipes show stripe-payments > webhooks.toml",)
)
@click.argument("name", type=_RecipeName())
@pass_invocation
def show(invocation: Invocation, name: str) -> None:
    """Print a recipe, as a file that 'apply' takes."""
    from console.recipes import recipe

    found = recipe(name)
    if invocation.json:
        emit({"name": found.name, "toml": found.text})
    else:
        say(found.text.rstrip("\n"))
