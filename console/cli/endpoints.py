"""`endpoints`: where events go."""

import os
from dataclasses import replace
from random import SystemRandom

import click

from console.cli.asking import confirm, nothing, plural
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.endpoint_flags import EndpointFlags, checked, endpoint_options
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import clean, emit, paint, say, warn
from console.cli.parameters import ENDPOINT, URL
from console.cli.records import ENDPOINT_FIELDS, ENDPOINT_ROW_FIELDS, Record, endpoint_record
from console.cli.secrets import show_once
from console.domain.endpoint import EndpointSpec, default_name
from console.domain.policy import DeliveryPolicy
from console.domain.signing import SECRET_BYTES, Secret, make_secret
from console.domain.status import Gauge
from console.operations import endpoints as acts
from console.operations.actor import current_actor
from console.operations.forecast import read_forecast
from console.store import Store

_CHANGED_FIELDS = (*ENDPOINT_FIELDS, "changed")


@click.group(
    cls=ConsoleGroup,
    lazy={
        "pause": "console.cli.pausing:pause",
        "resume": "console.cli.pausing:resume",
        "test": "console.cli.endpoint_test:test",
        "rotate-secret": "console.cli.secrets:rotate_secret",
        "reveal-secret": "console.cli.secrets:reveal_secret",
    },
    examples=("endpoints add https://example.com/hooks", "endpoints list --json"),
)
def endpoints() -> None:
    """Add, look at and steer the URLs that want events.

    REF is an endpoint's name or id, or the beginning of either when only one has it.
    """


@endpoints.command(
    cls=ConsoleCommand,
    json_fields=(*ENDPOINT_FIELDS, "new_secret"),
    examples=(
        "endpoints add https://example.com/hooks",
        "endpoints add https://example.com/hooks --name billing --types 'invoice.*,payment.failed'",
        "endpoints add https://example.com/hooks --schedule 0,5s,5m,1h --timeout 5s --header X-Team=ops",
        "endpoints add https://example.com/hooks --secret @secret.txt",
        "endpoints add https://example.com/hooks --rate-limit 50/s --ordering fifo --order-key data.customer",
        "endpoints add https://example.com/hooks --schedule exponential:first=5s,cap=2h,tries=12 --bearer @token.txt",
        "endpoints add https://example.com/hooks --when 'payload.amount > 10000' --dry-run",
    ),
)
@click.argument("url", type=URL)
@endpoint_options
@key_file_option
@pass_invocation
def add(invocation: Invocation, url: str, flags: EndpointFlags) -> int:
    """Add a URL that wants events.

    Without --secret one is made and shown once: the receiver needs it to verify signatures. Without --types the
    endpoint wants all events.
    """
    made = None if flags.secrets else make_secret(os.urandom(SECRET_BYTES))
    keys = invocation.keys
    with invocation.writing(create=True) as store:
        defaults = store.policy_defaults()
        spec = EndpointSpec(
            name=flags.name or _free_name(store, url),
            url=url,
            types=flags.types or ("*",),
            secrets=tuple(Secret(text=text) for text in flags.secrets or (made or "",)),
            policy=_policy(flags, defaults, defaults),
        )
        endpoint = acts.add_endpoint(
            store,
            flags.reshaping.put_into(spec),
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            random=SystemRandom(),
            keys=keys,
        )
    _warn_about(url)
    if invocation.json:
        emit({**endpoint_record(endpoint), "new_secret": made})
        return 0
    say(f"{endpoint.id}  {clean(endpoint.name)}  {paint('added', 'ok')}, wants {clean(', '.join(endpoint.types))}")
    if made:
        show_once(made)
    return 0


def _policy(flags: EndpointFlags, before: DeliveryPolicy, defaults: DeliveryPolicy) -> DeliveryPolicy:
    return checked(flags.policy.policy(before, defaults))


def _free_name(store: Store, url: str) -> str:
    taken, base = {endpoint.name for endpoint in store.endpoints()}, default_name(url)
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base[:56]}-{number}"
    return name


def _warn_about(url: str) -> None:
    from console.domain.url_warnings import url_warnings

    for warning in url_warnings(url):
        warn(warning)


@endpoints.command("list", cls=ConsoleCommand, json_fields=ENDPOINT_ROW_FIELDS, examples=("endpoints list",))
@pass_invocation
def list_(invocation: Invocation) -> int:
    """List the endpoints with what each is owed."""
    with invocation.reading() as store:
        rows, gauges = store.endpoints(), store.gauges()
        due = acts.oldest_due(store, rows)
    if invocation.json:
        from console.cli.records import endpoint_row_record

        for endpoint in rows:
            emit(endpoint_row_record(endpoint, gauges.get(endpoint.id, Gauge()), due.get(endpoint.id)))
        return 0
    if not rows:
        nothing("no endpoints yet: add one with 'webhook-console endpoints add URL'")
        return 0
    from console.cli.views import print_endpoints

    print_endpoints(rows, gauges, due, invocation.clock.now_ms())
    return 0


@endpoints.command(cls=ConsoleCommand, json_fields=ENDPOINT_ROW_FIELDS, examples=("endpoints show billing",))
@click.argument("ref", type=ENDPOINT)
@pass_invocation
def show(invocation: Invocation, ref: str) -> int:
    """Show one endpoint. Secrets and header values that may be secret are redacted."""
    with invocation.reading() as store:
        endpoint = store.find_endpoint(ref)
        gauge = store.gauges().get(endpoint.id, Gauge())
        due_ms = acts.held(store, endpoint).oldest_due_ms
        seen = read_forecast(store, endpoint, invocation.clock.now_ms(), gauge=gauge)
    if invocation.json:
        from console.cli.records import endpoint_row_record

        emit(endpoint_row_record(endpoint, gauge, due_ms))
        return 0
    from console.cli.views import print_endpoint
    from console.ui.forecasting import forecast_line

    print_endpoint(endpoint, gauge, due_ms, invocation.clock.now_ms())
    if words := forecast_line(seen):
        say(f"\n{words}")
    return 0


@endpoints.command(
    cls=ConsoleCommand,
    json_fields=_CHANGED_FIELDS,
    examples=(
        "endpoints edit billing --url https://example.com/v2/hooks",
        "endpoints edit billing --timeout 30s --header X-Team=",
        "endpoints edit billing --secret @secret.txt",
        "endpoints edit billing --when none --body-template '{\"text\": {{ payload.name | tojson }}}' --live",
    ),
)
@click.argument("ref", type=ENDPOINT)
@click.option("--url", type=URL, metavar="URL", help="The new URL.")
@endpoint_options
@key_file_option
@pass_invocation
def edit(invocation: Invocation, ref: str, url: str | None, flags: EndpointFlags) -> int:
    """Change what is given, and nothing else.

    --header K=V sets one header and --header K= removes it; --types and --secret replace all there were at once
    ('endpoints rotate-secret' lets the old ones sign for a while). Any part of the policy may be 'default', to follow
    the default of all endpoints again (see 'defaults show').
    """
    changed = [*(["url"] if url else []), *flags.given]
    if not changed:
        raise click.UsageError("nothing to change: give at least one option")
    keys = invocation.keys
    with invocation.writing() as store:
        before = store.find_endpoint(ref)
        spec = replace(
            before.spec,
            name=flags.name or before.name,
            url=url or before.url,
            types=flags.types or before.types,
            secrets=tuple(Secret(text=text) for text in flags.secrets) or before.secrets,
            policy=_policy(flags, before.policy, store.policy_defaults()),
        )
        now_ms = invocation.clock.now_ms()
        endpoint = acts.edit_endpoint(
            store,
            before.id,
            flags.reshaping.put_into(spec),
            actor=current_actor(),
            now_ms=now_ms,
            changed=", ".join(changed),
            keys=keys,
        )
    if url:
        _warn_about(url)
    if invocation.json:
        emit({**endpoint_record(endpoint), "changed": changed})
    else:
        say(f"{clean(endpoint.name)}: changed {', '.join(changed)}")
    return 0


@endpoints.command(
    cls=ConsoleCommand,
    json_fields=("id", "name", "removed", "cancelled"),
    examples=("endpoints remove billing", "endpoints remove billing --yes"),
)
@click.argument("ref", type=ENDPOINT)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_invocation
def remove(invocation: Invocation, ref: str, yes: bool) -> int:
    """Take an endpoint away. What it is still owed is cancelled; its history stays."""
    with invocation.writing() as store:
        endpoint = store.find_endpoint(ref)
        gauge = store.gauges().get(endpoint.id, Gauge())
        owed = _still_owed(gauge)
        confirm(f"Remove {endpoint.name} ({endpoint.url})? It is still owed {owed}.", yes=yes)
        cancelled = acts.remove_endpoint(store, endpoint.id, actor=current_actor(), now_ms=invocation.clock.now_ms())
    record: Record = {"id": endpoint.id, "name": endpoint.name, "removed": True, "cancelled": cancelled}
    if invocation.json:
        emit(record)
    else:
        say(f"{clean(endpoint.name)}: removed, {plural(cancelled, 'delivery', 'deliveries')} cancelled")
    return 0


def _still_owed(gauge: Gauge) -> str:
    owed = plural(gauge.pending + gauge.sending, "delivery", "deliveries")
    failed = f", and {gauge.failed:,} failed" if gauge.failed else ""
    return owed + failed
