"""The client for asyncio."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from console.client import requests
from console.client.calls import TRIES, Call, batch_call, batches, course, page_call, send_call
from console.client.models import (
    Accepted,
    Attempt,
    Delivery,
    Endpoint,
    Event,
    EventRow,
    NewEvent,
    Operation,
    Retried,
)
from console.domain.clock import Clock, SystemClock

T = TypeVar("T")


class AsyncClient:
    """As `Client`, for asyncio. Every method raises ApiError.

    Args:
        url: the server's, such as `http://127.0.0.1:8400`.
        tries: of each request that may be tried again.
        transport: of httpx, for tests.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        tries: int = TRIES,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._tries, self._sleep = tries, sleep
        self._random, self._clock = random or SystemRandom(), clock or SystemClock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, type: str, data: Any, *, id: str | None = None, key: str | None = None) -> Accepted:
        """Send one event. Returns when it is on the server's disk.

        Args:
            data: what JSON can hold; bytes are JSON already.
            id: a second event with the same one is a duplicate.
            key: says that a later call with the same events is the same; None: each call is another.
        """
        return await self._do(send_call(NewEvent(type=type, data=data, id=id), key or uuid.uuid4().hex))

    async def send_many(self, events: Iterable[NewEvent]) -> AsyncIterator[Accepted]:
        """Send events in batches, as they are asked for; each batch is accepted whole, or refused whole."""
        for batch in batches(events):
            call = batch_call(batch, uuid.uuid4().hex, now_ms=self._clock.now_ms(), random=self._random)
            for accepted in await self._do(call):
                yield accepted

    def events(self, filter: str | None = None) -> AsyncIterator[EventRow]:
        """Events that match, newest first; pages are read as they are needed."""
        return self._pages("/v1/events", EventRow, filter)

    async def event(self, event_id: str) -> Event:
        """An event with what it carries."""
        return await self._do(requests.event(event_id))

    def deliveries(self, filter: str | None = None) -> AsyncIterator[Delivery]:
        """Deliveries that match, newest first."""
        return self._pages("/v1/deliveries", Delivery, filter)

    async def delivery(self, delivery_id: str) -> Delivery:
        """A delivery with its last attempts."""
        return await self._do(requests.delivery(delivery_id))

    def attempts(self, filter: str | None = None) -> AsyncIterator[Attempt]:
        """Attempts that match, newest first."""
        return self._pages("/v1/attempts", Attempt, filter)

    async def retry_deliveries(
        self, filter: str, *, rate: str | None = None, reason: str | None = None, dry_run: bool = False
    ) -> Retried:
        """Make all that match due again. `rate`: at most so many, `200/s`."""
        return await self._do(requests.retry_deliveries(filter, rate=rate, reason=reason, dry_run=dry_run))

    async def retry_delivery(self, delivery_id: str, *, reason: str | None = None) -> Operation:
        """Make one due now."""
        return await self._do(requests.retry_delivery(delivery_id, reason))

    async def cancel_delivery(self, delivery_id: str, *, reason: str | None = None) -> Operation:
        """Give one up."""
        return await self._do(requests.cancel_delivery(delivery_id, reason))

    def operations(self) -> AsyncIterator[Operation]:
        """What was done, newest first."""
        return self._pages("/v1/operations", Operation, None)

    async def operation(self, operation_id: str) -> Operation:
        """One operation, and how far it is."""
        return await self._do(requests.operation(operation_id))

    def endpoints(self, filter: str | None = None) -> AsyncIterator[Endpoint]:
        """Endpoints by name."""
        return self._pages("/v1/endpoints", Endpoint, filter)

    async def endpoint(self, ref: str) -> Endpoint:
        """An endpoint by its id or name."""
        return await self._do(requests.endpoint(ref))

    async def add_endpoint(self, url: str, **given: Any) -> Endpoint:
        """Add a URL that wants events. `given`: name, types, secrets, policy, headers, filter, transform, dry_run."""
        return await self._do(requests.add_endpoint(url, given))

    async def edit_endpoint(self, ref: str, **given: Any) -> Endpoint:
        """Change what is given, and nothing else."""
        return await self._do(requests.edit_endpoint(ref, given))

    async def remove_endpoint(self, ref: str) -> int:
        """Take it away. Returns how many deliveries that it was owed are cancelled."""
        return int((await self._do(requests.remove_endpoint(ref)))["cancelled"])

    async def pause_endpoint(self, ref: str, *, reason: str | None = None, for_s: float | None = None) -> Endpoint:
        """Hold what it is owed."""
        return await self._do(requests.pause_endpoint(ref, reason=reason, for_s=for_s))

    async def resume_endpoint(self, ref: str, *, reason: str | None = None, rate: str | None = None) -> Endpoint:
        """Send again."""
        return await self._do(requests.resume_endpoint(ref, reason=reason, rate=rate))

    async def stats(self, window: str = "5m") -> dict[str, Any]:
        """Rates, latencies and what is owed."""
        return await self._do(requests.stats(window))

    async def _pages(self, path: str, kind: type[T], filter: str | None) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self._do(page_call(path, kind, filter=filter, cursor=cursor))
            for row in page.data:
                yield row
            cursor = page.next
            if cursor is None:
                return

    async def _do(self, call: Call[T]) -> T:
        going = course(call, self._random, self._tries)
        step = next(going)
        while True:
            try:
                step = going.send(await self._take(step))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return] # of the generator

    async def _take(self, step: Call[Any] | float) -> httpx.Response | httpx.TransportError | None:
        if not isinstance(step, Call):
            await self._sleep(step)
            return None
        try:
            return await self._http.request(
                step.method, step.path, params=step.params, content=step.body, headers=step.headers
            )
        except httpx.TransportError as error:
            return error
