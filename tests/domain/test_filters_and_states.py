from typing import Any

import pytest

from console.domain.clock import ManualClock
from console.domain.delivery import RETRYABLE, Attempt, DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId
from console.domain.outcome import Cause
from console.domain.status import STALE_AFTER_S, EngineStatus
from tests.factories import NOW_MS


def test_a_filter_without_parts_matches_all() -> None:
    assert DeliveryFilter().matches_all


@pytest.mark.parametrize(
    "part",
    [
        {"ids": (DeliveryId(1),)},
        {"states": (DeliveryState.FAILED,)},
        {"endpoints": (EndpointId("ep_1"),)},
        {"event_id": EventId("evt_1")},
        {"type_pattern": "*"},
        {"causes": (Cause.DNS,)},
        {"since_ms": 0},
        {"until_ms": 0},
        {"troubled": True},
    ],
)
def test_a_filter_with_any_part_does_not(part: dict[str, Any]) -> None:
    assert not DeliveryFilter(**part).matches_all


def test_all_but_what_is_being_sent_may_be_retried() -> None:
    assert set(DeliveryState) - {DeliveryState.SENDING} == RETRYABLE


@pytest.mark.parametrize(
    ("ended_at_ms", "cause", "succeeded"),
    [(None, None, False), (NOW_MS, None, True), (NOW_MS, Cause.DNS, False)],
)
def test_an_attempt_succeeded_when_it_ended_without_a_cause(
    ended_at_ms: int | None, cause: Cause | None, succeeded: bool
) -> None:
    attempt = Attempt(
        id=AttemptId(1),
        delivery_id=DeliveryId(1),
        event_id=EventId("evt_1"),
        event_type="a",
        endpoint_id=EndpointId("ep_1"),
        endpoint_name="crm",
        number=1,
        manual=False,
        started_at_ms=NOW_MS,
        ended_at_ms=ended_at_ms,
        status=None,
        cause=cause,
        detail=None,
        total_ms=None,
        first_byte_ms=None,
    )
    assert attempt.succeeded is succeeded


def engine(**given: Any) -> EngineStatus:
    return EngineStatus(
        **{
            "epoch": 1,
            "pid": 1,
            "host": "box",
            "version": "0",
            "started_at_ms": NOW_MS,
            "heartbeat_at_ms": NOW_MS,
            "stopped_at_ms": None,
            "stop_requested": False,
            "in_flight": 0,
            **given,
        }
    )


def test_an_engine_is_alive_while_its_heart_beats() -> None:
    limit_ms = int(STALE_AFTER_S * 1000)
    assert engine().alive(NOW_MS + limit_ms - 1)
    assert not engine().alive(NOW_MS + limit_ms)
    assert not engine(stopped_at_ms=NOW_MS).alive(NOW_MS)


def test_the_manual_clock_moves_when_told_to() -> None:
    clock = ManualClock(NOW_MS)
    clock.advance(1.5)
    assert clock.now_ms() == NOW_MS + 1500
    assert clock.monotonic_s() == (NOW_MS + 1500) / 1000
