"""`sources`: where webhooks come in."""

import os
from dataclasses import replace
from random import SystemRandom

import click

from console.cli.asking import confirm, nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import DURATION, TEXT, Checked, Words, read_hidden
from console.cli.source_flags import SourceFlags, source_options
from console.cli.source_views import SOURCE_FIELDS, source_record
from console.domain.errors import InvalidInputError
from console.domain.signing import Secret
from console.domain.source import Source, SourceKind, SourceOptions, SourceSpec, check_source_name
from console.operations import sources as acts
from console.operations.actor import current_actor
from console.store import Store

SECRET = Checked("secret", lambda text: read_hidden(text, "secret"))
MAX_OVERLAP_S = 365 * 24 * 3600.0


@click.group(
    cls=ConsoleGroup,
    lazy={"test": "console.cli.source_test:test"},
    examples=("sources add stripe --kind stripe --secret @secret.txt", "sources list", "sources test stripe"),
)
def sources() -> None:
    """Take webhooks in at /in/NAME of 'serve --listen': each is verified as its provider signs it.

    What is genuine becomes an event; all that comes is in the inbox, refused or not. REF is a source's name or id, or
    the beginning of either when only one has it.
    """


@sources.command(
    cls=ConsoleCommand,
    json_fields=(*SOURCE_FIELDS, "new_secret"),
    examples=(
        "sources add stripe --kind stripe --secret @secret.txt",
        "sources add github --kind github --allow 192.30.252.0/22 --allow 140.82.112.0/20",
        "sources add forms --kind open --type-from lead.created --rate-limit 60/m --respond 200:thanks",
        "sources add erp --kind hmac --signature-header X-Signature --signature-prefix sha256= --secret @secret.txt",
        "sources add gitlab --kind token --signature-header X-Gitlab-Token --type-from header:X-Gitlab-Event",
        "sources add partner --kind standard --prefix partner.",
    ),
)
@click.argument("name", type=Checked("name", check_source_name))
@click.option("--kind", type=Words(SourceKind), required=True, help="Who sends, and so how it is signed.")
@click.option(
    "--secret",
    "secrets",
    type=SECRET,
    multiple=True,
    metavar="@FILE|-",
    help="As the provider has it; of kind basic user:password, of kind standard whsec_… or whpk_…. Repeatable.",
)
@source_options
@key_file_option
@pass_invocation
def add(invocation: Invocation, name: str, kind: SourceKind, secrets: tuple[str, ...], flags: SourceFlags) -> int:
    """Add a source. Without --secret one is made and shown once, when the sender lets us choose it.

    Stripe, Slack and Shopify choose it themselves: it is in their settings. Kinds open and capture have none.
    """
    if kind is SourceKind.CAPTURE:
        raise click.UsageError("a capture has a name that nobody guesses: 'capture new' makes one")
    made = acts.make_source_secret(kind, os.urandom) if not secrets and kind is not SourceKind.OPEN else None
    spec = SourceSpec(
        name=name,
        kind=kind,
        secrets=tuple(Secret(text=text) for text in secrets or ((made,) if made else ())),
        options=flags.options(SourceOptions()),
    )
    keys = invocation.keys
    with invocation.writing(create=True) as store:
        source = acts.add_source(
            store, spec, actor=current_actor(), now_ms=invocation.clock.now_ms(), random=SystemRandom(), keys=keys
        )
        listening = store.listening()
    if invocation.json:
        emit({**source_record(source, listening), "new_secret": made})
        return 0
    _say_added(source, listening, made)
    return 0


def _say_added(source: Source, listening: tuple[str, ...], made: str | None) -> None:
    from console.cli.source_views import source_url

    say(f"{source.id}  {clean(source.name)}  {paint('added', 'ok')}: {source_url(source, listening)}")
    if made:
        say(f"secret: {made}")
        note("hint: give the secret to the sender now; it is not shown again")
    if source.kind is SourceKind.OPEN:
        note("hint: whoever knows the URL can send: --allow and --rate-limit keep others out")
    say_listening(listening)


def say_listening(listening: tuple[str, ...]) -> None:
    """Say how requests get in, when nothing has ever listened."""
    if not listening:
        note("hint: no engine listens yet: start one with 'webhook-console serve --listen 127.0.0.1:8400'")


@sources.command("list", cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("sources list",))
@pass_invocation
def list_(invocation: Invocation) -> int:
    """List sources, but for captures."""
    with invocation.reading() as store:
        rows = [source for source in store.sources() if source.kind is not SourceKind.CAPTURE]
        listening = store.listening()
    if invocation.json:
        for source in rows:
            emit(source_record(source, listening))
    elif rows:
        from console.cli.source_views import print_sources

        print_sources(rows, listening, invocation.clock.now_ms())
    else:
        nothing("no sources yet: add one with 'webhook-console sources add NAME --kind KIND'")
    return 0


@sources.command(cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("sources show stripe",))
@click.argument("ref")
@pass_invocation
def show(invocation: Invocation, ref: str) -> int:
    """Show one source; its secrets are redacted."""
    with invocation.reading() as store:
        source, listening = store.find_source(ref), store.listening()
    if invocation.json:
        emit(source_record(source, listening))
    else:
        from console.cli.source_views import print_source

        print_source(source, listening, invocation.clock.now_ms())
    return 0


@sources.command(
    cls=ConsoleCommand,
    json_fields=SOURCE_FIELDS,
    examples=(
        "sources edit github --allow 140.82.112.0/20",
        "sources edit forms --rate-limit none --name leads",
        "sources edit stripe --tolerance 10m --respond 200:ok",
    ),
)
@click.argument("ref")
@click.option("--name", type=Checked("name", check_source_name), metavar="NAME", help="Rename it: its URL changes too.")
@source_options
@key_file_option
@pass_invocation
def edit(invocation: Invocation, ref: str, name: str | None, flags: SourceFlags) -> int:
    """Change what is given; the rest stays. --secret is changed with 'sources rotate-secret'."""
    if not flags.given and name is None:
        raise click.UsageError("nothing to change: give at least one option")
    keys = invocation.keys
    with invocation.writing() as store:
        before = store.find_source(ref)
        spec = replace(before.spec, name=name or before.name, options=flags.options(before.options))
        source = acts.edit_source(
            store, before.id, spec, actor=current_actor(), now_ms=invocation.clock.now_ms(), keys=keys
        )
        listening = store.listening()
    return _answer(invocation, source, listening, "changed")


def _answer(invocation: Invocation, source: Source, listening: tuple[str, ...], done: str) -> int:
    if invocation.json:
        emit(source_record(source, listening))
    else:
        say(f"{source.id}  {clean(source.name)}  {paint(done, 'ok')}")
    return 0


@sources.command(cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("sources enable stripe",))
@click.argument("ref")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def enable(invocation: Invocation, ref: str, reason: str | None) -> int:
    """Take requests again."""
    return _enable(invocation, ref, True, reason)


@sources.command(cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("sources disable stripe --reason 'leaked'",))
@click.argument("ref")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def disable(invocation: Invocation, ref: str, reason: str | None) -> int:
    """Answer 404, as if there were no such source, until it is enabled."""
    return _enable(invocation, ref, False, reason)


def _enable(invocation: Invocation, ref: str, enabled: bool, reason: str | None) -> int:
    with invocation.writing() as store:
        source, changed = acts.enable_source(
            store,
            store.find_source(ref).id,
            enabled,
            actor=current_actor(),
            reason=reason,
            now_ms=invocation.clock.now_ms(),
        )
        listening = store.listening()
    word = "enabled" if enabled else "disabled"
    return _answer(invocation, source, listening, word if changed else f"{word} already")


@sources.command(cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("sources remove stripe --yes",))
@click.argument("ref")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_invocation
def remove(invocation: Invocation, ref: str, reason: str | None, yes: bool) -> int:
    """Remove a source, with its secrets. What came in stays in the inbox."""
    with invocation.writing() as store:
        source = store.find_source(ref)
        confirm(f"Remove source {clean(source.name)}? What is sent to it is lost from then on.", yes=yes)
        source = acts.remove_source(
            store, source.id, actor=current_actor(), reason=reason, now_ms=invocation.clock.now_ms()
        )
        listening = store.listening()
    return _answer(invocation, source, listening, "removed")


@sources.command(
    "rotate-secret",
    cls=ConsoleCommand,
    json_fields=(*SOURCE_FIELDS, "new_secret"),
    examples=(
        "sources rotate-secret stripe --secret @secret.txt",
        "sources rotate-secret github --overlap 1h",
        "sources rotate-secret partner --overlap 0",
    ),
)
@click.argument("ref")
@click.option("--secret", type=SECRET, metavar="@FILE|-", help="The new one, in place of one that is made.")
@click.option(
    "--overlap",
    "overlap_s",
    type=DURATION,
    default="24h",
    show_default=True,
    metavar="24h",
    help="How long those of before are taken too; 0: not at all.",
)
@key_file_option
@pass_invocation
def rotate_secret(invocation: Invocation, ref: str, secret: str | None, overlap_s: float) -> int:
    """Take a new secret, and the old ones too while the sender changes over."""
    if overlap_s > MAX_OVERLAP_S:
        raise click.UsageError("--overlap: 365d at most")
    keys = invocation.keys
    with invocation.writing() as store:
        before = store.find_source(ref)
        made = None if secret is not None else _made(store, before)
        source = acts.rotate_source_secret(
            store,
            before.id,
            secret or made or "",
            overlap_ms=round(overlap_s * 1000),
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            keys=keys,
        )
        listening = store.listening()
    if invocation.json:
        emit({**source_record(source, listening), "new_secret": made})
        return 0
    old = len(source.secrets) - 1
    more = f", {old} old for {overlap_s:g} s more at most" if old else ", the old ones are over"
    say(f"{source.id}  {clean(source.name)}  {paint('rotated', 'ok')}{more}")
    if made:
        say(f"secret: {made}")
        note("hint: give the secret to the sender now; it is not shown again")
    return 0


def _made(store: Store, source: Source) -> str:
    if source.kind not in acts.OURS:
        raise InvalidInputError(f"source {source.name}: {source.kind} chooses the secret: give it with --secret @FILE")
    return acts.make_source_secret(source.kind, os.urandom)
