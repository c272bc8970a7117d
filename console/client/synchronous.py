"""The client for code that waits."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
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


class Client:
    """One server, and a token for it. Every method raises ApiError.

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
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._tries, self._sleep = tries, sleep
        self._random, self._clock = random or SystemRandom(), clock or SystemClock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, type: str, data: Any, *, id: str | None = None, key: str | None = None) -> Accepted:
        """Send one event. Returns when it is on the server's disk.

        Args:
            data: what JSON can hold; bytes are JSON already.
            id: a second event with the same one is a duplicate.
            key: says that a later call with the same events is the same; None: each call is another.
        """
        return self._do(send_call(NewEvent(type=type, data=data, id=id), key or uuid.uuid4().hex))

    def send_many(self, events: Iterable[NewEvent]) -> Iterator[Accepted]:
        """Send events in batches, as they are asked for; each batch is accepted whole, or refused whole."""
        for batch in batches(events):
            yield from self._do(batch_call(batch, uuid.uuid4().hex, now_ms=self._clock.now_ms(), random=self._random))

    def events(self, filter: str | None = None) -> Iterator[EventRow]:
        """Events that match, newest first; pages are read as they are needed."""
        return self._pages("/v1/events", EventRow, filter)

    def event(self, event_id: str) -> Event:
        """An event with what it carries."""
        return self._do(requests.event(event_id))

    def deliveries(self, filter: str | None = None) -> Iterator[Delivery]:
        """Deliveries that match, newest first."""
        return self._pages("/v1/deliveries", Delivery, filter)

    def delivery(self, delivery_id: str) -> Delivery:
        """A delivery with its last attempts."""
        return self._do(requests.delivery(delivery_id))

    def attempts(self, filter: str | None = None) -> Iterator[Attempt]:
        """Attempts that match, newest first."""
        return self._pages("/v1/attempts", Attempt, filter)

    def retry_deliveries(
        self, filter: str, *, rate: str | None = None, reason: str | None = None, dry_run: bool = False
    ) -> Retried:
        """Make all that match due again. `rate`: at most so many, `200/s`."""
        return self._do(requests.retry_deliveries(filter, rate=rate, reason=reason, dry_run=dry_run))

    def retry_delivery(self, delivery_id: str, *, reason: str | None = None) -> Operation:
        """Make one due now."""
        return self._do(requests.retry_delivery(delivery_id, reason))

    def cancel_delivery(self, delivery_id: str, *, reason: str | None = None) -> Operation:
        """Give one up."""
        return self._do(requests.cancel_delivery(delivery_id, reason))

    def operations(self) -> Iterator[Operation]:
        """What was done, newest first."""
        return self._pages("/v1/operations", Operation, None)

    def operation(self, operation_id: str) -> Operation:
        """One operation, and how far it is."""
        return self._do(requests.operation(operation_id))

    def endpoints(self, filter: str | None = None) -> Iterator[Endpoint]:
        """Endpoints by name."""
        return self._pages("/v1/endpoints", Endpoint, filter)

    def endpoint(self, ref: str) -> Endpoint:
        """An endpoint by its id or name."""
        return self._do(requests.endpoint(ref))

    def add_endpoint(self, url: str, **given: Any) -> Endpoint:
        """Add a URL that wants events. `given`: name, types, secrets, policy, headers, filter, transform, dry_run."""
        return self._do(requests.add_endpoint(url, given))

    def edit_endpoint(self, ref: str, **given: Any) -> Endpoint:
        """Change what is given, and nothing else."""
        return self._do(requests.edit_endpoint(ref, given))

    def remove_endpoint(self, ref: str) -> int:
        """Take it away. Returns how many deliveries that it was owed are cancelled."""
        return int(self._do(requests.remove_endpoint(ref))["cancelled"])

    def pause_endpoint(self, ref: str, *, reason: str | None = None, for_s: float | None = None) -> Endpoint:
        """Hold what it is owed."""
        return self._do(requests.pause_endpoint(ref, reason=reason, for_s=for_s))

    def resume_endpoint(self, ref: str, *, reason: str | None = None, rate: str | None = None) -> Endpoint:
        """Send again."""
        return self._do(requests.resume_endpoint(ref, reason=reason, rate=rate))

    def stats(self, window: str = "5m") -> dict[str, Any]:
        """Rates, latencies and what is owed."""
        return self._do(requests.stats(window))

    def _pages(self, path: str, kind: type[T], filter: str | None) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._do(page_call(path, kind, filter=filter, cursor=cursor))
            yield from page.data
            cursor = page.next
            if cursor is None:
                return

    def _do(self, call: Call[T]) -> T:
        going = course(call, self._random, self._tries)
        step = next(going)
        while True:
            try:
                step = going.send(self._take(step))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return] # of the generator

    def _take(self, step: Call[Any] | float) -> httpx.Response | httpx.TransportError | None:
        if not isinstance(step, Call):
            self._sleep(step)
            return None
        try:
            return self._http.request(
                step.method, step.path, params=step.params, content=step.body, headers=step.headers
            )
        except httpx.TransportError as error:
            return error
