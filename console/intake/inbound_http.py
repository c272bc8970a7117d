"""`/in/NAME` over HTTP: from the server's request to an inbound one, and from its answer to the server's."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Any

from console.domain.clock import Clock
from console.domain.event import PAYLOAD_CAP_BYTES
from console.domain.inbound import InboundRequest
from console.intake.inbound import Inbound, InboundAnswer
from console.intake.problems import Problem

PREFIX = "/in/"
INBOUND_MOST_BYTES = PAYLOAD_CAP_BYTES
"""What an event may hold, and no more is read."""

_NAME_MOST = 60

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def take_inbound(
    inbound: Inbound, clock: Clock, scope: Any, read: Callable[[], Awaitable[bytes]], send: Send
) -> None:
    """Serve one request.

    Args:
        read: the whole body, within the server's limit.
    """
    received_at_ms = clock.now_ms()
    name, _, below = str(scope["path"]).removeprefix(PREFIX).partition("/")
    client = scope.get("client")
    request = InboundRequest(
        method=scope["method"],
        path=below,
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((field.decode("latin-1"), value.decode("latin-1")) for field, value in scope["headers"]),
        body=b"",
        remote_address=_address(client[0]) if client else "",
        received_at_ms=received_at_ms,
    )
    answer = await _answer(inbound, name, request, read)
    if answer.delay_s:
        await asyncio.sleep(answer.delay_s)
    await _respond(send, answer)


def _address(text: str) -> str:
    """Written in one way. What a proxy calls a sender is no address of necessity: then it is short."""
    try:
        address = ip_address(text)
    except ValueError:
        return text[:_NAME_MOST]
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


async def _answer(
    inbound: Inbound, name: str, request: InboundRequest, read: Callable[[], Awaitable[bytes]]
) -> InboundAnswer:
    """Of a stranger's request to a name that nobody has, not even the body is read."""
    unknown = inbound.unknown(name)
    if unknown is not None:
        return unknown
    try:
        return await inbound.take(name, replace(request, body=await read()))
    except Problem as problem:
        if problem.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
        return await inbound.refuse_unread(name, request, problem.detail)


async def _respond(send: Send, answer: InboundAnswer) -> None:
    bodiless = answer.status in (204, 205, 304)
    head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if not bodiless:
        head.append((b"content-type", answer.content_type.encode("latin-1")))
        head.append((b"content-length", b"%d" % len(answer.body)))
    # What a sender or an operator wrote is never a page of this origin.
    head.append((b"x-content-type-options", b"nosniff"))
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": b"" if bodiless else answer.body})
