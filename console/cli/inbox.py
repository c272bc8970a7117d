"""`inbox`: the requests that came in."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from console.cli.arrival_views import ARRIVAL_FIELDS, WHOLE_FIELDS, arrival_line, arrival_record
from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import DEFAULT_LIMIT
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, flush, note, paint, say
from console.cli.parameters import CIDR, ENDPOINT, EVENT_ID, MOMENT, TEXT, URL, Checked, Words
from console.domain.ids import EventId, format_number, parse_number
from console.domain.inbound import Arrival, ArrivalRow, Fate, InboxFilter, RequestId
from console.domain.inbox_query import parse_inbox
from console.operations.actor import current_actor
from console.store import Store

if TYPE_CHECKING:
    from console.intake.sending import Answered

R = TypeVar("R")

LOOK_S = 0.1
PAGE = 500
_REPLAY_FIELDS = (
    "request_id", "endpoint", "event_id", "event_type", "delivery_id", "url", "status", "problem", "took_ms",
)  # fmt: skip

REQUEST_ID = Checked("id", lambda text: RequestId(parse_number("req", text)))


@click.group(
    cls=ConsoleGroup,
    examples=("inbox list --fate rejected", "inbox tail", "inbox replay req_00001k --endpoint billing"),
)
def inbox() -> None:
    """Requests that came in at /in/NAME: what they were, and what became of them.

    A request that was refused says why. REQ is the id that lists show.
    """


Where = Callable[[Store, int], InboxFilter]

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--filter", "line", type=TEXT, metavar="FILTER", help="As in the console: source:stripe since:2h."),
    click.option("--source", type=TEXT, metavar="REF", help="Of this source or capture."),
    click.option("--fate", type=Words(Fate), help="What became of them."),
    click.option("--event", "event_id", type=EVENT_ID, metavar="ID", help="That became this event."),
    click.option("--since", "since_ms", type=MOMENT, metavar="WHEN", help="From then on: 2h, 14:02 or an ISO time."),
)


def _filter_options(command: Callable[..., R]) -> Callable[..., R]:
    """Hands the command, as `where`, what makes a filter of a store and the time."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        line, source = kwargs.pop("line"), kwargs.pop("source")
        fate: Fate | None = kwargs.pop("fate")
        event_id: EventId | None = kwargs.pop("event_id")
        since_ms: int | None = kwargs.pop("since_ms")

        def where(store: Store, now_ms: int) -> InboxFilter:
            base = InboxFilter(
                source=None if source is None else store.find_source(source).id,
                fate=fate,
                event_id=event_id,
                since_ms=since_ms,
            )
            if line is None:
                return base
            names = {one.id: one.name for one in store.sources()}
            return parse_inbox(line, names, now_ms, base)

        return command(*args, where=where, **kwargs)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected


@inbox.command(
    "list",
    cls=ConsoleCommand,
    json_fields=ARRIVAL_FIELDS,
    examples=(
        "inbox list",
        "inbox list --source stripe --fate rejected --since 2h",
        "inbox list --filter fate:flagged",
    ),
)
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="At most so many."
)
@_filter_options
@pass_invocation
def list_(invocation: Invocation, limit: int, where: Where) -> int:
    """List requests, newest first."""
    with invocation.reading() as store:
        rows = list(_newest(store, where(store, invocation.clock.now_ms()), limit))
    if invocation.json:
        for row in rows:
            emit(arrival_record(row))
    elif rows:
        from console.cli.arrival_views import print_arrivals

        print_arrivals(rows)
    else:
        nothing("nothing came in that matches")
    return 0


def _newest(store: Store, where: InboxFilter, limit: int) -> Iterator[ArrivalRow]:
    before: RequestId | None = None
    while limit > 0:
        page = store.arrivals(where, limit=min(limit, PAGE), before=before)
        yield from page
        limit -= len(page)
        if not page:
            return
        before = page[-1].id


@inbox.command(
    cls=ConsoleCommand, json_fields=WHOLE_FIELDS, examples=("inbox show req_00001k", "inbox show req_00001k --json")
)
@click.argument("req", type=REQUEST_ID)
@click.option("--reveal", is_flag=True, help="With header fields and parts of the query that hold secrets.")
@pass_invocation
def show(invocation: Invocation, req: RequestId, reveal: bool) -> int:
    """Show a request whole. Of what lets others in, only captures keep the value; --reveal shows it."""
    with invocation.reading() as store:
        arrival = store.arrival(req)
    if invocation.json:
        from console.cli.arrival_views import whole_record

        emit(whole_record(arrival, reveal=reveal))
    else:
        from console.cli.arrival_views import print_arrival

        print_arrival(arrival, reveal=reveal)
    return 0


def follow(store: Store, where: InboxFilter, after: RequestId) -> Iterator[list[ArrivalRow]]:
    """What comes in, in order; an empty list whenever nothing new has. It does not end."""
    version = -1
    while True:
        now = store.data_version()
        rows = [] if now == version else store.arrivals_after(after, where, limit=PAGE)
        if len(rows) < PAGE:
            version = now
        if rows:
            after = rows[-1].id
        yield rows


def newest_id(store: Store) -> RequestId:
    """From which on a tail begins."""
    rows = store.arrivals(InboxFilter(), limit=1)
    return rows[0].id if rows else RequestId(0)


@inbox.command(
    cls=ConsoleCommand,
    json_fields=ARRIVAL_FIELDS,
    examples=("inbox tail", "inbox tail --source stripe -n 20", "inbox tail --fate rejected --json"),
)
@click.option("-n", "--lines", type=click.IntRange(min=0), default=0, metavar="N", help="Begin with the last N.")
@_filter_options
@pass_invocation
def tail(invocation: Invocation, lines: int, where: Where) -> int:
    """Follow the inbox: one line for each request as it comes, until Ctrl-C."""
    with invocation.reading() as store:
        wanted, after = where(store, invocation.clock.now_ms()), newest_id(store)
        if wanted.since_ms is not None and not lines:
            after = RequestId(0)
        for row in reversed(list(_newest(store, wanted, lines))):
            _print(invocation, row)
        for rows in follow(store, wanted, after):
            for row in rows:
                _print(invocation, row)
            flush()
            if not rows:
                time.sleep(LOOK_S)
    return 0


def _print(invocation: Invocation, row: ArrivalRow) -> None:
    if invocation.json:
        emit(arrival_record(row))
    else:
        say(arrival_line(row))


@inbox.command(
    cls=ConsoleCommand,
    json_fields=_REPLAY_FIELDS,
    examples=(
        "inbox replay req_00001k --endpoint billing",
        "inbox replay req_00001k --url http://localhost:3000/hook",
    ),
)
@click.argument("req", type=REQUEST_ID)
@click.option("--endpoint", "endpoint_ref", type=ENDPOINT, metavar="REF", help="A new event, owed to it alone.")
@click.option("--url", type=URL, metavar="URL", help="The request once more, with its header fields.")
@click.option("--allow-address", type=CIDR, multiple=True, metavar="CIDR", help="Send to this private network too.")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def replay(
    invocation: Invocation,
    req: RequestId,
    endpoint_ref: str | None,
    url: str | None,
    allow_address: tuple[str, ...],
    reason: str | None,
) -> int:
    """Send what came in once more: to an endpoint as an event, or as it was to a URL.

    To an endpoint it is signed, retried and logged as any event is. To a URL it goes once, and the answer is printed;
    localhost is sent to when the URL names it.
    """
    if (endpoint_ref is None) is (url is None):
        raise click.UsageError("give one of --endpoint and --url")
    if endpoint_ref is not None:
        return _to_endpoint(invocation, req, endpoint_ref, reason)
    assert url is not None
    return _to_url(invocation, req, url, allow_address)


def _to_endpoint(invocation: Invocation, req: RequestId, ref: str, reason: str | None) -> int:
    from console.operations.replaying import replay_to_endpoint

    with invocation.writing() as store:
        endpoint = store.find_endpoint(ref)
        now_ms = invocation.clock.now_ms()
        made = replay_to_endpoint(store, req, endpoint.id, actor=current_actor(), now_ms=now_ms, reason=reason)
        status = store.engine_status()
    number = format_number("dlv", made.delivery_id)
    if invocation.json:
        emit(
            {
                "request_id": format_number("req", req),
                "endpoint": endpoint.name,
                "event_id": made.event_id,
                "event_type": made.type,
                "delivery_id": number,
                "url": None,
                "status": None,
                "problem": None,
                "took_ms": None,
            }
        )
        return 0
    say(f"{made.event_id}  {paint('accepted', 'ok')}: {clean(made.type)} for {clean(endpoint.name)}")
    say(f"see 'deliveries show {number}'")
    if status is None or not status.alive(now_ms):
        note("hint: no engine is running, so nothing is sent yet: start one with 'webhook-console serve'")
    return 0


def _to_url(invocation: Invocation, req: RequestId, url: str, allow_address: tuple[str, ...]) -> int:
    """Raises ConsoleError; an exception that ends the sending leaves in the audit log that it did not end."""
    from console.intake.sending import again
    from console.operations.forwarding import begin_forward, end_forward

    with invocation.writing() as store:
        arrival = store.arrival(req)
        again(arrival, url)  # refused before it is in the log
        act = begin_forward(store, req, url, actor=current_actor(), now_ms=invocation.clock.now_ms())
        answered = send_on(invocation, arrival, url, allow_address)
        result = answered.problem or f"HTTP {answered.status}"
        end_forward(store, act, result, now_ms=invocation.clock.now_ms())
    return 0 if answered.fine else 1


def send_on(invocation: Invocation, arrival: Arrival, url: str, allow_address: tuple[str, ...]) -> "Answered":
    """Send a request to a URL and print what came back."""
    from console.config import allowed_addresses
    from console.intake.sending import addresses_for, again, send

    addresses = addresses_for(url, allowed_addresses(allow_address, invocation.environ))
    outgoing = again(arrival, url)
    answered = send(outgoing, addresses=addresses, clock=invocation.clock)
    _say_answer(invocation, arrival, outgoing.url, answered)
    return answered


def _say_answer(invocation: Invocation, arrival: Arrival, url: str, answered: "Answered") -> None:
    if invocation.json:
        emit(
            {
                "request_id": format_number("req", arrival.row.id),
                "endpoint": None,
                "event_id": arrival.row.event_id,
                "event_type": arrival.row.event_type,
                "delivery_id": None,
                "url": url,
                "status": answered.status,
                "problem": answered.problem,
                "took_ms": round(answered.took_ms, 3),
            }
        )
        return
    from console.ui.format import one_line, sanitise_bytes

    said = answered.problem or f"{answered.status} after {answered.took_ms:.0f} ms"
    body = one_line(sanitise_bytes(answered.body, 300), 200) if answered.body else ""
    say(f"→ {clean(url)}  {paint(clean(said), 'ok' if answered.fine else 'error')}  {body}".rstrip())
