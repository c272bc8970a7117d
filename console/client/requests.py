"""Every request of the API, by what it is about; both clients make them."""

from typing import Any

from console.client.calls import Call, act_call, get_call, part
from console.client.models import Delivery, Endpoint, Event, Operation, Retried


def event(event_id: str) -> Call[Event]:
    return get_call(f"/v1/events/{part(event_id)}", Event)


def delivery(delivery_id: str) -> Call[Delivery]:
    return get_call(f"/v1/deliveries/{part(delivery_id)}", Delivery)


def retry_deliveries(filter: str, *, rate: str | None, reason: str | None, dry_run: bool) -> Call[Retried]:
    body = {"filter": filter, "rate": rate, "reason": reason, "dry_run": dry_run}
    return act_call("POST", "/v1/deliveries/retry", Retried, body)


def retry_delivery(delivery_id: str, reason: str | None) -> Call[Operation]:
    return act_call("POST", f"/v1/deliveries/{part(delivery_id)}/retry", Operation, {"reason": reason})


def cancel_delivery(delivery_id: str, reason: str | None) -> Call[Operation]:
    return act_call("POST", f"/v1/deliveries/{part(delivery_id)}/cancel", Operation, {"reason": reason})


def operation(operation_id: str) -> Call[Operation]:
    return get_call(f"/v1/operations/{part(operation_id)}", Operation)


def endpoint(ref: str) -> Call[Endpoint]:
    return get_call(f"/v1/endpoints/{part(ref)}", Endpoint)


def add_endpoint(url: str, given: dict[str, Any]) -> Call[Endpoint]:
    return act_call("POST", "/v1/endpoints", Endpoint, {"url": url, **given})


def edit_endpoint(ref: str, given: dict[str, Any]) -> Call[Endpoint]:
    return act_call("PATCH", f"/v1/endpoints/{part(ref)}", Endpoint, given)


def remove_endpoint(ref: str) -> Call[dict[str, Any]]:
    return act_call("DELETE", f"/v1/endpoints/{part(ref)}", dict[str, Any])


def pause_endpoint(ref: str, *, reason: str | None, for_s: float | None) -> Call[Endpoint]:
    return act_call("POST", f"/v1/endpoints/{part(ref)}/pause", Endpoint, {"reason": reason, "for_s": for_s})


def resume_endpoint(ref: str, *, reason: str | None, rate: str | None) -> Call[Endpoint]:
    return act_call("POST", f"/v1/endpoints/{part(ref)}/resume", Endpoint, {"reason": reason, "rate": rate})


def stats(window: str) -> Call[dict[str, Any]]:
    return get_call("/v1/stats", dict[str, Any], params={"window": window})
