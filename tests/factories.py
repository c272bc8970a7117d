"""Values for tests, each right unless told otherwise."""

from random import Random
from typing import Any

from console.domain.delivery import Delivered, Exchange, Failed, Retry, Verdict
from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.ids import new_endpoint_id
from console.domain.inbound import Fate, InboundRequest, NewArrival
from console.domain.operation import Operation, OperationKind
from console.domain.outcome import Cause
from console.domain.policy import DeliveryPolicy
from console.domain.signing import Secret, make_secret
from console.domain.source import Source, SourceId, SourceKind, SourceSpec
from console.domain.work import Claimed, ClaimOrder, Completed
from console.store.protocol import Store

NOW_MS = 1_700_000_000_000
"""2023-11-14T22:13:20Z, where ManualClock starts too."""

SECRET = make_secret(b"an endpoint's signing secret, 32")


def make_event(**given: Any) -> NewEvent:
    return NewEvent(**{"type": "invoice.paid", "payload": b'{"amount": 4200}', **given})


def make_spec(**given: Any) -> EndpointSpec:
    policy = DeliveryPolicy(**given.pop("policy", {}))
    given["secrets"] = tuple(s if isinstance(s, Secret) else Secret(text=s) for s in given.get("secrets", (SECRET,)))
    return EndpointSpec(
        **{
            "name": "crm",
            "url": "http://127.0.0.1:9/hook",
            "types": ("*",),
            "policy": policy,
            **given,
        }
    )


def add_endpoint(store: Store, *, now_ms: int = NOW_MS, seed: int | None = None, **given: Any) -> Endpoint:
    """An endpoint straight into the store, without an audit row."""
    spec = make_spec(**given)
    return store.add_endpoint(new_endpoint_id(Random(spec.name if seed is None else seed)), spec, now_ms)


def make_source_spec(**given: Any) -> SourceSpec:
    return SourceSpec(**{"name": "shop", "kind": SourceKind.STANDARD, "secrets": (Secret(text=SECRET),), **given})


def add_source(store: Store, *, now_ms: int = NOW_MS, **given: Any) -> Source:
    """A source straight into the store; its id has its name in it."""
    spec = make_source_spec(**given)
    return store.add_source(SourceId(f"src_{spec.name}"), spec, now_ms)


def make_request(**given: Any) -> InboundRequest:
    return InboundRequest(
        **{
            "method": "POST",
            "path": "",
            "query": "",
            "headers": (("Content-Type", "application/json"), ("X-Id", "7")),
            "body": b'{"amount": 4200}',
            "remote_address": "127.0.0.1",
            "received_at_ms": NOW_MS,
            **given,
        }
    )


def make_arrival(source: Source, **given: Any) -> NewArrival:
    """What is not said of the arrival is said of its request."""
    own: dict[str, Any] = {"fate": Fate.CAPTURED, "status": 200}
    own |= {k: given.pop(k) for k in ("fate", "reason", "event_id", "status", "took_ms") if k in given}
    return NewArrival(source=source.id, request=make_request(**given), **own)


def start_engine(store: Store, *, now_ms: int = NOW_MS) -> int:
    """Take the store over as an engine would. Returns the epoch."""
    return store.take_over(pid=4242, host="testhost", version="0", now_ms=now_ms)


def delivered(status: int = 200) -> Delivered:
    return Delivered(status=status)


def retry(at_ms: int, cause: Cause = Cause.HTTP_5XX, status: int | None = 503) -> Retry:
    return Retry(cause=cause, status=status, detail="HTTP 503", at_ms=at_ms, why="wait 2 of the schedule, 5 s ±20%")


def failed(cause: Cause = Cause.HTTP_4XX, status: int | None = 422) -> Failed:
    return Failed(cause=cause, status=status, detail="HTTP 422", why="schedule exhausted after 10 tries")


def gone() -> Failed:
    """The verdict of a 410."""
    return Failed(cause=Cause.GONE, status=410, detail="HTTP 410", why="410 Gone", disable_endpoint=True)


def make_exchange(**given: Any) -> Exchange:
    return Exchange(
        **{
            "url": "http://127.0.0.1:9/hook",
            "request_headers": (("content-type", "application/json"), ("webhook-id", "evt_x")),
            "response_headers": (("content-type", "application/json"),),
            "response_body": b'{"ok": true}',
            "response_truncated": False,
            "remote_address": "127.0.0.1",
            **given,
        }
    )


def make_completed(claimed: Claimed, verdict: Verdict, *, now_ms: int = NOW_MS, **given: Any) -> Completed:
    return Completed(
        **{
            "claimed": claimed,
            "verdict": verdict,
            "started_at_ms": now_ms,
            "ended_at_ms": now_ms + 12,
            "total_ms": 12.5,
            "first_byte_ms": 11.0,
            "exchange": make_exchange(),
            **given,
        }
    )


def claim_all(store: Store, epoch: int, *endpoints: Endpoint, now_ms: int = NOW_MS, limit: int = 1000) -> list[Claimed]:
    """Claim what is due at these endpoints, or at every one."""
    orders = [ClaimOrder(endpoint_seq=e.seq, limit=limit) for e in endpoints or store.endpoints()]
    return store.claim(orders, epoch=epoch, now_ms=now_ms)


def attempt_all(
    store: Store, epoch: int, verdict: Verdict, *, now_ms: int = NOW_MS, limit: int = 1000
) -> list[Claimed]:
    """Claim what is due at every endpoint and complete each claim with one verdict."""
    claimed = claim_all(store, epoch, now_ms=now_ms, limit=limit)
    store.complete([make_completed(c, verdict, now_ms=now_ms) for c in claimed], epoch=epoch)
    return claimed


def claim_one(store: Store, epoch: int, **endpoint: Any) -> Claimed:
    """One event for one new endpoint, claimed."""
    made = add_endpoint(store, **endpoint)
    store.accept([make_event()], NOW_MS)
    (claimed,) = claim_all(store, epoch, made)
    return claimed


def begin_bulk(
    store: Store, kind: OperationKind, where: DeliveryFilter | None = None, *, now_ms: int = NOW_MS, **given: Any
) -> Operation:
    """A bulk operation straight into the store; none of its deliveries is moved yet."""
    return store.begin_bulk(
        kind,
        where or DeliveryFilter(),
        **{"rate_per_s": None, "actor": "ada@box", "target": "test", "reason": None, **given},
        now_ms=now_ms,
    )


def retry_matching(store: Store, where: DeliveryFilter | None = None, *, now_ms: int = NOW_MS) -> int:
    """Make all that match due, in one piece. Returns how many were."""
    return _in_one_piece(store, OperationKind.DELIVERY_RETRY, where, now_ms)


def cancel_matching(store: Store, where: DeliveryFilter | None = None, *, now_ms: int = NOW_MS) -> int:
    """Cancel all that match, in one piece. Returns how many were."""
    return _in_one_piece(store, OperationKind.DELIVERY_CANCEL, where, now_ms)


def _in_one_piece(store: Store, kind: OperationKind, where: DeliveryFilter | None, now_ms: int) -> int:
    begun = begin_bulk(store, kind, where, now_ms=now_ms)
    ended = store.advance_operation(begun.id, limit=100_000, now_ms=now_ms)
    assert not ended.is_open
    return ended.done
