"""The API does what its own description says: schemathesis asks, over real sockets."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.domain.clock import SystemClock
from tests.engine.rig import HANG_S
from tests.factories import add_endpoint, attempt_all, failed, make_event, start_engine
from tests.intake.rig import Served, serving

EXAMPLES = 3
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@contextmanager
def served_beside(path: Path) -> Iterator[Served]:
    """A server in a thread: schemathesis waits for its answers."""
    begun: list[Served] = []
    ready = threading.Event()

    async def serve() -> None:
        async with serving(path) as served:
            add_endpoint(served.store, name="crm")
            # An engine whose heartbeat stays young.
            epoch = start_engine(served.store, now_ms=SystemClock().now_ms() + 600_000)
            served.store.accept([make_event(id="evt_x"), make_event()], 1_700_000_000_000)
            attempt_all(served.store, epoch, failed())
            begun.append(served)
            ready.set()
            await served.stopping.wait()

    loops: list[asyncio.AbstractEventLoop] = []

    def run() -> None:
        with asyncio.Runner() as runner:
            loops.append(runner.get_loop())
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(HANG_S)
        yield begun[0]
    finally:
        loops[0].call_soon_threadsafe(begun[0].stopping.set)
        thread.join(HANG_S)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_asked_within_the_description_is_answered_within_it(store_path: Path) -> None:
    with served_beside(store_path) as served:
        headers = {"authorization": f"Bearer {served.token}"}
        document = httpx.get(f"{served.url}/v1/openapi.json", headers=headers, trust_env=False).json()
        schema = schemathesis.openapi.from_dict(document)
        asked = 0
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            asked += 1

            @given(case=operation.as_strategy())
            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS)

            ask()
        assert asked == sum(len(path) for path in document["paths"].values())
