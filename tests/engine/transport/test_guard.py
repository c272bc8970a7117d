"""The address guard, with a resolver and a clock that the test owns."""

import asyncio

import pytest

from console.domain.addresses import AddressPolicy
from console.domain.clock import ManualClock
from console.domain.outcome import Cause
from console.engine.transport.guard import NEGATIVE_TTL_S, POSITIVE_TTL_S, AddressGuard, Refusal, system_resolver

PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


class ScriptedResolver:
    def __init__(self, answer: list[str] | OSError) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        await self.gate.wait()
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


def make_guard(resolver: ScriptedResolver, *allow: str) -> tuple[AddressGuard, ManualClock]:
    clock = ManualClock()
    return AddressGuard(AddressPolicy.parse(allow), clock=clock, resolver=resolver), clock


def cause_of(answer: object) -> Cause:
    assert isinstance(answer, Refusal)
    return answer.cause


async def test_every_address_is_returned_in_the_resolvers_order() -> None:
    guard, _ = make_guard(ScriptedResolver(PUBLIC))
    assert await guard.check("receiver.example", timeout_s=1) == tuple(PUBLIC)


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_one_denied_address_refuses_the_name(position: int) -> None:
    answer = [*PUBLIC]
    answer.insert(position, "192.168.1.1")
    guard, _ = make_guard(ScriptedResolver(answer))
    assert cause_of(await guard.check("receiver.example", timeout_s=1)) is Cause.BLOCKED_ADDRESS


async def test_an_allowed_network_lets_it_pass() -> None:
    guard, _ = make_guard(ScriptedResolver(["192.168.1.1"]), "192.168.0.0/16")
    assert await guard.check("receiver.example", timeout_s=1) == ("192.168.1.1",)


async def test_a_literal_address_asks_no_resolver() -> None:
    resolver = ScriptedResolver([])
    guard, _ = make_guard(resolver, "::1/128")
    assert await guard.check("93.184.215.14", timeout_s=1) == ("93.184.215.14",)
    assert await guard.check("[::1]", timeout_s=1) == ("::1",)
    assert cause_of(await guard.check("127.0.0.1", timeout_s=1)) is Cause.BLOCKED_ADDRESS
    assert resolver.asked == []


async def test_an_answer_is_kept_for_its_time_and_then_checked_anew() -> None:
    resolver = ScriptedResolver(PUBLIC)
    guard, clock = make_guard(resolver)
    await guard.check("receiver.example", timeout_s=1)
    resolver.answer = ["10.0.0.1"]
    clock.advance(POSITIVE_TTL_S - 0.1)
    assert guard.cached("receiver.example") == tuple(PUBLIC)
    assert await guard.check("receiver.example", timeout_s=1) == tuple(PUBLIC)
    clock.advance(0.2)
    assert guard.cached("receiver.example") is None
    assert cause_of(await guard.check("receiver.example", timeout_s=1)) is Cause.BLOCKED_ADDRESS
    assert len(resolver.asked) == 2


async def test_a_failed_look_up_is_kept_a_moment() -> None:
    resolver = ScriptedResolver(OSError(-2, "Name or service not known"))
    guard, clock = make_guard(resolver)
    assert cause_of(await guard.check("receiver.example", timeout_s=1)) is Cause.DNS
    assert cause_of(await guard.check("receiver.example", timeout_s=1)) is Cause.DNS
    assert len(resolver.asked) == 1
    clock.advance(NEGATIVE_TTL_S + 0.1)
    resolver.answer = PUBLIC
    assert await guard.check("receiver.example", timeout_s=1) == tuple(PUBLIC)


async def test_a_burst_asks_once() -> None:
    resolver = ScriptedResolver(PUBLIC)
    resolver.gate.clear()
    guard, _ = make_guard(resolver)
    checks = [asyncio.create_task(guard.check("receiver.example", timeout_s=5)) for _ in range(50)]
    await asyncio.sleep(0)
    resolver.gate.set()
    assert await asyncio.gather(*checks) == [tuple(PUBLIC)] * 50
    assert resolver.asked == ["receiver.example"]


async def test_a_resolver_that_hangs_meets_the_timeout() -> None:
    resolver = ScriptedResolver(PUBLIC)
    resolver.gate.clear()
    guard, _ = make_guard(resolver)
    assert cause_of(await guard.check("receiver.example", timeout_s=0.05)) is Cause.DNS


async def test_no_address_at_all_is_a_dns_failure() -> None:
    guard, _ = make_guard(ScriptedResolver([]))
    assert cause_of(await guard.check("receiver.example", timeout_s=1)) is Cause.DNS


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "receiver.invalid"])
async def test_the_machines_resolver_fails_as_a_value(host: str) -> None:
    guard = AddressGuard(AddressPolicy(), clock=ManualClock(), resolver=system_resolver)
    assert cause_of(await guard.check(host, timeout_s=10)) is Cause.DNS


async def test_the_machines_resolver_knows_localhost() -> None:
    guard = AddressGuard(AddressPolicy(), clock=ManualClock())
    assert cause_of(await guard.check("localhost", timeout_s=10)) is Cause.BLOCKED_ADDRESS
