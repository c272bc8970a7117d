"""How long a retry takes is the slowest of what is known."""

from dataclasses import replace
from typing import Any

import pytest

from console.domain.drain import capacity_per_s, estimate
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy, RateLimit
from console.domain.rates import SLOTS, Bucket, slot_of

NOW_MS = 1_700_000_000_000


def make(state: EndpointState = EndpointState.ACTIVE, pace: Pace | None = None, **policy: Any) -> Endpoint:
    return Endpoint(
        seq=1,
        id=EndpointId("ep_1"),
        name="crm",
        url="https://example.com/",
        types=("*",),
        secrets=(),
        policy=DeliveryPolicy(**policy),
        state=state,
        state_reason=None,
        state_since_ms=0,
        pace=pace,
        created_at_ms=0,
        version=1,
    )


def seen(latency_ms: float, count: int = 100) -> Bucket:
    histogram = [0] * SLOTS
    histogram[slot_of(latency_ms)] = count
    return Bucket(start_s=0, accepted=0, ok=count, failed=0, histogram=tuple(histogram))


def took(endpoint: Endpoint, recent: Bucket | None = None, **given: Any) -> tuple[float | None, str]:
    found = estimate(1200, endpoint, recent, recent_s=300, now_ms=NOW_MS, **given)
    return found.seconds, found.by


LIMIT = RateLimit(count=50)


def test_nothing_known_is_said() -> None:
    assert took(make()) == (None, "no speed known yet")


def test_a_rate_limit_counts_and_the_lowest_of_several() -> None:
    assert took(make(rate_limit=LIMIT)) == (24.0, "rate limit 50/s")
    assert took(make(rate_limit=LIMIT), asked_per_s=10.0) == (120.0, "10/s asked")
    assert took(make(rate_limit=LIMIT), asked_per_s=1000.0) == (24.0, "rate limit 50/s")


def test_a_slow_receiver_takes_no_more_than_it_answers() -> None:
    capacity = capacity_per_s(make(max_in_flight=2), seen(1000.0), 300)
    assert capacity == pytest.approx(2 / 0.85, rel=0.2)
    seconds, by = took(make(rate_limit=LIMIT, max_in_flight=2), seen(1000.0))
    assert seconds == pytest.approx(1200 / (capacity or 1))
    assert by.startswith("now 2.")


def test_a_climbing_pace_is_counted_from_where_it_is() -> None:
    pace = Pace(per_s=20.0, ramp_s=100.0, since_ms=NOW_MS)
    fresh, by = took(make(pace=pace))
    climbed, _ = took(make(pace=replace(pace, since_ms=NOW_MS - 3_600_000)))
    assert by == "its pace 20/s"
    assert climbed == pytest.approx(60.0)
    assert fresh == pytest.approx(105.0), "1,100 in the climb of 100 s (2/s to 20/s), and 100 at 20/s"


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.TRIPPED, EndpointState.DISABLED])
def test_what_waits_has_no_time(state: EndpointState) -> None:
    assert took(make(state, rate_limit=LIMIT)) == (None, f"{state}: waits until it is resumed")


def test_a_removed_endpoint_gets_nothing() -> None:
    assert estimate(1, None, None, recent_s=300, now_ms=NOW_MS).by == "removed: nothing is sent"
