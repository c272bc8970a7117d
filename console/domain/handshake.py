"""Asking a receiver for its permission before anything is sent to it: CloudEvents HTTP 1.1 Web Hooks, §4. Pure.

An OPTIONS request names who asks and, where the endpoint has a rate limit, how often it would like to send. The
receiver permits it by naming the asker, or anybody, and may say how often at most. The permission is for that URL.
"""

import math
from dataclasses import dataclass, replace
from typing import assert_never

from console.domain.endpoint import Endpoint
from console.domain.outcome import Failure, Headers, Outcome, Response
from console.domain.policy import RateLimit

FIRST_WAIT_S = 5.0
WAIT_CAP_S = 600.0
"""After a refusal it is asked again: after the first wait, then after twice the one before, up to the cap."""

WAITS = "waits for permission"
"""How the reason of an endpoint's state begins while it waits."""

_MOST_PER_MINUTE = 1_000_000_000
_SHOWN, _DETAIL_SHOWN = 60, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """The receiver wants what is sent, `per_minute` at most; None: as much as there is."""

    per_minute: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It does not, or did not say so. `why` in a few words, for an operator; `reason` says too when it is asked again,
    and is what the endpoint's state says."""

    why: str
    reason: str = ""


Permission = Permitted | Refused


def wants_permission(endpoint: Endpoint) -> bool:
    """Whether nothing may be sent to this endpoint before its receiver has permitted it."""
    return endpoint.policy.handshake and endpoint.permitted_url != endpoint.url


def origin_headers(origin: str) -> Headers:
    """Who asks, and who sends: every delivery says so too."""
    return (("webhook-request-origin", origin),)


def asking_headers(limit: RateLimit | None) -> Headers:
    """How many requests a minute the asker would like to make."""
    if limit is None:
        return ()
    return (("webhook-request-rate", str(max(1, math.ceil(limit.per_s * 60 - 1e-6)))),)


def permission_of(outcome: Outcome, origin: str) -> Permission:
    """What came of asking as `origin`."""
    match outcome:
        case Failure(detail=detail):
            return Refused(why=f"no answer to OPTIONS: {detail[:_DETAIL_SHOWN]}")
        case Response(status=status, headers=headers):
            if not 200 <= status < 300:
                return Refused(why=f"{status} to OPTIONS")
            return _permission(status, headers, origin)
        case _ as never:
            assert_never(never)


def _permission(status: int, headers: Headers, origin: str) -> Permission:
    origins = _values(headers, "webhook-allowed-origin")
    if not origins:
        return Refused(why=f"{status} to OPTIONS without WebHook-Allowed-Origin")
    if not any(allowed == "*" or allowed.lower() == origin.lower() for allowed in origins):
        return Refused(why=f"WebHook-Allowed-Origin is {origins[0][:_SHOWN]!r}, not {origin} or *")
    limits = [rate for rate in _values(headers, "webhook-allowed-rate") if rate != "*"]
    for rate in limits:
        if not (rate.isascii() and rate.isdigit() and rate.strip("0")):
            return Refused(why=f"WebHook-Allowed-Rate is {rate[:_SHOWN]!r}, not a number of requests a minute or *")
    return Permitted(per_minute=min((_number(rate) for rate in limits), default=None))


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return _MOST_PER_MINUTE if len(digits) > 9 else int(digits)


def _values(headers: Headers, name: str) -> list[str]:
    return [value.strip() for known, value in headers if known.lower() == name]


def ask_wait_s(refusals: int) -> float:
    """How long to wait before asking again, after so many refusals in a row, 1 after the first."""
    return min(WAIT_CAP_S, FIRST_WAIT_S * 2.0 ** min(refusals - 1, 40))


def waiting_reason(why: str, again_at: str) -> str:
    """What the endpoint's state says: why it was refused, and the time when it is asked again."""
    return f"{WAITS}: {why}; asks again at {again_at}"


def within_permission(endpoint: Endpoint) -> Endpoint:
    """The endpoint with no higher rate than its receiver permits."""
    most = endpoint.permitted_per_minute
    if most is None or not endpoint.policy.handshake or endpoint.permitted_url != endpoint.url:
        return endpoint
    permitted, own = RateLimit(count=most, period_s=60.0), endpoint.policy.rate_limit
    if own is not None and own.per_s <= permitted.per_s:
        return endpoint
    return replace(endpoint, policy=replace(endpoint.policy, rate_limit=permitted))
