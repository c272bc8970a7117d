"""`listen`: webhooks on their way to a program under development."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import SystemRandom

import click

from console.cli.arrival_views import ARRIVAL_FIELDS, arrival_line, arrival_record
from console.cli.commands import ConsoleCommand
from console.cli.inbox import LOOK_S, follow, newest_id, send_on
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, error, flush, note, say
from console.cli.parameters import CIDR, TEXT, URL
from console.cli.source_views import source_url
from console.cli.sources import say_listening
from console.domain.errors import ConsoleError
from console.domain.inbound import Fate, InboxFilter
from console.domain.source import Source
from console.operations import captures
from console.operations.actor import current_actor
from console.store import Store

_NOT_FORWARDED = frozenset({Fate.REJECTED, Fate.ANSWERED})


@click.command(
    cls=ConsoleCommand,
    json_fields=(*ARRIVAL_FIELDS, "url", "request_id", "problem"),
    examples=(
        "listen --forward http://localhost:3000/hook",
        "listen --forward http://localhost:3000/hook --source stripe",
        "listen",
    ),
)
@click.option("--forward", "url", type=URL, metavar="URL", help="Send each request on to it, as it came.")
@click.option("--source", "ref", type=TEXT, metavar="REF", help="Of this source. Default: a capture, while it runs.")
@click.option("--allow-address", type=CIDR, multiple=True, metavar="CIDR", help="Forward to this private network too.")
@pass_invocation
def listen(invocation: Invocation, url: str | None, ref: str | None, allow_address: tuple[str, ...]) -> int:
    """Print requests as they come, forward them, and show what is answered, until Ctrl-C.

    Without --source a URL is made that records everything, and is removed at the end. What a source refuses or answers
    by itself is printed and not forwarded.
    """
    with _listened(invocation, ref) as (store, source):
        listening, after = store.listening(), newest_id(store)
        note(f"listening at {source_url(source, listening)}" + (f", forwarding to {clean(url)}" if url else ""))
        say_listening(listening)
        for rows in follow(store, InboxFilter(source=source.id), after):
            for row in rows:
                if invocation.json:
                    emit(arrival_record(row))
                else:
                    say(arrival_line(row))
                flush()
                if url is not None and row.fate not in _NOT_FORWARDED:
                    try:
                        send_on(invocation, store.arrival(row.id), url, allow_address)
                    except ConsoleError as problem:  # the next one may go
                        error(str(problem))
                    flush()
            if not rows:
                time.sleep(LOOK_S)
    return 0


@contextmanager
def _listened(invocation: Invocation, ref: str | None) -> Iterator[tuple[Store, Source]]:
    if ref is not None:
        with invocation.reading() as store:
            yield store, store.find_source(ref)
        return
    with invocation.writing(create=True) as store:
        source = captures.new_capture(
            store, actor=current_actor(), now_ms=invocation.clock.now_ms(), random=SystemRandom()
        )
        try:
            yield store, source
        finally:
            captures.remove_capture(store, source.id, actor=current_actor(), now_ms=invocation.clock.now_ms())
