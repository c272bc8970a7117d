"""The command line run in this process, and stores with a past."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from console.cli.invocation import Invocation
from console.cli.main import run
from console.domain.clock import SystemClock
from console.domain.delivery import Delivered, Exchange, Failed, Verdict
from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.event import NewEvent
from console.domain.ids import EventId
from console.domain.outcome import Cause
from console.domain.policy import DeliveryPolicy
from console.domain.signing import Secret
from console.domain.work import Claimed, ClaimOrder, Completed
from console.operations.endpoints import add_endpoint
from console.store import Store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OK = Delivered(status=200)
BROKEN = Failed(cause=Cause.HTTP_5XX, status=503, detail="HTTP 503", why="schedule exhausted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Each line of stdout as the JSON object that it must be."""
        records = [json.loads(line) for line in self.out.splitlines()]
        assert all(isinstance(record, dict) for record in records)
        return records

    @property
    def record(self) -> dict[str, Any]:
        (record,) = self.records
        return record


class CommandLine:
    """Runs command lines on one store."""

    def __init__(self, store: Path, captured: Callable[[], tuple[str, str]]) -> None:
        self.store_path, self._captured = store, captured

    def __call__(self, *arguments: str) -> Result:
        self._captured()
        invocation = Invocation(environ={"WEBHOOK_CONSOLE_STORE": str(self.store_path), "TERM": "xterm"})
        code = run(arguments, invocation)
        out, err = self._captured()
        return Result(code=code, out=out, err=err)


def make_endpoint(store: Store, name: str = "billing", **parts: Any) -> Endpoint:
    spec = EndpointSpec(
        name=name,
        url=parts.get("url", "https://example.com/hooks"),
        types=parts.get("types", ("*",)),
        secrets=(Secret(text=SECRET),),
        policy=DeliveryPolicy(**parts.get("policy", {})),
    )
    return add_endpoint(store, spec, actor="test", now_ms=now(), random=Random(name))


def now() -> int:
    return SystemClock().now_ms()


def make_events(store: Store, n: int, type_: str = "invoice.paid", payload: bytes = b"{}") -> list[EventId]:
    return [a.id for a in store.accept([NewEvent(type=type_, payload=payload) for _ in range(n)], now())]


class EngineHand:
    """Moves deliveries as an engine does, by hand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._epoch = store.take_over(pid=1, host="test", version="0", now_ms=now())

    def claim(self, endpoint: Endpoint, limit: int = 1000) -> list[Claimed]:
        return self._store.claim(
            [ClaimOrder(endpoint_seq=endpoint.seq, limit=limit)], epoch=self._epoch, now_ms=now() + 1
        )

    def complete(self, claimed: list[Claimed], verdict: Verdict, body: bytes = b"ok") -> None:
        exchange = Exchange(
            url="https://example.com/hooks",
            request_headers=(("content-type", "application/json"),),
            response_headers=(("x-test", "1"),),
            response_body=body,
            response_truncated=False,
            remote_address="192.0.2.1",
        )
        ended = [
            Completed(
                claimed=one,
                verdict=verdict,
                started_at_ms=now(),
                ended_at_ms=now(),
                total_ms=12.5,
                first_byte_ms=10.0,
                exchange=exchange,
            )
            for one in claimed
        ]
        assert self._store.complete(ended, epoch=self._epoch) == len(claimed)

    def run(self, endpoint: Endpoint, verdict: Verdict, body: bytes = b"ok") -> None:
        self.complete(self.claim(endpoint), verdict, body)
