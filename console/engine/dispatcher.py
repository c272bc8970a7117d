"""One claimed delivery on its way: request, signature, answer, verdict."""

import asyncio
import socket
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from console import __version__
from console.domain.clock import Clock
from console.domain.delivery import Delivered, Exchange, Failed, Retry, Verdict, cause_of, judge
from console.domain.endpoint import Endpoint
from console.domain.errors import SealedError, TransformError
from console.domain.handshake import Permission, asking_headers, origin_headers, permission_of, wants_permission
from console.domain.loops import outgoing_headers
from console.domain.outcome import (
    DEFAULT_PROFILE,
    PLAIN_WORDS,
    Cause,
    ConnectionProfile,
    Failure,
    Headers,
    Outcome,
    Request,
    Response,
)
from console.domain.policy import DeliveryPolicy
from console.domain.redaction import redact
from console.domain.sealing import NO_KEYS, Keyring
from console.domain.secret_parts import opened_endpoint
from console.domain.signing import sign
from console.domain.transform import Rendered
from console.domain.work import Claimed, Completed
from console.engine.reshaping import WHY_FAILED, kept_with_rendered, note_made, reshape, with_rendered
from console.engine.transport.seam import Transport

USER_AGENT = f"webhook-console/{__version__}"
_NEVER_MS = 1 << 62
_CONTENT_TYPE = ("content-type", "application/json")
_STOPPED = "it is sent when an engine runs again, and no try was used up"
_WAITS_THERE = "it waits for the receiver's permission, and no try was used up"


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is the same in each request to an endpoint: header fields as they are sent and as they are kept, the secrets
    that sign, and how to connect."""

    version: int
    until_ms: int
    """When one of its secrets ends, and this must be made anew."""
    secrets: tuple[str, ...]
    profile: ConnectionProfile
    sent: Headers
    kept: Headers


class Dispatcher:
    """Sends claimed deliveries through a transport and says what came of them. Never raises for a receiver's deeds."""

    def __init__(
        self, transport: Transport, *, clock: Clock, random: Random, keys: Keyring = NO_KEYS, instance: str = "unnamed"
    ) -> None:
        self._transport, self._clock, self._random, self.keys = transport, clock, random, keys
        self._instance = instance
        self._origin = socket.gethostname()
        """The name under which receivers are asked for their permission, and sent to when they gave it."""
        self._fixed: dict[int, _Fixed] = {}

    async def deliver(self, claimed: Claimed, endpoint: Endpoint) -> Completed:
        """Attempt one delivery. When cancelled, the outcome is unknown, and that is what is returned."""
        started_ms = self._clock.now_ms()
        started_s = self._clock.monotonic_s()
        fixed = self._fixed.get(endpoint.seq)
        if fixed is None or fixed.version != endpoint.version or started_ms >= fixed.until_ms:
            if wants_permission(endpoint):
                return self._not_permitted(claimed, started_ms)
            try:
                fixed = self._fixed[endpoint.seq] = _fixed(
                    opened_endpoint(endpoint, self.keys), self._origin, started_ms
                )
            except SealedError as error:
                return self._not_sent(claimed, endpoint, started_ms, str(error))
        url, body, sent, kept, method = claimed.url or endpoint.url, claimed.payload, fixed.sent, fixed.kept, "POST"
        made: Rendered | None = None
        if endpoint.transform is not None or endpoint.filter is not None:
            reshaped = await self._reshaped(claimed, endpoint, url, started_ms, started_s)
            if isinstance(reshaped, Completed):
                return reshaped
            made = reshaped
            url, body, method = made.url, made.body, made.method
            sent, kept = with_rendered(sent, made), kept_with_rendered(kept, made)
        timestamp_s = started_ms // 1000
        own = (
            ("webhook-id", claimed.event_id),
            ("webhook-timestamp", str(timestamp_s)),
            ("webhook-signature", sign(fixed.secrets, claimed.event_id, timestamp_s, body)),
            ("webhook-event-type", claimed.event_type),
            *outgoing_headers(instance=self._instance, event_id=claimed.event_id, hops=claimed.hops, via=claimed.via),
        )
        if endpoint.dry_run:
            return self._dry_run(claimed, started_ms, _unanswered(url, kept + own), made)
        request = Request(
            url=url,
            headers=sent + own,
            body=body,
            connect_timeout_s=endpoint.policy.connect_within_s,
            total_timeout_s=endpoint.policy.timeout_s,
            method=method,
            profile=fixed.profile,
        )
        outcome: Outcome
        try:
            outcome = await self._transport.send(request)
        except asyncio.CancelledError:
            outcome = self._unknown(started_s)
        except Exception as error:  # the root of a delivery
            outcome = self._fault(error, started_s)
        ended_ms = max(self._clock.now_ms(), started_ms)
        exchange = _exchange(url, kept + own, outcome)
        if made is not None:
            note_made(exchange, made, claimed.payload)
        return Completed(
            claimed=claimed,
            verdict=self._verdict(outcome, claimed, endpoint, ended_ms),
            started_at_ms=started_ms,
            ended_at_ms=ended_ms,
            total_ms=outcome.total_ms,
            first_byte_ms=outcome.first_byte_ms if isinstance(outcome, Response) else None,
            exchange=exchange,
            parts=outcome.parts,
        )

    async def _reshaped(
        self, claimed: Claimed, endpoint: Endpoint, url: str, started_ms: int, started_s: float
    ) -> Rendered | Completed:
        """What its filter and transform make of it, or the end of the attempt."""
        try:
            return await reshape(claimed, endpoint, url)
        except TransformError as error:
            return self._not_reshaped(claimed, started_ms, started_s, str(error))
        except asyncio.CancelledError:
            return self._stopped_before(claimed, started_ms)
        except Exception as error:  # the root of a delivery, too
            return self._not_sent(claimed, endpoint, started_ms, self._fault(error, started_s).detail)

    def _unknown(self, started_s: float) -> Failure:
        """The engine's grace is over. What is not recorded would be sent again without a trace of this one."""
        return Failure(
            cause=Cause.UNKNOWN_OUTCOME,
            detail=PLAIN_WORDS[Cause.UNKNOWN_OUTCOME],
            total_ms=(self._clock.monotonic_s() - started_s) * 1000,
        )

    def _fault(self, error: Exception, started_s: float) -> Failure:
        """A fault of ours costs this try, never the engine."""
        return Failure(
            cause=Cause.PROTOCOL,
            detail=f"this program failed on it: {type(error).__name__}: {error}",
            total_ms=(self._clock.monotonic_s() - started_s) * 1000,
        )

    async def ask(self, endpoint: Endpoint) -> Permission:
        """Ask a receiver whether it may be sent to: an OPTIONS request that is made as those that deliver are."""
        return permission_of(await self._options(endpoint), self._origin)

    async def _options(self, endpoint: Endpoint) -> Outcome:
        started_s = self._clock.monotonic_s()
        try:
            # Not kept: an endpoint is asked once, and delivered to many times.
            fixed = _fixed(opened_endpoint(endpoint, self.keys), self._origin, self._clock.now_ms())
            headers = tuple(field for field in fixed.sent if field != _CONTENT_TYPE)
            request = Request(
                url=endpoint.url,
                headers=headers + asking_headers(endpoint.policy.rate_limit),
                body=b"",
                connect_timeout_s=endpoint.policy.connect_within_s,
                total_timeout_s=endpoint.policy.timeout_s,
                method="OPTIONS",
                profile=fixed.profile,
            )
            return await self._transport.send(request)
        except SealedError as error:
            why = str(error)
        except Exception as error:  # a fault of ours: to be asked again, like any other that got no answer
            why = f"this program failed on it: {type(error).__name__}: {error}"
        return Failure(cause=Cause.PROTOCOL, detail=why, total_ms=(self._clock.monotonic_s() - started_s) * 1000)

    def _not_sent(self, claimed: Claimed, endpoint: Endpoint, now_ms: int, why: str) -> Completed:
        """One that was claimed just before its endpoint was sealed with a key that is not here."""
        outcome = Failure(cause=Cause.PROTOCOL, detail=f"not sent: {why}", total_ms=0.0)
        return _unsent(claimed, self._verdict(outcome, claimed, endpoint, now_ms), now_ms)

    def _not_reshaped(self, claimed: Claimed, started_ms: int, started_s: float, why: str) -> Completed:
        """Its transform, or its filter, fails on this payload, and would each time. Nothing was sent."""
        verdict = Failed(cause=Cause.TRANSFORM_ERROR, status=None, detail=why, why=WHY_FAILED)
        completed = _unsent(claimed, verdict, max(self._clock.now_ms(), started_ms))
        completed.started_at_ms, completed.total_ms = started_ms, (self._clock.monotonic_s() - started_s) * 1000
        return completed

    def _stopped_before(self, claimed: Claimed, now_ms: int) -> Completed:
        """The engine's grace is over, and the request was not made yet."""
        why = "not sent: the engine stopped before it was"
        back = Retry(cause=Cause.UNKNOWN_OUTCOME, status=None, detail=why, at_ms=now_ms, why=_STOPPED, uncharged=True)
        return _unsent(claimed, back, now_ms)

    def _dry_run(self, claimed: Claimed, started_ms: int, exchange: Exchange, made: Rendered | None) -> Completed:
        """What would be sent is kept, and nothing is."""
        completed = _unsent(claimed, Delivered(status=None), max(self._clock.now_ms(), started_ms))
        completed.started_at_ms, completed.exchange = started_ms, exchange
        if made is not None:
            note_made(exchange, made, claimed.payload)
        return completed

    def _not_permitted(self, claimed: Claimed, now_ms: int) -> Completed:
        """One that was claimed just before its endpoint got a URL that has not permitted anything: it waits there."""
        why = "not sent: the receiver has not given its permission yet"
        back = Retry(cause=Cause.PROTOCOL, status=None, detail=why, at_ms=now_ms, why=_WAITS_THERE, uncharged=True)
        return _unsent(claimed, back, now_ms)

    def _verdict(self, outcome: Outcome, claimed: Claimed, endpoint: Endpoint, ended_ms: int) -> Verdict:
        if isinstance(outcome, Response) and not endpoint.policy.obey_receiver and cause_of(outcome) is None:
            return _delivered(outcome.status)
        verdict = judge(
            outcome,
            policy=endpoint.policy,
            step=claimed.step,
            manual=claimed.manual,
            ended_at_ms=ended_ms,
            jitter_unit=self._random.random(),
            probe=claimed.probe,
        )
        if claimed.url is not None and not isinstance(verdict, Retry) and verdict.disable_endpoint:
            # Another URL than the endpoint's own wants no more.
            verdict = replace(verdict, disable_endpoint=False)
        if isinstance(verdict, Retry) and verdict.cause is Cause.UNKNOWN_OUTCOME:
            # Not the receiver's fault: no reason to wait.
            return Retry(
                cause=verdict.cause,
                status=None,
                detail=verdict.detail,
                at_ms=ended_ms,
                why="the engine stopped before the answer came",
                uncharged=verdict.uncharged,
            )
        return verdict

    def forget(self, seq: int) -> None:
        """An endpoint was removed."""
        self._fixed.pop(seq, None)


def _unsent(claimed: Claimed, verdict: Verdict, now_ms: int) -> Completed:
    return Completed(
        claimed=claimed,
        verdict=verdict,
        started_at_ms=now_ms,
        ended_at_ms=now_ms,
        total_ms=0.0,
        first_byte_ms=None,
        exchange=None,
    )


@lru_cache
def _delivered(status: int) -> Delivered:
    """Successes are all alike, and most of what there is."""
    return Delivered(status=status)


def _fixed(endpoint: Endpoint, origin: str, now_ms: int) -> _Fixed:
    """Of an endpoint with nothing sealed in it: all that may hold a secret is taken from here, not from the endpoint
    that a delivery is made for."""
    secrets = endpoint.active_secrets(now_ms)
    ends = [secret.until_ms for secret in secrets if secret.until_ms is not None]
    fields = _fields(endpoint.policy)
    if endpoint.policy.handshake:
        fields += origin_headers(origin)
    return _Fixed(
        version=endpoint.version,
        until_ms=min(ends, default=_NEVER_MS),
        secrets=tuple(secret.text for secret in secrets),
        profile=_profile(endpoint.policy),
        sent=fields,
        kept=redact(fields),
    )


def _fields(policy: DeliveryPolicy) -> Headers:
    """A part of the policy that is a header of its own counts before one that is written as a header."""
    given: Headers = ()
    if policy.user_agent is not None:
        given += (("user-agent", policy.user_agent),)
    if policy.authorization is not None:
        given += (("authorization", policy.authorization),)
    taken = {name for name, _ in given}
    custom = tuple((name, value) for name, value in policy.headers if name.lower() not in taken)
    if "user-agent" not in taken and not any(name.lower() == "user-agent" for name, _ in custom):
        given += (("user-agent", USER_AGENT),)
    return (_CONTENT_TYPE, *given, *custom)


def _profile(policy: DeliveryPolicy) -> ConnectionProfile:
    profile = ConnectionProfile(
        proxy=policy.proxy,
        client_certificate=policy.client_certificate,
        client_key=policy.client_key,
        http2=policy.http2,
    )
    return DEFAULT_PROFILE if profile == DEFAULT_PROFILE else profile


def _exchange(url: str, request_headers: Headers, outcome: Outcome) -> Exchange:
    if isinstance(outcome, Response):
        return Exchange(
            url=url,
            request_headers=request_headers,
            response_headers=redact(outcome.headers),
            response_body=outcome.body,
            response_truncated=outcome.body_truncated,
            remote_address=outcome.remote_address,
        )
    return _unanswered(url, request_headers, outcome.remote_address)


def _unanswered(url: str, request_headers: Headers, remote_address: str | None = None) -> Exchange:
    return Exchange(
        url=url,
        request_headers=request_headers,
        response_headers=(),
        response_body=b"",
        response_truncated=False,
        remote_address=remote_address,
    )


def describe_failure(verdict: Retry | Failed) -> str:
    """A failed try in one line, for the log."""
    return f"{verdict.cause}: {verdict.detail}; {verdict.why}"
