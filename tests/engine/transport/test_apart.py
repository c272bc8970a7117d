"""Requests made by a process of their own: what it answers, and what happens when it dies or is left alone."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from console.domain.clock import SystemClock
from console.domain.outcome import Cause, ConnectionProfile, Failure, Outcome, Parts, Response
from console.engine.transport.apart import ApartTransport, start_of
from console.engine.transport.wire import (
    Unpacker,
    answer_of,
    ask_of,
    outcome_of,
    packed,
    read_answers,
    read_asks,
    request_of,
)
from tests.engine.transport.conftest import MakeReceiver
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import answers, hangs


@asynccontextmanager
async def apart(*networks: str) -> AsyncIterator[ApartTransport]:
    transport = ApartTransport(start_of("pyreqwest", networks or ("127.0.0.0/8",), None), clock=SystemClock())
    try:
        yield transport
    finally:
        await transport.aclose()


async def gone(pid: int) -> None:
    """Until no process has this pid, or one that waits to be reaped."""
    async with asyncio.timeout(10):
        while runs(pid):  # noqa: ASYNC110 - another process ends, and tells nobody
            await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_requests_and_answers_come_as_they_went(receiver: MakeReceiver) -> None:
    made = await receiver(answers(202, b"\x00\xff" * 9000, (("x-a", "1"), ("x-a", "2"))))
    async with apart() as transport:
        bodies = [os.urandom(1000 + i) for i in range(50)]
        outcomes = await asyncio.gather(*(transport.send(make_request(made.url, body=body)) for body in bodies))
        for outcome in outcomes:
            response = answered(outcome)
            assert response.status == 202
            assert response.body == (b"\x00\xff" * 9000)[: 16 * 1024]
            assert response.body_truncated
            assert [value for name, value in response.headers if name == "x-a"] == ["1", "2"]
            assert response.remote_address == "127.0.0.1"
        assert sorted(r.body for r in made.requests) == sorted(bodies)


async def test_failures_come_as_values(unused_port: object) -> None:
    assert callable(unused_port)
    async with apart() as transport:
        refused = failed(await transport.send(make_request(f"http://127.0.0.1:{unused_port()}/")))
        assert refused.cause is Cause.REFUSED
    async with apart("10.0.0.0/8") as transport:
        blocked = failed(await transport.send(make_request("http://127.0.0.1:9/")))
        assert blocked.cause is Cause.BLOCKED_ADDRESS


async def test_a_cancelled_request_ends_at_once_and_the_others_go_on(receiver: MakeReceiver) -> None:
    hanging = await receiver(hangs)
    healthy = await receiver()
    async with apart() as transport:
        task = asyncio.create_task(transport.send(make_request(hanging.url, total_timeout_s=60)))
        await hanging.wait_for(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        assert answered(await transport.send(make_request(healthy.url))).status == 200


async def test_when_the_process_dies_what_it_had_is_unknown_and_another_is_started(receiver: MakeReceiver) -> None:
    hanging = await receiver(hangs)
    healthy = await receiver()
    async with apart() as transport:
        waiting = [asyncio.create_task(transport.send(make_request(hanging.url))) for _ in range(3)]
        await hanging.wait_for(3)
        first = transport.pid
        os.kill(first, signal.SIGKILL)
        for outcome in await asyncio.wait_for(asyncio.gather(*waiting), 10):
            assert failed(outcome).cause is Cause.UNKNOWN_OUTCOME
        # Asked for while there is no process: sent by the next one.
        outcome = await asyncio.wait_for(transport.send(make_request(healthy.url)), 20)
        assert answered(outcome).status == 200
        assert transport.pid != first
    await gone(transport.pid)


async def test_it_does_not_outlive_an_engine_that_is_killed() -> None:
    code = """
import asyncio, sys
from console.domain.clock import SystemClock
from console.engine.transport.apart import ApartTransport, start_of
async def main():
    transport = ApartTransport(start_of("pyreqwest", (), None), clock=SystemClock())
    print(transport.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    engine = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert engine.stdout is not None
    pid = int(await engine.stdout.readline())
    assert runs(pid)
    engine.kill()
    await engine.wait()
    await gone(pid)


async def test_it_heeds_no_signal_of_the_terminal(receiver: MakeReceiver) -> None:
    healthy = await receiver()
    async with apart() as transport:
        assert answered(await transport.send(make_request(healthy.url))).status == 200
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(transport.pid, number)
        assert answered(await transport.send(make_request(healthy.url))).status == 200


@pytest.mark.parametrize("size", [1, 3, 7, 4096])
def test_batches_survive_any_cut(size: int) -> None:
    profile = ConnectionProfile(proxy="http://u:p@proxy:1", http2=False)
    requests = [make_request("http://a/"), make_request("http://b/", body=b"\x00" * 999, profile=profile)]
    stream = b"".join(packed([ask_of(i, r)]) for i, r in enumerate(requests)) + packed([])
    got: list[object] = []
    unpacker = Unpacker(read_asks, lambda asks: got.extend(request_of(ask) for ask in asks))
    for start in range(0, len(stream), size):
        unpacker.feed(stream[start : start + size])
    assert got == requests


def test_outcomes_survive_the_way() -> None:
    outcomes: list[Outcome] = [
        Response(status=200, headers=(("a", "b"),), body=b"\xff", body_truncated=True, first_byte_ms=1.5, total_ms=2.5),
        Response(
            status=204,
            headers=(),
            body=b"",
            body_truncated=False,
            first_byte_ms=None,
            total_ms=2.5,
            parts=Parts(resolve_ms=0.25, tls_ms=1.0),
        ),
        Failure(cause=Cause.DNS, detail="no such name", total_ms=9.0, parts=Parts(resolve_ms=8.5)),
        Failure(cause=Cause.TLS, detail="expired", total_ms=3.0, remote_address="::1"),
    ]
    got: list[object] = []
    unpacker = Unpacker(read_answers, lambda batch: got.extend(outcome_of(answer) for answer in batch))
    unpacker.feed(packed([answer_of(i, o) for i, o in enumerate(outcomes)]))
    assert got == outcomes
