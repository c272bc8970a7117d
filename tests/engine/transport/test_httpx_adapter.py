"""What only the second adapter does."""

import asyncio

import httpx

from console.domain.addresses import AddressPolicy
from console.domain.clock import SystemClock
from console.domain.outcome import Cause
from console.engine.transport.guard import AddressGuard
from console.engine.transport.httpx_adapter import HttpxTransport
from tests.engine.transport.requests import answered, failed, make_request


async def _public(_host: str) -> list[str]:
    return ["93.184.215.14"]


def _transport(handler: httpx.MockTransport) -> HttpxTransport:
    clock = SystemClock()
    guard = AddressGuard(AddressPolicy(), clock=clock, resolver=_public)
    return HttpxTransport(guard, clock=clock, transport=handler)


async def test_an_injected_transport_sees_the_url_as_given() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, headers={"x-a": "1"}, content=b"thanks")

    sender = _transport(httpx.MockTransport(handler))
    response = answered(await sender.send(make_request("https://receiver.example/hook", body=b"{}")))
    assert (response.status, response.body, response.remote_address) == (202, b"thanks", "93.184.215.14")
    assert (str(seen[0].url), seen[0].content) == ("https://receiver.example/hook", b"{}")
    await sender.aclose()


async def test_an_injected_transport_that_hangs_meets_the_total_timeout() -> None:
    async def handler(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    sender = _transport(httpx.MockTransport(handler))
    request = make_request("https://receiver.example/hook", total_timeout_s=0.1)
    assert failed(await sender.send(request)).cause is Cause.TIMEOUT_READ
    await sender.aclose()
