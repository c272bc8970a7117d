"""`capture`: throw-away URLs that record whatever is sent to them."""

from random import SystemRandom

import click

from console.cli.asking import confirm, nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import DURATION
from console.cli.source_flags import CONTENT_TYPE, DELAY, RESPOND, answer_of
from console.cli.source_views import SOURCE_FIELDS, source_record, source_url
from console.cli.sources import say_listening
from console.domain.source import Answer
from console.operations import captures as acts
from console.operations.actor import current_actor


@click.group(cls=ConsoleGroup, examples=("capture new", "capture new --respond 503:later --delay 2s", "capture list"))
def capture() -> None:
    """Record everything that is sent to a throw-away URL of 'serve --listen'; nothing of it is an event.

    'inbox list' and 'inbox tail' show what came; 'inbox replay' sends it on. REF is a capture's name, or its beginning.
    """


@capture.command(
    cls=ConsoleCommand,
    json_fields=SOURCE_FIELDS,
    examples=("capture new", "capture new --for 2h --respond 200:ok", "capture new --respond 503 --delay 5s --json"),
)
@click.option(
    "--for", "for_s", type=DURATION, default="24h", show_default=True, metavar="24h", help="How long; 30d at most."
)
@RESPOND
@CONTENT_TYPE
@DELAY
@pass_invocation
def new(
    invocation: Invocation,
    for_s: float,
    respond: tuple[int, str] | None,
    content_type: str | None,
    delay_s: float | None,
) -> int:
    """Make a URL, and print it."""
    with invocation.writing(create=True) as store:
        source = acts.new_capture(
            store,
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            random=SystemRandom(),
            lasts_ms=round(for_s * 1000),
            answer=answer_of(Answer(status=200), respond, content_type, delay_s),
        )
        listening = store.listening()
    if invocation.json:
        emit(source_record(source, listening))
        return 0
    say(source_url(source, listening))
    note(f"hint: see what comes with 'webhook-console inbox tail --source {source.name}'")
    say_listening(listening)
    return 0


@capture.command("list", cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("capture list",))
@pass_invocation
def list_(invocation: Invocation) -> int:
    """List captures, the one that lasts longest first."""
    with invocation.reading() as store:
        rows, listening = acts.captures(store), store.listening()
    if invocation.json:
        for source in rows:
            emit(source_record(source, listening))
    elif rows:
        from console.cli.source_views import print_sources

        print_sources(rows, listening, invocation.clock.now_ms())
    else:
        nothing("no captures: make one with 'webhook-console capture new'")
    return 0


@capture.command(cls=ConsoleCommand, json_fields=SOURCE_FIELDS, examples=("capture remove 7k3 --yes",))
@click.argument("ref")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_invocation
def remove(invocation: Invocation, ref: str, yes: bool) -> int:
    """Take nothing more at a capture's URL. What it recorded stays in the inbox."""
    with invocation.writing() as store:
        source = acts.find_capture(store, ref)
        confirm(f"Remove capture {source.name}?", yes=yes)
        source = acts.remove_capture(store, source.id, actor=current_actor(), now_ms=invocation.clock.now_ms())
        listening = store.listening()
    if invocation.json:
        emit(source_record(source, listening))
    else:
        say(f"{clean(source.name)}  {paint('removed', 'ok')}")
    return 0
