"""Whether a receiver permits to be sent to, and how much: by example and by property."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.handshake import (
    FIRST_WAIT_S,
    WAIT_CAP_S,
    WAITS,
    Permitted,
    Refused,
    ask_wait_s,
    asking_headers,
    origin_headers,
    permission_of,
    waiting_reason,
    wants_permission,
    within_permission,
)
from console.domain.outcome import Cause, Failure, Headers, Response
from console.domain.policy import DeliveryPolicy, RateLimit
from tests.ui.test_explain import make_endpoint

ORIGIN = "box.example.com"
ALLOWED = ("WebHook-Allowed-Origin", "*")


def answer(*headers: tuple[str, str], status: int = 200) -> Response:
    return Response(status=status, headers=headers, body=b"", body_truncated=False, first_byte_ms=1.0, total_ms=1.0)


@pytest.mark.parametrize(
    ("limit", "asked"),
    [(RateLimit(count=2), "120"), (RateLimit(count=90, period_s=60.0), "90"), (RateLimit(count=1, period_s=3600), "1")],
)
def test_who_asks_and_for_how_many_a_minute(limit: RateLimit, asked: str) -> None:
    assert origin_headers(ORIGIN) == (("webhook-request-origin", ORIGIN),)
    assert asking_headers(None) == ()
    assert asking_headers(limit) == (("webhook-request-rate", asked),)


@pytest.mark.parametrize("allowed", ["*", ORIGIN, ORIGIN.upper(), f" {ORIGIN} "])
@pytest.mark.parametrize("name", ["WebHook-Allowed-Origin", "webhook-allowed-origin"])
def test_anybody_or_the_asker_by_name_is_permitted(allowed: str, name: str) -> None:
    assert permission_of(answer((name, allowed), status=204), ORIGIN) == Permitted(per_minute=None)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((), "200 to OPTIONS without WebHook-Allowed-Origin"),
        ((("Access-Control-Allow-Origin", "*"),), "200 to OPTIONS without WebHook-Allowed-Origin"),
        ((("WebHook-Allowed-Origin", "else.example"),), "WebHook-Allowed-Origin is 'else.example', not " + ORIGIN),
        ((ALLOWED, ("WebHook-Allowed-Rate", "0")), "WebHook-Allowed-Rate is '0', not a number"),
        ((ALLOWED, ("WebHook-Allowed-Rate", "fast")), "WebHook-Allowed-Rate is 'fast', not a number"),
        ((ALLOWED, ("WebHook-Allowed-Rate", "-5")), "WebHook-Allowed-Rate is '-5', not a number"),
        ((ALLOWED, ("WebHook-Allowed-Rate", "٣")), "WebHook-Allowed-Rate is '٣', not a number"),
    ],
)
def test_what_does_not_say_so_is_no_permission(headers: Headers, why: str) -> None:
    refused = permission_of(answer(*headers), ORIGIN)
    assert isinstance(refused, Refused)
    assert refused.why.startswith(why)


def test_no_success_and_no_answer_are_no_permission() -> None:
    assert permission_of(answer(ALLOWED, status=405), ORIGIN) == Refused(why="405 to OPTIONS")
    failure = Failure(cause=Cause.REFUSED, detail="127.0.0.1:9: connection refused", total_ms=1.0)
    assert permission_of(failure, ORIGIN) == Refused(why="no answer to OPTIONS: 127.0.0.1:9: connection refused")


@pytest.mark.parametrize(
    ("rate", "per_minute"),
    [("*", None), ("120", 120), (" 007 ", 7), ("1", 1), ("9" * 5000, 1_000_000_000)],
)
def test_how_many_a_minute_it_permits(rate: str, per_minute: int | None) -> None:
    assert permission_of(answer(ALLOWED, ("WebHook-Allowed-Rate", rate)), ORIGIN) == Permitted(per_minute=per_minute)


_fields = st.tuples(
    st.sampled_from(["WebHook-Allowed-Origin", "webhook-allowed-rate", "X-Other"]),
    st.one_of(st.sampled_from(["*", ORIGIN, ORIGIN.title(), "0", "60", "1e3"]), st.text(max_size=80)),
)


@given(st.integers(100, 599), st.lists(_fields, max_size=5))
def test_nothing_is_taken_for_a_permission_that_is_none(status: int, headers: list[tuple[str, str]]) -> None:
    said = permission_of(answer(*headers, status=status), ORIGIN)
    origins = [v.strip().lower() for n, v in headers if n == "WebHook-Allowed-Origin"]
    rates = [v.strip() for n, v in headers if n == "webhook-allowed-rate"]
    if isinstance(said, Permitted):
        assert 200 <= status < 300
        assert {"*", ORIGIN} & set(origins)
        numbers = [int(rate) for rate in rates if rate != "*"]
        assert said.per_minute == min(numbers, default=None)
        assert said.per_minute is None or said.per_minute > 0
    else:
        assert 0 < len(said.why) < 400


@given(st.integers(1, 10**6))
def test_the_waits_grow_up_to_a_cap(refusals: int) -> None:
    assert ask_wait_s(1) == FIRST_WAIT_S
    assert ask_wait_s(refusals + 1) == min(2 * ask_wait_s(refusals), WAIT_CAP_S)


def test_what_the_state_says_while_it_waits() -> None:
    said = waiting_reason("405 to OPTIONS", "14:03:10")
    assert said == "waits for permission: 405 to OPTIONS; asks again at 14:03:10"
    assert said.startswith(WAITS)


@pytest.mark.parametrize(
    ("handshake", "permitted_url", "wants"),
    [
        (False, None, False),
        (True, None, True),
        (True, "https://example.com/hook", False),
        (True, "https://example.com/other", True),
    ],
)
def test_a_permission_is_for_one_url(handshake: bool, permitted_url: str | None, wants: bool) -> None:
    policy = DeliveryPolicy(handshake=handshake)
    endpoint = make_endpoint(policy=policy, url="https://example.com/hook", permitted_url=permitted_url)
    assert wants_permission(endpoint) is wants


_rates = st.one_of(
    st.none(), st.builds(RateLimit, count=st.integers(1, 10_000), period_s=st.sampled_from([1.0, 60.0, 3600.0]))
)


@given(_rates, st.one_of(st.none(), st.integers(1, 100_000)), st.booleans(), st.booleans())
def test_the_lowest_rate_counts(own: RateLimit | None, most: int | None, handshake: bool, same_url: bool) -> None:
    given: dict[str, Any] = {"url": "https://a/", "permitted_url": "https://a/" if same_url else "https://b/"}
    policy = DeliveryPolicy(handshake=handshake, rate_limit=own)
    endpoint = make_endpoint(policy=policy, permitted_per_minute=most, **given)
    within = within_permission(endpoint)
    limits = [] if own is None else [own.per_s]
    if most is not None and handshake and same_url:
        limits.append(most / 60)
    rate = within.policy.rate_limit
    assert (None if rate is None else rate.per_s) == min(limits, default=None)
