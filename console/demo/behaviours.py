"""How the demo's receivers behave: one habit each, signatures checked, and an honest count. Touches no socket.

Chance comes from one seed, a generator for each receiver: for the same requests in the same order a receiver gives the
same answers.
"""

import base64
import hmac
import json
import math
import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple, assert_never

from console.domain.clock import Clock

TIMESTAMP_TOLERANCE_S = 300
"""How far a signature's timestamp may be from now, as Standard Webhooks advises."""
RATE_LIMIT_PER_S = 5.0
RATE_LIMIT_BURST = 10
FLAKY_SHARE = 0.3
RESET_SHARE = 0.35


class Behaviour(StrEnum):
    """How a receiver misbehaves."""

    HEALTHY = "healthy"
    SLOW = "slow"
    FLAKY = "flaky"
    RATE_LIMITED = "rate_limited"
    DOWN = "down"
    GONE = "gone"
    REDIRECTING = "redirecting"
    RESETTING = "resetting"
    PICKY = "picky"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSpec:
    """All that is needed to register a receiver as an endpoint."""

    name: str
    url: str
    behaviour: Behaviour
    secret: str = field(repr=False)
    """`whsec_` and base64."""
    types: tuple[str, ...]
    """Patterns of the event types it wants."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverCounts:
    """What one receiver has seen since it started."""

    requests: int
    answers: dict[str, int]
    """By status, and `reset`, and `abandoned` where the sender hung up before the answer."""
    events: int
    """Distinct webhook-ids among the requests with a good signature."""
    duplicates: int
    """Requests for an event that this receiver had accepted before, whether or not the sender waited to hear so."""


class Role(NamedTuple):
    name: str
    behaviour: Behaviour
    types: tuple[str, ...]
    description: str


CAST = (
    Role("crm", Behaviour.HEALTHY, ("lead.*", "meeting.*", "payment.*"), "Customer records; answers in milliseconds"),
    Role("warehouse", Behaviour.HEALTHY, ("*",), "Analytics; takes every event there is"),
    Role(
        "mailer",
        Behaviour.SLOW,
        ("email.*", "lead.created", "payment.succeeded"),
        "Sends mail before it answers: 0.3 to 2.5 seconds",
    ),
    Role(
        "provisioning",
        Behaviour.FLAKY,
        ("payment.*", "subscription.*"),
        "Opens and closes accounts; fails three times in ten",
    ),
    Role(
        "slack",
        Behaviour.RATE_LIMITED,
        ("lead.created", "meeting.booked", "payment.failed"),
        "Chat alerts; 429 with Retry-After above 5 a second",
    ),
    Role(
        "bookkeeping",
        Behaviour.PICKY,
        ("invoice.*", "payment.succeeded"),
        "Ledger; 422 for a currency that it does not keep",
    ),
    Role("fraud-check", Behaviour.RESETTING, ("payment.*", "order.*"), "Risk scores; drops one connection in three"),
    Role("legacy-erp", Behaviour.DOWN, ("invoice.*",), "Old accounting host; nothing listens there"),
    Role("billing-v1", Behaviour.REDIRECTING, ("invoice.*", "subscription.*"), "Moved for good: 301 to a new address"),
    Role("old-partner", Behaviour.GONE, ("lead.*", "order.*"), "Ended its contract: 410 Gone"),
)
"""The demo's receivers, in the order in which they are shown."""


def signature_fault(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> str | None:
    """Why a request is not to be trusted by Standard Webhooks (symmetric, `v1`), or None when it is.

    Header names in lower case, values decoded as latin-1. Never raises for what a sender wrote.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (message_id and timestamp and signatures):
        return "webhook-id, webhook-timestamp and webhook-signature are required"
    if not (timestamp.isdecimal() and len(timestamp) <= 12):
        return "webhook-timestamp is not in whole seconds"
    if abs(now_s - int(timestamp)) > TIMESTAMP_TOLERANCE_S:
        return "webhook-timestamp is more than 5 minutes away"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode("latin-1") + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    if any(hmac.compare_digest(given.encode("latin-1"), expected) for given in signatures.split(" ")):
        return None
    return "no matching signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    delay_s: float


def _json(status: int, value: object, *, delay_s: float, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode(), delay_s=delay_s, headers=headers)


def html_answer(status: int, *, delay_s: float, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """The error page of a proxy, as operators meet it."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status=status, body=page.encode(), content_type="text/html", headers=headers, delay_s=delay_s)


class TokenBucket:
    """Grants `rate_per_s` on average and `burst` at once."""

    def __init__(self, rate_per_s: float, burst: int, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = float(burst)
        self._filled_s = now_s

    def take(self, now_s: float) -> float:
        """Take a token: 0.0 when there was one, else the seconds until there will be."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._rate_per_s)
        self._filled_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate_per_s


UNKEPT_CURRENCIES = frozenset({"JPY", "BRL"})
"""What the picky receiver answers 422 to."""


def _refused_field(value: object) -> tuple[str, str] | None:
    """Path and value of the first currency in a JSON value that the picky receiver does not keep.

    Searched for, so that it is found in a bare payload and in an envelope alike; breadth first and without recursion,
    so that a payload nested a thousand deep is no trouble.
    """
    waiting: deque[tuple[str, object]] = deque([("", value)])
    while waiting:
        path, here = waiting.popleft()
        if isinstance(here, dict):
            currency = here.get("currency")
            if isinstance(currency, str) and currency in UNKEPT_CURRENCIES:
                return f"{path}currency", currency
            waiting.extend((f"{path}{key}.", inner) for key, inner in here.items())
        elif isinstance(here, list):
            waiting.extend((f"{path}{index}.", inner) for index, inner in enumerate(here))
    return None


class Receiver:
    """One receiver's mind: decides what a request is answered and keeps the count. Touches no socket."""

    def __init__(self, spec: ReceiverSpec, rng: random.Random, clock: Clock) -> None:
        self.spec = spec
        self._rng = rng
        self._clock = clock
        self._bucket = TokenBucket(RATE_LIMIT_PER_S, RATE_LIMIT_BURST, clock.monotonic_s())
        self._requests = 0
        self._answers: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._accepted: set[str] = set()
        self._duplicates = 0

    def counts(self) -> ReceiverCounts:
        return ReceiverCounts(
            requests=self._requests,
            answers=dict(self._answers),
            events=len(self._seen),
            duplicates=self._duplicates,
        )

    def answered(self, what: str) -> None:
        self._answers[what] += 1

    def decide(self, headers: Mapping[str, str], body: bytes) -> Answer | Reset:
        self._requests += 1
        fault = signature_fault(self.spec.secret, headers, body, self._clock.now_ms() / 1000)
        if fault is not None:
            return _json(401, {"error": "unauthorized", "message": fault}, delay_s=0.001)
        event_id = headers["webhook-id"]
        self._seen.add(event_id)
        self._duplicates += event_id in self._accepted
        decision = self._behave(body)
        if isinstance(decision, Answer) and decision.status < 300:
            self._accepted.add(event_id)
        return decision

    def _behave(self, body: bytes) -> Answer | Reset:
        quick_s = self._rng.uniform(0.002, 0.020)
        match self.spec.behaviour:
            case Behaviour.HEALTHY | Behaviour.DOWN:
                return self._accept(quick_s)
            case Behaviour.SLOW:
                # Most near half a second, about one in eighteen past a timeout of 2 s.
                return self._accept(self._rng.triangular(0.3, 2.5, 0.5))
            case Behaviour.FLAKY:
                return self._stumble(quick_s) if self._rng.random() < FLAKY_SHARE else self._accept(quick_s)
            case Behaviour.RATE_LIMITED:
                return self._limit(quick_s)
            case Behaviour.GONE:
                return _json(410, {"error": "gone", "message": "This integration was removed."}, delay_s=quick_s)
            case Behaviour.REDIRECTING:
                location = ("location", "https://billing.example.com/v2/webhooks")
                return html_answer(301, delay_s=quick_s, headers=(location,))
            case Behaviour.RESETTING:
                return Reset(delay_s=quick_s) if self._rng.random() < RESET_SHARE else self._accept(quick_s)
            case Behaviour.PICKY:
                return self._read_closely(body, quick_s)
            case _ as never:
                assert_never(never)

    def _accept(self, delay_s: float) -> Answer:
        request_id = ("x-request-id", f"{self._rng.getrandbits(64):016x}")
        return _json(200, {"received": True}, delay_s=delay_s, headers=(request_id,))

    def _stumble(self, delay_s: float) -> Answer:
        request_id = f"{self._rng.getrandbits(64):016x}"
        match self._rng.choice((500, 502, 503)):
            case 502:
                return html_answer(502, delay_s=delay_s)
            case 503:
                error: object = {"error": {"code": "overloaded", "message": "No worker is free. Try again shortly."}}
                return _json(503, error, delay_s=delay_s, headers=(("retry-after", "2"),))
            case _:
                error = {
                    "error": {
                        "code": "internal_error",
                        "message": "deadlock detected while updating table accounts",
                        "request_id": request_id,
                    }
                }
                return _json(500, error, delay_s=delay_s, headers=(("x-request-id", request_id),))

    def _limit(self, delay_s: float) -> Answer:
        wait_s = self._bucket.take(self._clock.monotonic_s())
        if not wait_s:
            return self._accept(delay_s)
        retry_after = ("retry-after", str(math.ceil(wait_s)))
        return _json(429, {"ok": False, "error": "ratelimited"}, delay_s=delay_s, headers=(retry_after,))

    def _read_closely(self, body: bytes, delay_s: float) -> Answer:
        try:
            refused = _refused_field(json.loads(body))
        except (ValueError, RecursionError):
            return _json(400, {"error": "bad_request", "message": "The body is not JSON."}, delay_s=delay_s)
        if refused is None:
            return self._accept(delay_s)
        path, currency = refused
        error = {
            "type": "validation_error",
            "errors": [{"field": path, "code": "unsupported", "message": f"No ledger is kept in {currency}."}],
        }
        return _json(422, error, delay_s=delay_s)
