"""`attempts tail`: each ended attempt once, in the order of its end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import pytest

from console.cli.tail import Follower
from console.domain.filters import AttemptFilter
from console.domain.outcome import Cause
from console.store import Store, open_store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events


@contextmanager
def follower(console: CommandLine, where: AttemptFilter = AttemptFilter(), **flags: bool) -> Iterator[Follower]:  # noqa: B008
    reading = open_store(console.store_path, read_only=True)
    try:
        yield Follower(
            reading,
            replace(
                where,
                failed_only=flags.get("failed", False),
                causes=(Cause.HTTP_5XX,) if flags.get("cause") else (),
            ),
            from_start=flags.get("from_start", False),
        )
    finally:
        reading.close()


def test_attempts_that_end_out_of_order_are_not_missed(console: CommandLine, store: Store) -> None:
    endpoint, hand = make_endpoint(store), EngineHand(store)
    make_events(store, 4)
    early = hand.claim(endpoint, 1)
    with follower(console) as tail:
        assert list(tail.poll()) == []
        first, second, third = hand.claim(endpoint, 3)
        assert list(tail.poll()) == []
        hand.complete([third], OK)
        assert [a.id for a in tail.poll()] == [third.attempt_id]
        assert list(tail.poll()) == []
        hand.complete([first], BROKEN)
        hand.complete(early, OK)
        assert {a.id for a in tail.poll()} == {early[0].attempt_id, first.attempt_id}
        hand.complete([second], OK)
        assert [a.id for a in tail.poll()] == [second.attempt_id]
        assert not tail._open


def test_begins_now_or_at_the_start(console: CommandLine, store: Store) -> None:
    endpoint, hand = make_endpoint(store), EngineHand(store)
    make_events(store, 3)
    hand.run(endpoint, OK)
    with follower(console) as tail, follower(console, from_start=True) as whole:
        assert list(tail.poll()) == []
        assert [a.id for a in tail.last(2)] == [2, 3]
        assert [a.id for a in whole.poll()] == [1, 2, 3]
        assert list(whole.poll()) == []


def test_failures_are_told_apart_when_they_end(console: CommandLine, store: Store) -> None:
    endpoint, hand = make_endpoint(store), EngineHand(store)
    with follower(console, failed=True) as failed, follower(console, cause=True) as by_cause:
        make_events(store, 2)
        good, bad = hand.claim(endpoint)
        assert list(failed.poll()) == list(by_cause.poll()) == []
        hand.complete([good], OK)
        hand.complete([bad], BROKEN)
        assert [a.id for a in failed.poll()] == [a.id for a in by_cause.poll()] == [bad.attempt_id]


def test_many_at_once(console: CommandLine, store: Store) -> None:
    endpoint, hand = make_endpoint(store, policy={"max_in_flight": 1000}), EngineHand(store)
    with follower(console) as tail:
        make_events(store, 2_500)
        for _ in range(3):
            hand.run(endpoint, OK)
        assert len([a.id for a in tail.poll()]) == 2_500


@pytest.mark.parametrize("number", [signal.SIGINT, None])
def test_the_command_follows_and_ends_quietly(
    console: CommandLine, store: Store, number: signal.Signals | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    endpoint, hand = make_endpoint(store, "x\u0301"), EngineHand(store)
    make_events(store, 2)
    hand.complete(hand.claim(endpoint, 1), OK)
    command = [sys.executable, "-m", "console", "--store", str(console.store_path), "attempts", "tail", "-n", "1"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert msgspec.json.decode(process.stdout.readline())["succeeded"] is True
        if number is None:
            process.stdout.close()
        hand.complete(hand.claim(endpoint, 1), BROKEN)
        if number is not None:
            assert msgspec.json.decode(process.stdout.readline())["cause"] == "http_5xx"
            process.send_signal(number)
        assert process.wait(10) == (130 if number else 141)
        assert process.stderr.read() == b""


def test_tail_usage(console: CommandLine, store: Store) -> None:
    assert console("attempts", "tail", "-n", "1", "--since", "1h").code == 2
    assert console("attempts", "tail", "--endpoint", "nobody").code == 1
