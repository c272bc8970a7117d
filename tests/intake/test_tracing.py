"""OpenTelemetry: a span for each request, with the ids of the events in it."""

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from console.domain.errors import ConfigError
from console.intake import tracing
from tests.intake.rig import serving

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_a_request_is_a_span_with_the_ids_of_its_events(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "make_provider", lambda: provider)
    async with serving(store_path, otel=True) as served, served.client() as client:
        parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        one = await client.post("/v1/events", json={"type": "a.b", "data": 1}, headers=parent)
        many = await client.post("/v1/events", json=[{"type": "a.b", "data": 1}] * 30)
        await client.post("/v1/events", json={"type": "a.b"})
        await client.get("/v1/endpoints/nobody")
        await client.get("/nowhere")
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        "POST /v1/events", "POST /v1/events", "POST /v1/events", "GET /v1/endpoints/…", "GET (unknown)",
    ]  # fmt: skip
    told = [dict(span.attributes or {}) for span in spans]
    assert [one["http.response.status_code"] for one in told] == [202, 202, 400, 404, 404]
    assert (told[0]["webhook.event.ids"], told[0]["webhook.event.count"]) == ((one.json()["id"],), 1)
    assert told[1]["webhook.event.count"] == 30
    assert told[1]["webhook.event.ids"] == tuple(row["id"] for row in many.json()["accepted"][:20])
    assert "webhook.event.ids" not in told[2]
    assert f"{spans[0].context.trace_id:032x}" == TRACE
    assert spans[1].parent is None


async def test_without_the_extra_there_is_one_line(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(
        ConfigError, match=r"--otel: opentelemetry\S* is not installed: install webhook-console\[otel\]"
    ):
        async with serving(store_path, otel=True):
            raise AssertionError("it traces to nowhere")
