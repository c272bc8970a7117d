"""`/v1/operations`, `/v1/stats`, `/metrics`, `/healthz` and `/readyz`."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from litestar import MediaType, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from console.domain.ids import OperationId, parse_number
from console.domain.moment import iso_ms
from console.domain.outcome import Cause
from console.domain.rates import SLOTS, Bucket, Window, total_of, window_of
from console.domain.retry import parse_duration_s
from console.domain.status import Gauge
from console.domain.token import Scope
from console.intake import shaping
from console.intake.metrics import CONTENT_TYPE, Metrics
from console.intake.pages import Cursor, Limit, cursor_of, number_of
from console.intake.problems import Problem
from console.intake.readiness import readiness
from console.intake.routes.parts import Asked, At, Id, actor, needs
from console.intake.shapes import EndpointRates, Health, OperationShape, OverallRates, Page, Stats
from console.operations import deliveries as acts
from console.store.protocol import Store

_DAY_S = 24 * 3600


@get("/v1/operations", summary="List operations", **needs(Scope.OPERATIONS_READ, tag="operations"))
async def operations(desk: At, limit: Limit = 50, cursor: Cursor = None) -> Page[OperationShape]:
    """What was done, newest first: the audit log."""
    mark = number_of("operation", cursor)
    before = None if mark is None else OperationId(mark)
    rows = await desk.read(lambda store: store.operations(limit=limit + 1, before=before))
    page = rows[:limit]
    return Page(
        data=[shaping.operation(row) for row in page],
        next=cursor_of("operation", page[-1].id) if len(rows) > limit else None,
        complete=True,
    )


@get("/v1/operations/{operation_id:str}", summary="Show an operation",
     **needs(Scope.OPERATIONS_READ, 404, tag="operations"))  # fmt: skip
async def operation(desk: At, operation_id: Id) -> OperationShape:
    """One operation, and how far it is."""
    id_ = OperationId(parse_number("op", operation_id))
    return shaping.operation(await desk.read(lambda store: store.operation(id_)))


@post("/v1/operations/{operation_id:str}/cancel", status_code=200, summary="End a bulk operation",
      **needs(Scope.DELIVERIES_WRITE, 404, tag="operations"))  # fmt: skip
async def cancel(request: Asked, desk: At, operation_id: Id) -> OperationShape:
    """End it where it is; what it has done stays done."""
    id_, who, now_ms = OperationId(parse_number("op", operation_id)), actor(request), desk.clock.now_ms()
    return shaping.operation(await desk.operate(lambda store: acts.stop(store, id_, actor=who, now_ms=now_ms)))


@get("/v1/stats", summary="Rates and what is owed", **needs(Scope.EVENTS_READ, tag="stats"))
async def stats(
    desk: At, window: Annotated[str, QueryParameter(max_length=20, description="`5m`, `1h`; a day at most.")] = "5m"
) -> Stats:
    """Rates, errors and latencies of the last minutes or hours, overall and by endpoint."""
    length_s = parse_duration_s(window)
    if not 1 <= length_s <= _DAY_S:
        raise Problem(400, f"window {window!r}: 1s to 24h are allowed")
    now_ms = desk.clock.now_ms()
    return await desk.read(lambda store: _stats(store, window_of(length_s), now_ms))


def _stats(store: Store, window: Window, now_ms: int) -> Stats:
    until_s = now_ms // 1000 + 1
    # Whole buckets only: a minute that began before the window counts as in it.
    since_s = (until_s - window.length_s) // window.width_s * window.width_s
    total = total_of(store.buckets(since_s=since_s, until_s=until_s, width_s=window.width_s), since_s)
    by_endpoint = store.totals_by_endpoint(since_s=since_s, until_s=until_s, width_s=window.width_s)
    causes, gauges = store.causes(since_s=since_s, until_s=until_s), store.gauges()
    nothing = Bucket(start_s=since_s, accepted=0, ok=0, failed=0, histogram=(0,) * SLOTS)
    length_s = until_s - since_s
    return Stats(
        window_s=length_s,
        since=iso_ms(since_s * 1000),
        until=iso_ms(until_s * 1000),
        overall=OverallRates(
            accepted=total.accepted, **_rates(total, gauges.values(), _summed(causes.values()), length_s)
        ),
        endpoints=[
            EndpointRates(
                endpoint_id=endpoint.id,
                endpoint=endpoint.name,
                state=endpoint.state.value,
                **_rates(
                    by_endpoint.get(endpoint.id, nothing),
                    [gauges.get(endpoint.id, Gauge())],
                    causes.get(endpoint.id, {}),
                    length_s,
                ),
            )
            for endpoint in store.endpoints()
        ],
    )


def _rates(bucket: Bucket, gauges: Iterable[Gauge], causes: Mapping[Cause, int], length_s: int) -> dict[str, Any]:
    ratio, counts = bucket.error_ratio, list(gauges)
    return {
        "attempts": bucket.attempts,
        "ok": bucket.ok,
        "errors": bucket.failed,
        "rate_per_s": round(bucket.attempts / length_s, 4),
        "success_ratio": None if ratio is None else bucket.ok / bucket.attempts,
        "error_ratio": ratio,
        "p50_ms": _rounded(bucket.percentile_ms(0.50)),
        "p95_ms": _rounded(bucket.percentile_ms(0.95)),
        "p99_ms": _rounded(bucket.percentile_ms(0.99)),
        "pending": sum(gauge.pending for gauge in counts),
        "sending": sum(gauge.sending for gauge in counts),
        "delivered": sum(gauge.delivered for gauge in counts),
        "failed": sum(gauge.failed for gauge in counts),
        "cancelled": sum(gauge.cancelled for gauge in counts),
        "causes": {cause.value: n for cause, n in sorted(causes.items(), key=lambda item: (-item[1], item[0]))},
    }


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)


def _summed(parts: Iterable[Mapping[Cause, int]]) -> dict[Cause, int]:
    total: dict[Cause, int] = {}
    for part in parts:
        for cause, n in part.items():
            total[cause] = total.get(cause, 0) + n
    return total


@get("/metrics", summary="Metrics for Prometheus", media_type=MediaType.TEXT, **needs(Scope.METRICS_READ, tag="health"))
async def read_metrics(metrics: NamedDependency[Metrics]) -> Response[bytes]:
    """Counters since the engine started, and how it stands now, in the text format of Prometheus."""
    return Response(await metrics.read(), media_type=CONTENT_TYPE)


@get("/healthz", opt={"open": True}, tags=["health"], summary="Whether the process lives")
async def healthz() -> Health:
    """The engine's loop answers."""
    return Health(status="ok", detail="the loop answers")


@get(
    "/readyz",
    opt={"open": True},
    tags=["health"],
    summary="Whether events are taken",
    responses={503: ResponseSpec(Health, generate_examples=False, description="No events are taken now.")},
)
async def readyz(desk: At) -> Response[Health]:
    """200 when the store can be written, the engine delivers and does not drain; else 503."""
    health = await readiness(desk)
    return Response(health, status_code=200 if health.status == "ok" else 503)


ROUTES = [operations, operation, cancel, stats, read_metrics, healthz, readyz]
