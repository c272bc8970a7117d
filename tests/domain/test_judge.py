"""What one outcome does to a delivery."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.delivery import Delivered, Failed, Retry, Verdict, cause_of, judge
from console.domain.outcome import PLAIN_WORDS, Cause, Failure, Headers, Outcome, Response
from console.domain.policy import DeliveryPolicy
from tests.factories import NOW_MS

SCHEDULE = (0.0, 5.0, 300.0)


def response(status: int, headers: Headers = ()) -> Response:
    return Response(status=status, headers=headers, body=b"", body_truncated=False, first_byte_ms=1.0, total_ms=2.0)


def failure(cause: Cause) -> Failure:
    return Failure(cause=cause, detail="no route to 192.0.2.1:443", total_ms=2.0)


def verdict_of(
    outcome: Outcome, *, step: int = 1, manual: bool = False, schedule: tuple[float, ...] = SCHEDULE
) -> Verdict:
    policy = DeliveryPolicy(schedule_s=schedule)
    return judge(outcome, policy=policy, step=step, manual=manual, ended_at_ms=NOW_MS, jitter_unit=0.5)


@pytest.mark.parametrize("status", range(100, 700))
def test_the_cause_of_each_status(status: int) -> None:
    expected = {2: None, 3: Cause.HTTP_3XX, 4: Cause.HTTP_4XX, 5: Cause.HTTP_5XX}.get(status // 100, Cause.PROTOCOL)
    if status == 410:
        expected = Cause.GONE
    assert cause_of(response(status)) is expected


@pytest.mark.parametrize("status", range(200, 300))
def test_success_is_2xx(status: int) -> None:
    assert verdict_of(response(status)) == Delivered(status=status)
    assert verdict_of(response(status), step=len(SCHEDULE)) == Delivered(status=status)


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 410), *range(411, 600)])
def test_every_other_status_but_410_is_tried_again_until_the_schedule_ends(status: int) -> None:
    verdict = verdict_of(response(status))
    assert isinstance(verdict, Retry)
    assert (verdict.status, verdict.at_ms, verdict.detail) == (status, NOW_MS + 5000, f"HTTP {status}")
    last = verdict_of(response(status), step=3)
    assert isinstance(last, Failed)
    assert (last.status, last.cause, last.disable_endpoint) == (status, verdict.cause, False)
    assert last.why == "schedule exhausted after 3 tries"


@pytest.mark.parametrize("cause", Cause)
def test_every_failure_without_an_answer_is_tried_again_until_the_schedule_ends(cause: Cause) -> None:
    outcome = failure(cause)
    assert cause_of(outcome) is cause
    if cause is Cause.GONE:  # comes of a status only
        return
    verdict = verdict_of(outcome, step=2)
    assert isinstance(verdict, Retry)
    assert (verdict.cause, verdict.status, verdict.detail) == (cause, None, outcome.detail)
    assert verdict.at_ms == NOW_MS + 300_000
    last = verdict_of(outcome, step=3)
    assert isinstance(last, Failed)
    assert (last.cause, last.status, last.disable_endpoint) == (cause, None, False)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
@pytest.mark.parametrize("manual", [False, True])
def test_410_fails_at_once_and_disables_the_endpoint(step: int, manual: bool) -> None:
    verdict = verdict_of(response(410, (("Retry-After", "5"),)), step=step, manual=manual)
    assert verdict == Failed(cause=Cause.GONE, status=410, detail="HTTP 410", why="410 Gone", disable_endpoint=True)


@pytest.mark.parametrize("name", ["retry-after", "Retry-After", "RETRY-AFTER"])
def test_retry_after_is_read_whatever_its_case(name: str) -> None:
    verdict = verdict_of(response(429, ((name, "100"),)))
    assert isinstance(verdict, Retry)
    assert verdict.at_ms == NOW_MS + 105_000
    assert "Retry-After" in verdict.why


def test_retry_after_of_other_statuses_is_not_honoured() -> None:
    verdict = verdict_of(response(500, (("retry-after", "100"),)))
    assert isinstance(verdict, Retry)
    assert verdict.at_ms == NOW_MS + 5000


@pytest.mark.parametrize("schedule", [(0.0,), (60.0,), SCHEDULE, (5.0, 5.0)])
@pytest.mark.parametrize("manual_before", range(6))
def test_manual_tries_do_not_consume_the_schedule(schedule: tuple[float, ...], manual_before: int) -> None:
    """However many manual tries come before or between, every try of the schedule is made."""
    random, step, charged = Random(manual_before), 0, 0
    manual_left = manual_before
    while True:
        manual = manual_left > 0 and (charged == 0 or random.random() < 0.5)
        if manual:
            manual_left -= 1
        else:
            step += 1
            charged += 1
        verdict = verdict_of(response(500), step=step, manual=manual, schedule=schedule)
        if isinstance(verdict, Failed):
            break
    assert charged == len(schedule)


def test_a_manual_try_after_the_schedule_ended_fails_again_at_once() -> None:
    verdict = verdict_of(response(500), step=3, manual=True)
    assert isinstance(verdict, Failed)
    assert not verdict.disable_endpoint


@given(st.sampled_from([300, 404, 429, 500, 503]), st.integers(1, 2), st.text(max_size=20))
def test_a_retry_is_never_in_the_past(status: int, step: int, retry_after: str) -> None:
    verdict = verdict_of(response(status, (("retry-after", retry_after),)), step=step)
    assert isinstance(verdict, Retry)
    assert verdict.at_ms >= NOW_MS


def test_every_cause_has_its_plain_words() -> None:
    assert set(PLAIN_WORDS) == set(Cause)
    assert all(text.endswith(".") and text.isprintable() for text in PLAIN_WORDS.values())
