"""What came in over an hour: of every fate, at sources of several kinds."""

from dataclasses import replace
from random import Random
from typing import Any

from console.domain.event_schema import Flaw
from console.domain.ids import EventId
from console.domain.inbound import Fate, InboundRequest, NewArrival, RequestId
from console.domain.signing import Secret
from console.domain.source import SourceId, SourceKind, SourceSpec
from console.domain.transform import Transform
from console.store import Store
from tests.factories import make_event

MINUTE_MS = 60_000
BASE = "http://127.0.0.1:8400"
BODY = b'{"id": "evt_1PqYk2", "type": "invoice.paid", "data": {"amount": "12", "currency": "EUR", "customer": "Ada"}}'
RESHAPED = Transform(
    body='{\n  "text": {{ ("Paid: " ~ payload.amount) | tojson }},\n  "ref": {{ event.id | tojson }}\n}',
    headers=(("x-ref", "{{ payload.id }}"), ("x-token", "{{ payload.id }}")),
    path="/contacts/{{ payload.id }}",
)
FLAW = Flaw(path="data.amount", reason='"12" is not of type "number"', pattern="invoice.*", version=2)


def add_source(store: Store, name: str, kind: SourceKind, now_ms: int, *, until_ms: int | None = None) -> SourceId:
    """A source straight into the store, without an audit row."""
    spec = SourceSpec(name=name, kind=kind, secrets=(Secret(text=f"whsec_{name}"),), until_ms=until_ms)
    number = SourceId(f"src_{Random(name).getrandbits(60):015x}"[:16])
    return store.add_source(number, spec, now_ms).id


def make_arrival(
    source: SourceId, at_ms: int, fate: Fate = Fate.ACCEPTED, *, status: int = 202, body: bytes = BODY, **given: Any
) -> NewArrival:
    """A request that came in, like those of a payment provider unless told otherwise."""
    request: dict[str, Any] = {
        "method": "POST",
        "path": "",
        "query": "",
        "headers": (
            ("host", "hooks.example.com"),
            ("content-type", "application/json"),
            ("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
            ("stripe-signature", "t=1700000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"),
            ("authorization", "Bearer hunter2"),
        ),
        "remote_address": "54.187.174.169",
    }
    request |= {name: given.pop(name) for name in tuple(given) if name in request}
    return NewArrival(
        source=source,
        request=InboundRequest(body=body, received_at_ms=at_ms, **request),
        fate=fate,
        status=status,
        took_ms=3.2,
        **given,
    )


def _reshape(store: Store, now_ms: int) -> None:
    crm, ledger = store.find_endpoint("crm"), store.find_endpoint("ledger")
    spec = replace(crm.spec, filter="payload.amount > 1000", transform=RESHAPED)
    store.edit_endpoint(crm.id, spec, now_ms - MINUTE_MS)
    store.edit_endpoint(ledger.id, replace(ledger.spec, dry_run=True), now_ms - MINUTE_MS)


def furnish_inbox(store: Store, now_ms: int) -> list[RequestId]:
    """Four sources and an hour of requests, the same each time. Some became events that no endpoint wants. One endpoint
    reshapes its events, and one is in dry run."""
    _reshape(store, now_ms)
    begun_ms = now_ms - 60 * MINUTE_MS
    stripe = add_source(store, "stripe", SourceKind.STRIPE, begun_ms)
    github = add_source(store, "github", SourceKind.GITHUB, begun_ms)
    shop = add_source(store, "shop", SourceKind.SHOPIFY, begun_ms)
    capture = add_source(store, "x7f2k9", SourceKind.CAPTURE, begun_ms, until_ms=now_ms + 50 * MINUTE_MS)
    store.enable_source(shop, enabled=False)
    store.set_listening((BASE,), begun_ms)
    flagged, paid = EventId("stripe_evt_1PqYk2"), EventId("evt_invoice_paid_0000_00")
    store.accept([make_event(type="charge.flagged", id=flagged, payload=BODY, flaw=FLAW, source="stripe")], begun_ms)
    arrivals = [
        make_arrival(stripe, begun_ms + 1_000, event_id=paid),
        make_arrival(
            shop, begun_ms + 2 * MINUTE_MS, Fate.REJECTED, status=401, reason="X-Shopify-Hmac-Sha256 is missing"
        ),
    ]
    for number in range(40):
        at_ms = begun_ms + 3 * MINUTE_MS + number * MINUTE_MS
        arrivals.append(make_arrival(stripe, at_ms, event_id=paid))
    late = now_ms - 4 * MINUTE_MS
    arrivals += [
        make_arrival(stripe, late, event_id=paid),
        make_arrival(stripe, late + 900, Fate.DUPLICATE, status=200, event_id=paid),
        make_arrival(
            github, late + 20_123, Fate.ANSWERED, status=200, body=b'{"zen": "Design for failure."}',
            reason="a ping says that the webhook was set up", remote_address="140.82.115.1",
        ),
        make_arrival(stripe, late + 61_000, Fate.FLAGGED, event_id=flagged, reason=str(FLAW)),
        make_arrival(
            stripe, late + 90_000, Fate.REJECTED, status=401,
            reason="v1 of Stripe-Signature is not made with any secret of this source",
            remote_address="203.0.113.9",
        ),
        make_arrival(
            capture, late + 120_000, Fate.CAPTURED, status=200, method="PUT", path="/orders/7",
            query="page=2&token=hunter2", body=b"name=Ada&role=engineer", remote_address="127.0.0.1",
            headers=(("content-type", "application/x-www-form-urlencoded"), ("x-api-key", "hunter2")),
        ),
    ]  # fmt: skip
    return store.record_arrivals(arrivals)
