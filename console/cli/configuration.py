"""`apply` and `export`: endpoints, sources, schemas and alerts as a file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import clean, emit, note, paint, say, warn
from console.cli.parameters import NAME
from console.cli.records import Record
from console.domain.configuration import Act, Step, Thing
from console.domain.configuration_words import diff_lines, parts_of
from console.operations.actor import current_actor
from console.operations.configuration import Applied, Applier, read_present
from console.operations.configuration_file import read_text
from console.operations.configuration_reading import read_configuration
from console.store import Store, open_store

DIFFERS = 3
"""The exit code of a dry run that finds something to do, for who asks for it."""

_COLOURS = {Act.ADD: "ok", Act.EDIT: "warning", Act.REMOVE: "error"}
APPLY_FIELDS = ("label", "dry_run", "changes", "stays", "secrets_made", "warnings")


@click.command(
    cls=ConsoleCommand,
    short_help="Make the store as a file says.",
    json_fields=APPLY_FIELDS,
    examples=(
        "apply webhooks.toml --dry-run",
        "apply webhooks.toml",
        "apply webhooks.toml --prune",
        "apply webhooks.toml --dry-run --exit-code",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--prune", is_flag=True, help="Remove what this file said before and says no longer.")
@click.option("--label", type=NAME, metavar="NAME", help="What the file is known by. Default: its name.")
@click.option("--exit-code", is_flag=True, help="With --dry-run: exit with 3 when there is something to do.")
@key_file_option
@pass_invocation
def apply(invocation: Invocation, file: Path, dry_run: bool, prune: bool, label: str | None, exit_code: bool) -> int:
    """Make endpoints, sources, schemas, alerts and defaults as a TOML file says: all of it, or nothing.

    What the file says of a thing is the whole of it. What it does not speak of stays; what it spoke of when it was
    applied before stays too, and is listed, unless --prune is given. Applied twice, the second time changes nothing.

    With --json, changes and stays have objects with act, thing, name and parts, and those part, before, after, hidden.
    """
    if exit_code and not dry_run:
        raise click.UsageError("--exit-code belongs to --dry-run")
    wanted = read_configuration(
        read_text(file), name=str(file), folder=file.absolute().parent, environ=invocation.environ
    )
    applier = Applier(actor=current_actor(), random=SystemRandom(), entropy=os.urandom, keys=invocation.keys)
    known = label or file.name
    with _store(invocation, dry_run=dry_run) as store:
        run = applier.try_out if dry_run else applier.apply
        applied = run(store, wanted, label=known, now_ms=invocation.clock.now_ms(), prune=prune)
    for warning in wanted.warnings:
        warn(warning)
    if invocation.json:
        emit(_record(applied, known, wanted.warnings, dry_run=dry_run))
    else:
        _print(applied, dry_run=dry_run)
    return DIFFERS if exit_code and applied.steps else 0


@contextmanager
def _store(invocation: Invocation, *, dry_run: bool) -> Iterator[Store]:
    """The store; for a dry run where there is none, one that is gone afterwards."""
    if not dry_run or invocation.store_path.exists():
        with invocation.writing(create=True) as store:
            yield store
        return
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store.db")
        try:
            yield store
        finally:
            store.close()


def _print(applied: Applied, *, dry_run: bool) -> None:
    for step in applied.steps:
        first, *others = diff_lines(step)
        say(paint(clean(first), _COLOURS[step.act]))
        for line in others:
            say(clean(line))
    for step in applied.stays:
        note(f"{step.thing} {step.name}: is no longer in the file, and stays (--prune removes it)")
    if not dry_run:
        for step in applied.made:
            note(f"{step.thing} {step.name}: {_made_words(step)}")
    say(f"would be: {applied.words}" if dry_run and applied.steps else applied.words)


def _made_words(step: Step) -> str:
    if step.thing is Thing.ENDPOINT:
        return f"a signing secret was made: 'endpoints reveal-secret {step.name}' shows it"
    return f"a secret was made: give the sender's own with 'sources rotate-secret {step.name}', or in the file"


def _record(applied: Applied, label: str, warnings: tuple[str, ...], *, dry_run: bool) -> Record:
    changes, stays = ([_step(step) for step in steps] for steps in (applied.steps, applied.stays))
    values = (label, dry_run, changes, stays, [f"{step.thing} {step.name}" for step in applied.made], list(warnings))
    return dict(zip(APPLY_FIELDS, values, strict=True))


def _step(step: Step) -> Record:
    parts = [
        {
            "part": part.part,
            "before": None if part.hidden else part.before,
            "after": None if part.hidden else part.after,
            "hidden": part.hidden,
        }
        for part in parts_of(step)
    ]
    return {"act": step.act, "thing": step.thing, "name": step.name, "parts": parts}


@click.command(
    cls=ConsoleCommand,
    short_help="Print the store as a file that 'apply' takes.",
    json_fields=("toml",),
    examples=("export > webhooks.toml", "export --json"),
)
@pass_invocation
def export(invocation: Invocation) -> int:
    """Print endpoints, sources, schemas, alerts and defaults as a file that 'apply' takes. Secrets are not in it.

    Applied to this store it changes nothing; applied to an empty one it makes the same, with new signing secrets.
    """
    from console.operations.configuration_export import exported

    with invocation.reading() as store:
        text = exported(read_present(store))
    if invocation.json:
        emit({"toml": text})
    else:
        # As it is, since it is to be read back; it has no control characters but line breaks and tabs.
        say(text.rstrip("\n"))
    return 0
