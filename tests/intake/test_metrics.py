"""`/metrics`, `/v1/stats`, `/healthz` and `/readyz`."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from console.domain.breaker import Tripped
from console.domain.clock import SystemClock
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, start_engine
from tests.intake.rig import Served, serving

EVENT = {"type": "a.b", "data": 1}


async def read(served: Served) -> dict[tuple[str, ...], float]:
    """Samples by name and the values of their labels."""
    async with served.client() as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_what_happened_and_how_it_stands_is_told(store_path: Path) -> None:
    now_ms = SystemClock().now_ms()
    async with serving(store_path) as served, served.client() as client:
        crm = add_endpoint(served.store, name="crm", now_ms=now_ms)
        epoch = start_engine(served.store, now_ms=now_ms)
        assert (await client.post("/v1/events", json=[EVENT] * 3)).status_code == 202
        assert (await client.post("/v1/events", json=[])).status_code == 400
        now_ms = SystemClock().now_ms()
        attempt_all(served.store, epoch, delivered(), now_ms=now_ms, limit=2)
        attempt_all(served.store, epoch, failed(), now_ms=now_ms, limit=1)
        served.store.accept([make_event()], now_ms)
        served.store.change_health(
            [Tripped(endpoint_seq=crm.seq, reason="ill", probe_at_ms=now_ms)], epoch=epoch, now_ms=now_ms
        )
        told = await read(served)
        assert told["webhook_accepted_total", "api"] == 3
        # The event of the operator, and the one that tells of the breaker.
        assert told["webhook_accepted_total", "elsewhere"] >= 1
        assert told["webhook_attempts_delivered_total",] == 2
        assert told["webhook_attempts_failed_total", "http_4xx"] == 1
        assert told["webhook_attempts_failed_total", "dns"] == 0
        assert told["webhook_attempt_duration_seconds_bucket", "0.015"] == 3
        assert told["webhook_attempt_duration_seconds_bucket", "0.01"] == 0
        assert told["webhook_pending", "crm"] >= 1
        assert told["webhook_failed", "crm"] == 1
        assert told["webhook_endpoints", "tripped"] == 1
        assert told["webhook_breaker_open", "crm"] == 1
        assert told["webhook_intake_requests_total", "202"] == 1
        assert told["webhook_intake_requests_total", "400"] == 1
        stats = (await client.get("/v1/stats?window=1h")).json()
        assert (stats["overall"]["attempts"], stats["overall"]["causes"]) == (3, {"http_4xx": 1})
        assert [row["endpoint"] for row in stats["endpoints"]] == ["crm"]
        assert (await client.get("/v1/stats?window=2d")).status_code == 400


async def test_many_endpoints_are_few_lines(store_path: Path) -> None:
    async with serving(store_path) as served:
        with served.store.transaction():
            for number in range(230):
                add_endpoint(served.store, name=f"e{number}")
        served.store.accept([make_event()], 1_700_000_000_000)
        told = await read(served)
        pending = {labels[1]: value for labels, value in told.items() if labels[0] == "webhook_pending"}
        assert len(pending) == 201
        assert pending["(others)"] == 30
        assert sum(pending.values()) == 230


async def test_ready_is_who_takes_events(store_path: Path) -> None:
    async with serving(store_path) as served, served.client(None) as client:
        assert (await client.get("/healthz")).json()["status"] == "ok"
        late = await client.get("/readyz")
        assert (late.status_code, late.json()["detail"]) == (503, "the engine's heartbeat is old")
        start_engine(served.store, now_ms=SystemClock().now_ms() + 60_000)
        assert (await client.get("/readyz")).status_code == 200
