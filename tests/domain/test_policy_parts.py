"""What people write of a policy is read, checked, and shown as they may write it again."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.policy import (
    BUILT_IN,
    BreakerPolicy,
    DeliveryPolicy,
    Ordering,
    RateLimit,
    check_policy,
    parse_rate_limit,
)
from console.domain.policy_parts import PARTS, shown_policy
from console.domain.redaction import REDACTED
from console.domain.retry import parse_schedule_s

BY_FLAG = {part.flag: part for part in PARTS}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.flag)
def test_what_is_shown_of_the_built_in_policy_reads_back(part: Any) -> None:
    value = getattr(BUILT_IN, part.field)
    assert part.parse(part.show(value)) == value


@given(
    st.lists(st.sampled_from([0.0, 0.25, 1.0, 5.0, 90.0, 300.0, 5400.0, 86400.0, 172800.0]), min_size=1, max_size=20),
    st.builds(RateLimit, count=st.integers(1, 10**6), period_s=st.sampled_from([1.0, 60.0, 3600.0])),
    st.builds(
        BreakerPolicy,
        consecutive=st.integers(1, 1000),
        ratio=st.integers(5, 100).map(lambda n: n / 100),
        least=st.integers(1, 1000),
        window_s=st.integers(1, 3600).map(float),
        probe_s=st.integers(1, 600).map(float),
        probe_cap_s=st.integers(600, 3600).map(float),
    ),
)
def test_what_is_shown_of_any_policy_reads_back(waits: list[float], limit: RateLimit, breaker: BreakerPolicy) -> None:
    policy = DeliveryPolicy(
        schedule_s=tuple(waits), rate_limit=limit, breaker=breaker, ordering=Ordering.FIFO, order_key="data.customer"
    )
    for part in PARTS:
        assert part.parse(part.show(getattr(policy, part.field))) == getattr(policy, part.field)


def test_secrets_are_not_shown() -> None:
    policy = DeliveryPolicy(
        authorization="Bearer canary", proxy="http://user:canary@proxy:8080", headers=(("X-Api-Key", "canary"),)
    )
    shown = shown_policy(policy)
    assert "canary" not in str(shown) + repr(replace(policy, headers=()))
    assert shown["authorization"] == f"Bearer {REDACTED}"
    assert shown["proxy"] == f"http://{REDACTED}@proxy:8080"


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("schedule", "exponential:first=x"), ("schedule", "exponential:tries=0"), ("schedule", "exponential:up=1"),
        ("jitter", "much"), ("permanent", "4xx"), ("max-in-flight", "-1"), ("rate-limit", "50"), ("rate-limit", "0/s"),
        ("rate-limit", "5/d"), ("breaker", "maybe"), ("breaker", "ratio=x"), ("breaker", "up=1"), ("ordering", "lifo"),
        ("proxy", "https://p:1"), ("proxy", "http://p"), ("http2", "yes"), ("timeout", "soon"), ("user-agent", "é"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(flag: str, text: str) -> None:
    with pytest.raises(InvalidInputError):
        BY_FLAG[flag].parse(text)


@pytest.mark.parametrize(
    "part",
    [
        {"jitter": 0.51}, {"permanent_statuses": (200,)}, {"connect_timeout_s": 0.01}, {"disable_after_s": 1.0},
        {"breaker": BreakerPolicy(consecutive=0)}, {"breaker": BreakerPolicy(ratio=0.0)},
        {"breaker": BreakerPolicy(probe_s=60, probe_cap_s=30)}, {"order_key": "a"},
        {"ordering": Ordering.FIFO, "order_key": "a..b"}, {"client_key": "/k.pem"}, {"authorization": "Bearer \r"},
        {"proxy": "socks5://p:1"}, {"retry_after_cap_s": -1.0},
    ],
)  # fmt: skip
def test_a_part_out_of_bounds_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        check_policy(DeliveryPolicy(**part))


def test_an_exponential_schedule_is_a_list_of_waits() -> None:
    assert parse_schedule_s("exponential:first=5s,factor=3,cap=1m,tries=5") == (0.0, 5.0, 15.0, 45.0, 60.0)
    assert len(parse_schedule_s("exponential:")) == 10


def test_rates() -> None:
    assert parse_rate_limit("1000/m").per_s == pytest.approx(1000 / 60)
    assert str(parse_rate_limit("50/s")) == "50/s"
