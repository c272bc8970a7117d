"""Traces of requests for OpenTelemetry, when they are wanted: a span for each, with the ids of the events in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from console import __version__
from console.domain.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

SERVICE = "webhook-console"
IDS_MOST = 20
"""So many ids of a batch are told."""

_ROUTES = ("/v1/events", "/v1/deliveries", "/v1/attempts", "/v1/endpoints", "/v1/operations", "/v1/stats", "/in")


@contextmanager
def tracing(wanted: bool) -> Iterator[Callable[[Any], Any]]:
    """What wraps an ASGI application so that its requests are traced; without `wanted` it is left as it is.

    Where traces go, and all else, is said by the variables of the SDK: OTEL_EXPORTER_OTLP_ENDPOINT and so on.

    Raises:
        ConfigError: the extra is not installed.
    """
    if not wanted:
        yield lambda app: app
        return
    provider = make_provider()
    try:
        yield lambda app: Traced(app, provider.get_tracer(SERVICE, __version__))
    finally:
        provider.shutdown()


def make_provider() -> "TracerProvider":
    """Raises ConfigError when the extra is not installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[import-not-found, unused-ignore] # an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        said = f"--otel: {error.name} is not installed: install webhook-console[otel]"
        raise ConfigError(said) from None
    own = Resource({"service.name": SERVICE, "service.version": __version__})
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class _Accepted(msgspec.Struct):
    id: str


class _Batch(msgspec.Struct):
    accepted: list[_Accepted]


class Traced:
    """An ASGI application, each of whose requests is a span; a `traceparent` in it is the span's parent."""

    def __init__(self, app: Any, tracer: "Tracer") -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = _route(scope["path"])
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        known = {"http.request.method": scope["method"], "http.route": route, "url.scheme": scope["scheme"]}
        with self._tracer.start_as_current_span(
            f"{scope['method']} {route}", context=extract(fields), kind=SpanKind.SERVER, attributes=known
        ) as span:
            posted = route == "/v1/events" and scope["method"] == "POST"

            async def told(message: Any) -> None:
                if message["type"] == "http.response.start":
                    _tell_status(span, message["status"])
                elif posted and message.get("body"):
                    _tell_events(span, message["body"])
                await send(message)

            await self._app(scope, receive, told)


def _route(path: str) -> str:
    """What a request is about: ids and names in paths would make each one a route of its own."""
    if path in ("/metrics", "/healthz", "/readyz", "/v1/openapi.json"):
        return path
    found = next((route for route in _ROUTES if path == route or path.startswith(f"{route}/")), None)
    return "(unknown)" if found is None else found if path == found else f"{found}/…"


def _tell_status(span: "Span", status: int) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def _tell_events(span: "Span", body: bytes) -> None:
    """The ids in an answer; a problem has none."""
    try:
        if body.startswith(b'{"accepted"'):
            ids = [one.id for one in msgspec.json.decode(body, type=_Batch).accepted]
        else:
            ids = [msgspec.json.decode(body, type=_Accepted).id]
    except msgspec.DecodeError:
        return
    span.set_attribute("webhook.event.count", len(ids))
    span.set_attribute("webhook.event.ids", ids[:IDS_MOST])
