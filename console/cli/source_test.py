"""`sources test`: a signed sample, through the door that the sender uses."""

from random import SystemRandom

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import CIDR, TEXT, URL
from console.domain.errors import InvalidInputError
from console.domain.ids import format_number, random_text
from console.domain.inbound import ArrivalRow, InboxFilter, RequestId
from console.domain.secret_parts import change_secrets
from console.domain.signing import active_secrets
from console.domain.source import Source
from console.store import Store

_FIELDS = ("source", "url", "status", "problem", "took_ms", "request_id", "fate", "reason", "event_id", "event_type")

_BESIDE = 500
"""Requests that may come in while the sample is on its way."""


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=(
        "sources test stripe",
        "sources test stripe --type invoice.paid",
        "sources test stripe --url https://hooks.example.com/in/stripe",
    ),
)
@click.argument("ref")
@click.option(
    "--type", "event_type", type=TEXT, default="sample", show_default=True, metavar="TYPE", help="As it says."
)
@click.option("--url", type=URL, metavar="URL", help="Where it is sent. Default: where the engine listens.")
@click.option("--allow-address", type=CIDR, multiple=True, metavar="CIDR", help="Send to this private network too.")
@key_file_option
@pass_invocation
def test(invocation: Invocation, ref: str, event_type: str, url: str | None, allow_address: tuple[str, ...]) -> int:
    """Send a signed sample to a source over HTTP, and say what became of it.

    It is a real event: endpoints that want its type get it.
    """
    from console.config import allowed_addresses
    from console.domain.kinds.sample import sample_request
    from console.intake.sending import Outgoing, addresses_for, send

    now_ms = invocation.clock.now_ms()
    with invocation.reading() as store:
        source = store.find_source(ref)
        target = url or _url(store, source)
        secret = _secret(invocation, source, now_ms)
        newest = store.arrivals(InboxFilter(source=source.id), limit=1)
        id_ = f"sample-{random_text(SystemRandom(), 12)}"
        headers, body = sample_request(source, secret, event_type, id_=id_, now_ms=now_ms)
        headers = (("User-Agent", id_), *headers)
        sent = send(
            Outgoing(method="POST", url=target, headers=headers, body=body),
            addresses=addresses_for(target, allowed_addresses(allow_address, invocation.environ)),
            clock=invocation.clock,
        )
        came = _came(store, source, newest[0].id if newest else RequestId(0), id_)
    taken = sent.status is not None and sent.status < 400
    if invocation.json:
        emit(
            {
                "source": source.name,
                "url": target,
                "status": sent.status,
                "problem": sent.problem,
                "took_ms": round(sent.took_ms, 3),
                "request_id": None if came is None else format_number("req", came.id),
                "fate": None if came is None else came.fate.value,
                "reason": None if came is None else came.reason,
                "event_id": None if came is None else came.event_id,
                "event_type": None if came is None else came.event_type,
            }
        )
        return 0 if taken else 1
    answer = sent.problem or f"answered {sent.status} after {sent.took_ms:.0f} ms"
    say(f"{target}  {paint(clean(answer), 'ok' if taken else 'error')}")
    if came is not None:
        say(_words(came))
    elif sent.status == 404:
        note(f"hint: nobody takes /in/{source.name} there: is the source enabled, and is it an engine of this store?")
    return 0 if taken else 1


def _url(store: Store, source: Source) -> str:
    from console.cli.source_views import source_url

    listening = store.listening()
    if not listening:
        raise InvalidInputError(
            "no engine listens yet: start one with 'webhook-console serve --listen 127.0.0.1:8400', or give --url"
        )
    # The last one is of this machine; the first may be that of a proxy before it.
    return source_url(source, listening[-1:])


def _came(store: Store, source: Source, after: RequestId, id_: str) -> ArrivalRow | None:
    """The sample in the inbox, among whatever came beside it."""
    for row in store.arrivals_after(after, InboxFilter(source=source.id), limit=_BESIDE):
        if ("user-agent", id_) in ((name.lower(), value) for name, value in store.arrival(row.id).headers):
            return row
    return None


def _secret(invocation: Invocation, source: Source, now_ms: int) -> str:
    keys = invocation.keys
    secrets = active_secrets(source.secrets, now_ms)[:1]
    opened = change_secrets(secrets, lambda field, text: keys.open(text, source.id, field))
    return opened[0].text if opened else ""


def _words(row: ArrivalRow) -> str:
    what = row.reason or f"event {row.event_id} of type {row.event_type}"
    return f"{format_number('req', row.id)}  {row.fate}: {clean(what)}"
