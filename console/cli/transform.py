"""`transform`: try a filter and a transform on an event, and what templates may use."""

import base64
from dataclasses import replace

import click

from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, paint, say
from console.cli.parameters import ENDPOINT, EVENT_ID, EVENT_TYPE, URL, Checked
from console.cli.records import Record, shown_headers
from console.cli.transform_flags import filter_text, transform_file
from console.domain.errors import TransformError
from console.domain.event import Event
from console.domain.ids import EventId
from console.domain.outcome import Headers
from console.domain.transform import Rendered, Subject, Transform
from console.operations.transform_trial import Trial, try_out

DEFAULT_TYPE = "webhook.test"
DEFAULT_URL = "https://example.com/"
_FIELDS = ("filter", "wanted", "method", "url", "headers", "body", "body_base64", "error")


@click.group(
    cls=ConsoleGroup,
    examples=("transform test --event evt_01k0000000000000000000000 --endpoint billing", "transform helpers"),
)
def transform() -> None:
    """Try out how events are filtered and reshaped for an endpoint; nothing is sent."""


@transform.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=(
        "transform test --event evt_01k0000000000000000000000 --endpoint billing",
        "transform test --data '{\"amount\": 42}' --type invoice.paid --endpoint crm --when 'payload.amount > 10'",
    ),
)
@click.option("--event", "event_id", type=EVENT_ID, metavar="EVENT", help="An event of the store.")
@click.option("--data", metavar="JSON|@FILE|-", help="A payload instead of an event.")
@click.option("--type", "type_", type=EVENT_TYPE, metavar="TYPE", help=f"The type of that. Default: {DEFAULT_TYPE}")
@click.option("--endpoint", type=ENDPOINT, metavar="REF", help="Whose filter, transform and URL.")
@click.option("--when", "wanted", type=Checked("filter", filter_text), metavar="EXPR", help="Another filter.")
@click.option(
    "--transform",
    "file",
    type=Checked("transform", transform_file),
    metavar="FILE.toml",
    help="Another transform: body, content_type, headers, path and method.",
)
@click.option("--url", type=URL, metavar="URL", help=f"Another URL. Without --endpoint: {DEFAULT_URL}")
@pass_invocation
def test(
    invocation: Invocation,
    event_id: EventId | None,
    data: str | None,
    type_: str | None,
    endpoint: str | None,
    wanted: str | None,
    file: Transform | None,
    url: str | None,
) -> int:
    """Show what would be sent: whether the filter wants the event, then method, URL, headers and body.

    With --event it is that of the store, with --data one that is given here. The exit code is 1 when a template fails.
    """
    if (event_id is None) == (data is None):
        raise click.UsageError("give either --event or --data")
    if endpoint is None and file is None and wanted is None:
        raise click.UsageError("give --endpoint, or --transform or --when to try")
    if event_id is not None and type_ is not None:
        raise click.UsageError("--type belongs to --data: an event has a type of its own")
    subject = _given(invocation, data, type_)
    headers: Headers = ()
    if event_id is not None or endpoint is not None:
        with invocation.reading() as store:
            if event_id is not None:
                subject = _of_event(store.event(event_id))
            if endpoint is not None:
                found = store.find_endpoint(endpoint)
                subject, url = replace(subject, endpoint_name=found.name), url or found.url
                wanted, file = wanted or found.filter, file or found.transform
                headers = tuple(shown_headers(found.policy.headers))
    trial = try_out(subject, url=url or DEFAULT_URL, wanted=wanted, transform=file)
    if invocation.json:
        emit({"filter": wanted, "wanted": trial.wanted, **_made_record(trial.made, headers), **_error(trial.error)})
    else:
        _print(trial, wanted, headers)
    return 0 if trial.error is None else 1


def _given(invocation: Invocation, data: str | None, type_: str | None) -> Subject:
    payload = b""
    if data is not None:
        from console.cli.send import read_payload

        payload = read_payload(data)
    return Subject(
        event_id="evt_example",
        event_type=type_ or DEFAULT_TYPE,
        accepted_at_ms=invocation.clock.now_ms(),
        payload=payload,
        endpoint_name="example",
    )


def _of_event(event: Event) -> Subject:
    return Subject(
        event_id=event.id,
        event_type=event.type,
        accepted_at_ms=event.accepted_at_ms,
        payload=event.payload,
        endpoint_name="example",
    )


def _all_headers(made: Rendered, headers: Headers) -> Headers:
    """Those of the endpoint with those of the transform in their place; a signature is made when it is sent."""
    taken = {name.lower() for name, _ in made.headers}
    kept = tuple(field for field in headers if field[0].lower() not in taken)
    return (("content-type", made.content_type), *kept, *shown_headers(made.headers))


def _made_record(made: Rendered | None, headers: Headers) -> Record:
    if made is None:
        return dict.fromkeys(("method", "url", "headers", "body", "body_base64"))
    try:
        text, encoded = made.body.decode(), None
    except UnicodeDecodeError:
        text, encoded = None, base64.b64encode(made.body).decode()
    return {
        "method": made.method,
        "url": made.url,
        "headers": [list(field) for field in _all_headers(made, headers)],
        "body": text,
        "body_base64": encoded,
    }


def _error(error: TransformError | None) -> Record:
    if error is None:
        return {"error": None}
    told = {"part": error.part, "line": error.line, "column": error.column, "message": str(error)}
    return {"error": told}


def _print(trial: Trial, wanted: str | None, headers: Headers) -> None:
    if trial.wanted is not None and wanted is not None:
        word = paint("wanted", "ok") if trial.wanted else paint("not wanted", "warning")
        say(f"{word} by its filter: {clean(wanted)}")
    elif wanted is None:
        say("no filter: every event of its types is wanted")
    if trial.error is not None:
        say(f"{paint('failed', 'error')}: {clean(str(trial.error))}")
    if trial.made is None:
        return
    from console.cli.attempt_views import print_text
    from console.ui.format import sanitise_bytes

    say(f"\n{paint(f'{trial.made.method} {clean(trial.made.url)}', 'strong')}")
    for name, value in _all_headers(trial.made, headers):
        say(f"{paint(clean(name) + ':', 'muted')} {clean(value)}")
    say()
    print_text(sanitise_bytes(trial.made.body, len(trial.made.body)))


@transform.command(cls=ConsoleCommand, json_fields=("kind", "name", "form", "help"), examples=("transform helpers",))
@pass_invocation
def helpers(invocation: Invocation) -> int:
    """List the helpers that filters and templates may use."""
    from console.domain.template_helpers import FILTERS, FUNCTIONS, TESTS

    kinds = {"helper": FILTERS, "test": TESTS, "function": FUNCTIONS}
    if invocation.json:
        for kind, table in kinds.items():
            for one in table.values():
                emit({"kind": kind, "name": one.name, "form": one.form, "help": one.help})
        return 0
    from console.cli.table import Cell, Column, print_table

    rows: list[list[Cell]] = [[(one.form, "strong"), one.help] for table in kinds.values() for one in table.values()]
    print_table((Column(title="WRITE"), Column(title="WHAT IT GIVES", flexible=True)), rows)
    return 0
