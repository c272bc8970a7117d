"""`secrets`, and the secrets of one endpoint: `endpoints rotate-secret` and `endpoints reveal-secret`."""

import os

import click

from console.cli.asking import confirm, plural
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import clean, emit, note, say, warn
from console.cli.parameters import DURATION, ENDPOINT, SECRET, TEXT
from console.cli.records import ENDPOINT_FIELDS, endpoint_record, iso
from console.domain.sealing import KEY_BYTES, encode_key
from console.domain.signing import SECRET_BYTES, Secret, make_key, make_secret, with_public_key
from console.operations import secrets as acts
from console.operations.actor import current_actor
from console.store import Store

_REVEALED_FIELDS = ("secret", "until", "public_key")


@click.group(cls=ConsoleGroup, examples=("secrets generate-key > key && chmod 600 key", "secrets seal --key-file key"))
def secrets() -> None:
    """Seal the secrets that the store keeps, so that a copy of its file is no use without the key.

    Sealed are signing secrets, Authorization headers, passwords of proxies, and headers whose names say that they hold
    a secret. With a key configured, what is added is sealed at once; 'secrets seal' seals what was there before.
    """


@secrets.command("generate-key", cls=ConsoleCommand, json_fields=("key",), examples=("secrets generate-key",))
@pass_invocation
def generate_key(invocation: Invocation) -> int:
    """Print a new key: the base64 of 32 random bytes.

    Keep it outside of the store's backups. Several keys stand in one variable or file, separated by commas or lines:
    the first one seals, all of them open. To change the key, put a new one before the old, restart the engine, run
    'secrets seal', and take the old one away.
    """
    key = encode_key(os.urandom(KEY_BYTES))
    if invocation.json:
        emit({"key": key})
    else:
        say(key)
    return 0


@secrets.command(cls=ConsoleCommand, json_fields=("plain", "sealed", "keys"), examples=("secrets status",))
@key_file_option
@pass_invocation
def status(invocation: Invocation) -> int:
    """Say how many secrets are sealed, by which key, and whether that key is at hand."""
    keys = invocation.keys.key_ids
    with invocation.reading() as store:
        counts = acts.secret_counts(store)
    if invocation.json:
        emit({"plain": counts.plain, "sealed": counts.sealed, "keys": list(keys)})
        return 0
    say(f"plain: {plural(counts.plain, 'secret')}")
    for key_id in dict.fromkeys((*keys, *counts.sealed)):
        there = "at hand" if key_id in keys else "NOT at hand"
        say(f"key {key_id}, {there}: {plural(counts.sealed.get(key_id, 0), 'secret')}")
    return 0


@secrets.command(
    cls=ConsoleCommand, json_fields=("changed", "key", "log_emptied"), examples=("secrets seal --key-file key",)
)
@key_file_option
@pass_invocation
def seal(invocation: Invocation) -> int:
    """Seal every secret in the store with the first key: what is plain, and what an older key sealed.

    All at once or not at all. What was there is overwritten in the store's file; copies made before keep it.
    """
    keys = invocation.keys
    with invocation.writing() as store:
        changed = acts.seal_secrets(store, actor=current_actor(), now_ms=invocation.clock.now_ms(), keys=keys)
        emptied = _empty_log(store, invocation)
        engine = store.engine_status()
    if invocation.json:
        emit({"changed": changed, "key": keys.key_ids[0], "log_emptied": emptied})
    else:
        say(f"{plural(changed, 'secret')} sealed with key {keys.key_ids[0]}")
    if changed and engine is not None and engine.alive(invocation.clock.now_ms()):
        note(
            "hint: an engine is running: one that was started without this key holds what it cannot open; "
            "it is delivered once the engine is restarted with the key"
        )
    if not emptied:
        warn(
            "the store's log (-wal) may hold what was sealed for a while, since another process uses it: "
            "stop the engine and run this again"
        )
    return 0


@secrets.command(
    cls=ConsoleCommand, json_fields=("changed",), examples=("secrets unseal --key-file key", "secrets unseal --yes")
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@key_file_option
@pass_invocation
def unseal(invocation: Invocation, yes: bool) -> int:
    """Keep every secret unsealed again: whoever reads the store's file reads them."""
    keys = invocation.keys
    with invocation.writing() as store:
        counts = acts.secret_counts(store)
        sealed = sum(counts.sealed.values())
        confirm(f"Keep {plural(sealed, 'secret')} unsealed in {invocation.store_path}?", yes=yes or not sealed)
        changed = acts.unseal_secrets(store, actor=current_actor(), now_ms=invocation.clock.now_ms(), keys=keys)
    if invocation.json:
        emit({"changed": changed})
    else:
        say(f"{plural(changed, 'secret')} unsealed")
    return 0


_LOG_WAIT_S, _LOG_LOOK_S = 2.0, 0.02


def _empty_log(store: Store, invocation: Invocation) -> bool:
    """Whether the log was emptied; an engine at work leaves a gap soon, if at all."""
    from time import sleep

    until_s = invocation.clock.monotonic_s() + _LOG_WAIT_S
    while not (emptied := store.empty_log()) and invocation.clock.monotonic_s() < until_s:
        sleep(_LOG_LOOK_S)
    return emptied


@click.command(
    "rotate-secret",
    cls=ConsoleCommand,
    json_fields=(*ENDPOINT_FIELDS, "new_secret", "public_key"),
    examples=(
        "endpoints rotate-secret billing",
        "endpoints rotate-secret billing --overlap 0",
        "endpoints rotate-secret billing --secret @secret.txt --overlap 2h",
        "endpoints rotate-secret billing --ed25519",
    ),
)
@click.argument("ref", type=ENDPOINT)
@click.option(
    "--overlap",
    "overlap_s",
    type=DURATION,
    default="24h",
    show_default=True,
    metavar="24h",
    help="How long those of before sign too; 0: not at all.",
)
@click.option("--secret", type=SECRET, metavar="@FILE|-", help="The new secret, in place of one that is made.")
@click.option("--ed25519", is_flag=True, help="Make a key that signs, and that receivers verify with its public key.")
@key_file_option
@pass_invocation
def rotate_secret(invocation: Invocation, ref: str, overlap_s: float, secret: str | None, ed25519: bool) -> int:
    """Sign with a new secret, and with the old ones too while receivers change over.

    The new secret is shown once; of an ed25519 key, only its public key is, which is all that a receiver needs.
    """
    if secret and ed25519:
        raise click.UsageError("--ed25519 makes a key: it does not go with --secret")
    if overlap_s * 1000 > acts.MAX_OVERLAP_MS:
        raise click.UsageError("--overlap: 365d at most")
    made = make_key(os.urandom(32)) if ed25519 else make_secret(os.urandom(SECRET_BYTES))
    new = with_public_key(Secret(text=secret or made))
    keys = invocation.keys
    with invocation.writing() as store:
        endpoint = acts.rotate_secret(
            store,
            store.find_endpoint(ref).id,
            new,
            overlap_ms=round(overlap_s * 1000),
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            keys=keys,
        )
    shown = None if secret or ed25519 else made
    if invocation.json:
        emit({**endpoint_record(endpoint), "new_secret": shown, "public_key": new.public_key})
        return 0
    others = len(endpoint.secrets) - 1
    old = "the old one signs" if others == 1 else f"{others} old ones sign"
    too = f"; {old} too, until {iso(endpoint.secrets[1].until_ms)}" if others else ""
    say(f"{clean(endpoint.name)}: a new secret signs{too}")
    if shown:
        show_once(shown)
    elif new.public_key:
        say(f"public key: {new.public_key}")
        note("hint: give the public key to the receiver; 'endpoints show' prints it again")
    return 0


def show_once(secret: str) -> None:
    """Print a secret that was made, and what to do with it."""
    say(f"signing secret: {secret}")
    note("hint: give the secret to the receiver now; it is not shown again")


@click.command(
    "reveal-secret",
    cls=ConsoleCommand,
    json_fields=("id", "name", "secrets"),
    examples=("endpoints reveal-secret billing --reason 'their new receiver'", "endpoints reveal-secret billing --yes"),
)
@click.argument("ref", type=ENDPOINT)
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log and for your colleagues.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@key_file_option
@pass_invocation
def reveal_secret(invocation: Invocation, ref: str, reason: str | None, yes: bool) -> int:
    """Print the signing secrets of an endpoint. That you did is in the audit log."""
    keys = invocation.keys
    with invocation.writing() as store:
        endpoint = store.find_endpoint(ref)
        confirm(f"Print the signing secrets of {endpoint.name} here? It is written to the audit log.", yes=yes)
        shown = acts.reveal_secret(
            store, endpoint.id, actor=current_actor(), reason=reason, now_ms=invocation.clock.now_ms(), keys=keys
        )
    if invocation.json:
        rows = [
            dict(zip(_REVEALED_FIELDS, (s.text, iso(s.until_ms), with_public_key(s).public_key), strict=True))
            for s in shown
        ]
        emit({"id": endpoint.id, "name": endpoint.name, "secrets": rows})
        return 0
    for secret in shown:
        say(secret.text + (f"  until {iso(secret.until_ms)}" if secret.until_ms is not None else ""))
    return 0


assert reveal_secret.help is not None
reveal_secret.help += f"\n\nWith --json, each of secrets is an object with {', '.join(_REVEALED_FIELDS)}."
