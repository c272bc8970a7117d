"""`defaults`: the delivery policy of endpoints that say nothing themselves."""

import click

from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.endpoint_flags import PolicyFlags, checked, policy_options
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import emit, say
from console.cli.records import policy_name, policy_record
from console.domain.policy import BUILT_IN, POLICY_FIELDS, DeliveryPolicy
from console.operations.actor import current_actor
from console.operations.endpoints import edit_defaults

_FIELDS = tuple(policy_name(field) for field in POLICY_FIELDS)


@click.group(cls=ConsoleGroup, examples=("defaults show", "defaults edit --timeout 10s --rate-limit 100/s"))
def defaults() -> None:
    """Look at and change the delivery policy that endpoints follow where they say nothing themselves."""


@defaults.command(cls=ConsoleCommand, json_fields=_FIELDS, examples=("defaults show",))
@pass_invocation
def show(invocation: Invocation) -> int:
    """Show the default policy, as text that 'defaults edit' and 'endpoints edit' take. Secrets are redacted."""
    with invocation.reading() as store:
        policy = store.policy_defaults()
    _print(invocation, policy)
    return 0


@defaults.command(
    cls=ConsoleCommand,
    json_fields=(*_FIELDS, "changed"),
    examples=("defaults edit --timeout 10s --connect-timeout 3s", "defaults edit --breaker default"),
)
@policy_options
@key_file_option
@pass_invocation
def edit(invocation: Invocation, flags: PolicyFlags) -> int:
    """Change what is given, for every endpoint that does not say it itself. 'default' is what is built in."""
    if not flags.given:
        raise click.UsageError("nothing to change: give at least one option")
    keys = invocation.keys
    with invocation.writing(create=True) as store:
        policy = checked(flags.policy(store.policy_defaults(), BUILT_IN))
        edit_defaults(
            store,
            policy,
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            changed=", ".join(flags.given),
            keys=keys,
        )
    if invocation.json:
        emit({**policy_record(policy), "changed": flags.given})
    else:
        say(f"defaults: changed {', '.join(flags.given)}")
    return 0


def _print(invocation: Invocation, policy: DeliveryPolicy) -> None:
    if invocation.json:
        emit(policy_record(policy))
        return
    from console.cli.views import print_policy

    print_policy(policy)
