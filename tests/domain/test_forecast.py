"""When a backlog is drained: the arithmetic, and what is said of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.forecast import DUE_MOST, SOON_S, Backlog, Forecast, forecast
from console.domain.ids import EndpointId
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy, RateLimit
from console.domain.rates import SLOTS, Bucket
from console.ui.forecasting import drained_words, due_words, forecast_line
from tests.factories import NOW_MS

WINDOW_S = 600.0


def make_endpoint(*, limit: int | None = None, **given: Any) -> Endpoint:
    policy = DeliveryPolicy(rate_limit=None if limit is None else RateLimit(count=limit), max_in_flight=10)
    return Endpoint(
        **{
            "seq": 1, "id": EndpointId("ep_1"), "name": "crm", "url": "https://x", "types": ("*",), "secrets": (),
            "policy": policy, "state": EndpointState.ACTIVE, "state_reason": None, "state_since_ms": 0,
            "created_at_ms": 0, "version": 1, **given,
        }
    )  # fmt: skip


def recent(ok: int) -> Bucket:
    """So many deliveries, each of 500 ms at most."""
    histogram = [0] * SLOTS
    histogram[15] = ok
    return Bucket(start_s=0, accepted=0, ok=ok, failed=0, histogram=tuple(histogram))


def look(endpoint: Endpoint, *, pending: int, before: int | None, ok: int, due: int = 0) -> Forecast:
    backlog = Backlog(pending=pending, before=before, before_s=WINDOW_S, due_soon=due)
    return forecast(endpoint, backlog, recent(ok) if ok else None, recent_s=WINDOW_S, now_ms=NOW_MS)


def test_a_backlog_that_shrinks_is_drained_at_that_rate() -> None:
    seen = look(make_endpoint(), pending=1_200, before=2_400, ok=1_800)
    assert (seen.drained_s, seen.never) == (600.0, False)
    assert (seen.arrivals_per_s, seen.delivered_per_s) == (1.0, 3.0)
    assert drained_words(seen) == "drained in 10m (at the present rate)"


def test_one_that_grows_never_is_and_that_is_said_plainly() -> None:
    seen = look(make_endpoint(), pending=2_400, before=1_200, ok=600)
    assert (seen.drained_s, seen.never) == (None, True)
    assert drained_words(seen) == "never drained at this rate (3/s arrive, and 1/s are delivered)"
    assert look(make_endpoint(), pending=5, before=5, ok=0).never, "one that stays as it is, neither"


def test_the_limit_is_named_when_it_is_the_bound() -> None:
    assert look(make_endpoint(limit=3), pending=1_200, before=2_400, ok=1_800).why == "at its rate limit, 3/s"
    grows = look(make_endpoint(limit=1), pending=2_400, before=1_200, ok=600)
    assert grows.why == "3/s arrive, and its rate limit is 1/s"
    paced = make_endpoint(limit=3, pace=Pace(per_s=2.0, ramp_s=0, since_ms=NOW_MS))
    assert look(paced, pending=1_200, before=1_800, ok=1_200).why == "at its pace, 2/s"


def test_nothing_pending_is_nothing_to_wait_for() -> None:
    assert look(make_endpoint(), pending=0, before=9, ok=9).drained_s == 0
    assert forecast_line(look(make_endpoint(), pending=0, before=9, ok=9)) == ""


def test_what_is_not_written_down_is_not_known() -> None:
    seen = look(make_endpoint(), pending=9, before=None, ok=600)
    assert (seen.drained_s, seen.never, seen.arrivals_per_s) == (None, False, None)
    assert "not known yet" in drained_words(seen)


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.TRIPPED, EndpointState.DISABLED])
def test_one_that_is_held_is_drained_after_it_is_active_again(state: EndpointState) -> None:
    held = make_endpoint(limit=5, state=state)
    seen = look(held, pending=800, before=200, ok=0, due=700)
    assert (seen.drained_s, seen.never) == (None, False)
    assert seen.resumed_s == 800 / (5 - 1)
    assert f"{state}: nothing is drained" in seen.why
    assert look(held, pending=9_000, before=0, ok=0).resumed_s is None, "15/s arrive, and 5/s are let go"


def test_due_ones_are_held_against_the_limit() -> None:
    seen = look(make_endpoint(limit=1), pending=900, before=900, ok=0, due=900)
    assert seen.allowed_soon == SOON_S
    assert due_words(seen) == (
        "900 fall due in the next 10m if it recovers now; its limit lets 600 of them go in that time"
    )
    many = look(make_endpoint(), pending=9, before=9, ok=0, due=DUE_MOST)
    assert many.due_is_more
    assert "100,000 or more fall due" in due_words(many)


def test_a_ramp_that_has_begun_lets_go_more_than_one_that_begins() -> None:
    begins = Pace(per_s=10.0, ramp_s=SOON_S, since_ms=NOW_MS)
    begun = replace(begins, since_ms=NOW_MS - SOON_S * 500)
    allowed = [look(make_endpoint(pace=pace), pending=9, before=9, ok=0).allowed_soon or 0 for pace in (begins, begun)]
    assert 0 < allowed[0] < allowed[1] < 10 * SOON_S


COUNTS = st.integers(0, 10**7)


@given(COUNTS, COUNTS, COUNTS)
def test_at_that_rate_nothing_is_left_then(pending: int, before: int, ok: int) -> None:
    seen = look(make_endpoint(), pending=pending, before=before, ok=ok)
    change = (pending - before) / WINDOW_S
    assert seen.never == (pending > 0 and change >= 0)
    if seen.drained_s:
        assert pending + change * seen.drained_s == pytest.approx(0, abs=1e-3)
    assert seen.arrivals_per_s is not None
    assert seen.arrivals_per_s >= 0
    assert drained_words(seen)
