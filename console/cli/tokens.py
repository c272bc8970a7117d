"""`tokens`: who may call the HTTP API."""

from random import SystemRandom

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import DURATION, RATE, TEXT, Words
from console.cli.records import Record, iso
from console.domain.policy import RateLimit
from console.domain.token import Scope, Token
from console.operations import tokens as acts
from console.operations.actor import current_actor

TOKEN_FIELDS = ("id", "name", "scopes", "rate_limit", "created_at", "last_used_at", "until", "active")


@click.group(cls=ConsoleGroup, examples=("tokens add billing --scope events:write", "tokens list"))
def tokens() -> None:
    """Let programs call the HTTP API of 'serve --listen'.

    Scopes: events:write sends; events:read, endpoints:read, operations:read and metrics:read look; endpoints:write and
    deliveries:write change. None includes another.
    """


@tokens.command(
    cls=ConsoleCommand,
    json_fields=(*TOKEN_FIELDS, "token"),
    examples=(
        "tokens add billing --scope events:write",
        "tokens add dashboard --scope events:read --scope metrics:read --for 90d",
        "tokens add importer --scope events:write --rate-limit 100/s",
    ),
)
@click.argument("name")
@click.option(
    "--scope", "scopes", type=Words(Scope), multiple=True, required=True, help="What it is good for. Repeatable."
)
@click.option("--rate-limit", type=RATE, metavar="100/s", help="At most so many requests. Default: no limit.")
@click.option("--for", "for_s", type=DURATION, metavar="90d", help="How long it is good. Default: until revoked.")
@pass_invocation
def add(
    invocation: Invocation,
    name: str,
    scopes: tuple[Scope, ...],
    rate_limit: RateLimit | None,
    for_s: float | None,
) -> int:
    """Make a token. It is shown once: the store keeps only a digest of it."""
    now_ms = invocation.clock.now_ms()
    with invocation.writing(create=True) as store:
        token, text = acts.add_token(
            store,
            name,
            scopes,
            actor=current_actor(),
            now_ms=now_ms,
            random=SystemRandom(),
            rate_limit=rate_limit,
            until_ms=None if for_s is None else now_ms + round(for_s * 1000),
        )
    if invocation.json:
        emit({**_record(token, now_ms), "token": text})
        return 0
    say(f"{token.id}  {clean(token.name)}  {paint('added', 'ok')}, for {', '.join(token.scopes)}")
    say(f"token: {text}")
    note("shown only now: send it as 'Authorization: Bearer whc_…'")
    return 0


@tokens.command("list", cls=ConsoleCommand, json_fields=TOKEN_FIELDS, examples=("tokens list",))
@pass_invocation
def list_(invocation: Invocation) -> int:
    """List tokens, but for those that were revoked."""
    now_ms = invocation.clock.now_ms()
    with invocation.reading() as store:
        rows = store.tokens()
    if invocation.json:
        for token in rows:
            emit(_record(token, now_ms))
    elif rows:
        _print(rows, now_ms)
    else:
        nothing("no tokens yet: make one with 'webhook-console tokens add NAME --scope events:write'")
    return 0


@tokens.command(cls=ConsoleCommand, json_fields=(*TOKEN_FIELDS, "revoked"), examples=("tokens revoke billing",))
@click.argument("ref")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def revoke(invocation: Invocation, ref: str, reason: str | None) -> int:
    """Let a token open nothing from now on."""
    now_ms = invocation.clock.now_ms()
    with invocation.writing() as store:
        token = acts.revoke_token(store, ref, actor=current_actor(), now_ms=now_ms, reason=reason)
    if invocation.json:
        emit({**_record(token, now_ms), "active": False, "revoked": True})
    else:
        say(f"{clean(token.name)}: revoked")
    return 0


def _record(token: Token, now_ms: int) -> Record:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": [scope.value for scope in token.scopes],
        "rate_limit": None if token.rate_limit is None else str(token.rate_limit),
        "created_at": iso(token.created_at_ms),
        "last_used_at": iso(token.last_used_at_ms),
        "until": iso(token.until_ms),
        "active": token.active(now_ms),
    }


def _print(rows: list[Token], now_ms: int) -> None:
    from console.cli.table import Cell, Column, print_table
    from console.ui.format import ABSENT, age, countdown

    columns = (
        Column(title="NAME", flexible=True),
        Column(title="ID"),
        Column(title="SCOPES", flexible=True),
        Column(title="RATE", right=True, optional=True),
        Column(title="LAST USED", right=True),
        Column(title="ENDS", right=True),
    )
    cells: list[list[Cell]] = []
    for token in rows:
        ends: Cell = ABSENT if token.until_ms is None else countdown(now_ms, token.until_ms)
        cells.append(
            [
                token.name,
                token.id,
                ", ".join(token.scopes),
                ABSENT if token.rate_limit is None else str(token.rate_limit),
                age(now_ms, token.last_used_at_ms),
                ends if token.active(now_ms) else ("ended", "error"),
            ]
        )
    print_table(columns, cells)
