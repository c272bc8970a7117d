"""Inbound webhooks: what becomes of a request to `/in/NAME`, whatever serves it.

Every request to a source that is there is kept in the inbox, with why it was refused. What is genuine is answered when
its event and the request are on disk, in one transaction; what cannot be kept is not accepted.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import ceil
from typing import Protocol, assert_never
from urllib.parse import unquote_plus

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import SealedError, StoreError
from console.domain.event import PAYLOAD_CAP_BYTES, NewEvent
from console.domain.event_schema import Flaw
from console.domain.inbound import REJECTED_BODY_BYTES, Fate, Genuine, InboundRequest, NewArrival, Refused, Reply
from console.domain.kinds.judge import judge_request
from console.domain.kinds.plain import TOKEN_HEADER, TOKEN_PARAMETER
from console.domain.redaction import REDACTED, redact, redact_url
from console.domain.source import Answer, Source, SourceKind
from console.intake.doors import Door, Doors
from console.intake.keeping import Incoming, Keeper
from console.intake.rationing import Ration
from console.intake.seam import Writes

RETRY_AFTER_S = 5
"""How soon a sender may come back when the store takes nothing now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundAnswer:
    """What a request is answered with, after `delay_s`."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A genuine event after all other checks. `flaw`: it is taken, although it does not match its schema."""

    hops: int = 0
    via: str | None = None
    flaw: Flaw | None = None


class Checks(Protocol):
    """What an event must pass beside its proof: loops and schemas."""

    async def __call__(self, request: InboundRequest, event: Genuine) -> Checked | Refused: ...


async def no_checks(request: InboundRequest, event: Genuine) -> Checked | Refused:
    """Everything passes."""
    return Checked()


class Inbound:
    """The handler of `/in/NAME`.

    Args:
        doors: the sources there are.
        checks: what is asked of a genuine event.
        full: whether so much is pending that no event is accepted.
    """

    def __init__(
        self,
        doors: Doors,
        writer: Writes,
        clock: Clock,
        log: FilteringBoundLogger,
        *,
        checks: Checks = no_checks,
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._doors, self._clock, self._log, self._checks, self._full = doors, clock, log, checks, full
        self._keeper = Keeper(writer, clock)
        self._ration = Ration()
        self.fates: Counter[tuple[str, Fate]] = Counter()
        """Requests so far, by source and what became of them; those that were not kept too."""
        self.owed = 0
        """Deliveries that came of them."""

    def unknown(self, name: str) -> InboundAnswer | None:
        """What is answered when no source of this name takes anything; None when one does. Nothing of it is kept."""
        try:
            door = self._doors.find(name, self._clock.now_ms())
        except StoreError as error:
            return self._unavailable(name, error)
        return _plain(HTTPStatus.NOT_FOUND) if door is None else None

    async def take(self, name: str, request: InboundRequest) -> InboundAnswer:
        """Judge a request, keep it, and say what to answer."""
        try:
            door = self._doors.find(name, self._clock.now_ms())
            if door is None:
                return _plain(HTTPStatus.NOT_FOUND)
            return await self._take(door, request)
        except StoreError as error:
            return self._unavailable(name, error)

    async def refuse_unread(self, name: str, request: InboundRequest, reason: str) -> InboundAnswer:
        """Refuse a request whose body was too large to be read."""
        door = self._doors.find(name, self._clock.now_ms())
        if door is None:
            return _plain(HTTPStatus.NOT_FOUND)
        refused = Refused(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason=reason)
        return await self._refuse(door.source, request, refused, self._clock.monotonic_s())

    def _unavailable(self, name: str, error: StoreError) -> InboundAnswer:
        self._log.warning("inbound request refused", source=name, error=str(error))
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE, ("retry-after", str(RETRY_AFTER_S)))

    async def _take(self, door: Door, request: InboundRequest) -> InboundAnswer:
        began_s = self._clock.monotonic_s()
        source = door.source
        refused = door.refusal(request, self._clock.monotonic_s()) or _too_large(source, request)
        if refused is None:
            try:
                secrets = door.secrets(self._clock.now_ms())
            except SealedError as error:
                if not door.complained:
                    self._log.error("a source's secret cannot be opened", source=source.name, error=str(error))
                door.complained = True
                refused = Refused(status=HTTPStatus.SERVICE_UNAVAILABLE, reason=str(error))
        if refused is not None:
            wait_s = door.wait_s(began_s) if refused.status == HTTPStatus.TOO_MANY_REQUESTS else RETRY_AFTER_S
            return await self._refuse(source, request, refused, began_s, wait_s=wait_s)
        judged = judge_request(source, request, secrets=secrets, now_ms=self._clock.now_ms())
        match judged:
            case Refused():
                return await self._refuse(source, request, judged, began_s)
            case Reply():
                return await self._reply(source, request, judged, began_s)
            case Genuine():
                checked = await self._checks(request, judged)
                if isinstance(checked, Refused):
                    return await self._refuse(source, request, checked, began_s)
                return await self._accept(source, request, judged, checked, began_s)
            case _:
                assert_never(judged)

    async def _accept(
        self, source: Source, request: InboundRequest, genuine: Genuine, checked: Checked, began_s: float
    ) -> InboundAnswer:
        if self._full():
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE, ("retry-after", str(RETRY_AFTER_S)))
        answer = source.options.answer
        event = NewEvent(
            type=genuine.type,
            payload=genuine.payload,
            id=genuine.id,
            source=f"in/{source.name}",
            hops=checked.hops,
            via=checked.via,
            flaw=checked.flaw,
        )
        arrival = NewArrival(
            source=source.id,
            request=_kept(source, request),
            fate=Fate.ACCEPTED if checked.flaw is None else Fate.FLAGGED,
            reason=None if checked.flaw is None else str(checked.flaw),
            status=answer.status,
        )
        accepted = await self._keeper.keep(Incoming(arrival=arrival, event=event, began_s=began_s))
        assert accepted is not None
        self.fates[source.name, Fate.DUPLICATE if accepted.duplicate else arrival.fate] += 1
        self.owed += 0 if accepted.duplicate else accepted.deliveries
        return _told(answer)

    async def _reply(self, source: Source, request: InboundRequest, reply: Reply, began_s: float) -> InboundAnswer:
        captured = source.kind is SourceKind.CAPTURE
        arrival = NewArrival(
            source=source.id,
            request=_kept(source, request),
            fate=Fate.CAPTURED if captured else Fate.ANSWERED,
            reason=None if captured else reply.why,
            status=reply.status,
        )
        await self._keeper.keep(Incoming(arrival=arrival, began_s=began_s))
        self.fates[source.name, arrival.fate] += 1
        return InboundAnswer(
            status=reply.status,
            body=reply.body,
            content_type=reply.content_type,
            delay_s=source.options.answer.delay_s if captured else 0.0,
        )

    async def _refuse(
        self,
        source: Source,
        request: InboundRequest,
        refused: Refused,
        began_s: float,
        *,
        wait_s: float = RETRY_AFTER_S,
    ) -> InboundAnswer:
        """Keep it, unless too many like it came, and tell the sender nothing but the status."""
        self.fates[source.name, Fate.REJECTED] += 1
        kept = _cut(_kept(source, request))
        uncounted = self._ration.admit(source.id, _size_of(kept), self._clock.monotonic_s())
        if uncounted is not None:
            arrival = NewArrival(
                source=source.id,
                request=kept,
                fate=Fate.REJECTED,
                reason=_reason(refused, request, uncounted),
                status=refused.status,
            )
            try:
                await self._keeper.keep(Incoming(arrival=arrival, began_s=began_s))
            except StoreError as error:  # the sender is refused all the same
                self._log.warning("a rejected request is not kept", source=source.name, error=str(error))
        return _plain(refused.status, *_more_headers(source, refused.status, wait_s))


def _too_large(source: Source, request: InboundRequest) -> Refused | None:
    if len(request.body) <= PAYLOAD_CAP_BYTES or source.kind is SourceKind.CAPTURE:
        return None
    return Refused(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        reason=f"a body of {len(request.body):,} bytes: at most {PAYLOAD_CAP_BYTES:,} are accepted",
    )


def _kept(source: Source, request: InboundRequest) -> InboundRequest:
    """What the inbox keeps of a request: without what lets others in. A capture is thrown away, and shows all."""
    if source.kind is SourceKind.CAPTURE:
        return replace(request, body=request.body[:PAYLOAD_CAP_BYTES])
    headers, query = redact(request.headers), redact_url(f"?{request.query}")[1:]
    if source.kind is SourceKind.TOKEN:
        named = (source.options.signature.header or TOKEN_HEADER).lower()
        headers = tuple((name, REDACTED if name.lower() == named else value) for name, value in headers)
        query = "&".join(_without_token(pair) for pair in query.split("&"))
    return replace(request, headers=headers, query=query)


def _without_token(pair: str) -> str:
    """However its name is written."""
    name = pair.partition("=")[0]
    return f"{name}={REDACTED}" if unquote_plus(name) == TOKEN_PARAMETER else pair


def _cut(request: InboundRequest) -> InboundRequest:
    return replace(request, body=request.body[:REJECTED_BODY_BYTES])


def _size_of(request: InboundRequest) -> int:
    fields = sum(len(name) + len(value) for name, value in request.headers)
    return len(request.path) + len(request.query) + fields + len(request.body)


def _reason(refused: Refused, request: InboundRequest, uncounted: int) -> str:
    reason = refused.reason
    if len(request.body) > REJECTED_BODY_BYTES:
        reason += f"; of its {len(request.body):,} bytes the first {REJECTED_BODY_BYTES:,} are kept"
    if uncounted:
        reason += f"; {uncounted:,} rejected before it were not kept, there were too many"
    return reason


def _more_headers(source: Source, status: int, wait_s: float) -> tuple[tuple[str, str], ...]:
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return (("retry-after", str(max(1, ceil(wait_s)))),)
    if source.kind is SourceKind.BASIC and status == HTTPStatus.UNAUTHORIZED:
        return (("www-authenticate", 'Basic realm="webhook", charset="UTF-8"'),)
    return ()


def _told(answer: Answer) -> InboundAnswer:
    return InboundAnswer(
        status=answer.status,
        body=answer.body.encode(),
        content_type=answer.content_type,
        delay_s=answer.delay_s,
    )


def _plain(status: int, *headers: tuple[str, str]) -> InboundAnswer:
    return InboundAnswer(status=status, body=f"{HTTPStatus(status).phrase}\n".encode(), headers=headers)
