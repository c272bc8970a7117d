"""What an event must pass at the door beside its proof: it does not go round, and it matches its schema."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from console.domain.clock import Clock
from console.domain.event import NewEvent
from console.domain.event_schema import EventSchema
from console.domain.inbound import Genuine, InboundRequest, Refused
from console.domain.loops import Loop, Passage, check_loop, parse_hops
from console.domain.outcome import Headers
from console.intake.inbound import Checked
from console.operations.accepting import Refusal, SchemaBook, held_against
from console.store.protocol import Store

LOOK_S = 0.1
"""How often, at most, it is looked whether schemas have changed."""

ASIDE_BYTES = 32 * 1024
"""Larger payloads are looked at beside the loop: that may take long, and deliveries must not notice."""

_Asked = tuple[EventSchema | None, NewEvent]


class StoreChecks:
    """The checks that a store asks for.

    Args:
        reader: of the loop's own thread; asked for microseconds.
    """

    def __init__(self, reader: Store, clock: Clock) -> None:
        self._reader, self._clock = reader, clock
        self._book = SchemaBook()
        self._instance: str | None = None
        self._look_at_s = 0.0

    async def __call__(self, request: InboundRequest, event: Genuine) -> Checked | Refused:
        """Raises StoreError."""
        way = self.way(request.headers)
        if isinstance(way, Loop):
            return Refused(status=HTTPStatus.LOOP_DETECTED, reason=way.reason)
        (checked,) = await self.check([NewEvent(type=event.type, payload=event.payload)])
        if isinstance(checked, Refusal):
            return Refused(status=HTTPStatus.BAD_REQUEST, reason=str(checked))
        return Checked(hops=way.hops, via=way.via, flaw=checked.flaw)

    def way(self, headers: Headers) -> Passage | Loop:
        """How far what comes with these headers has come, or why it goes round. Raises StoreError."""
        if self._instance is None:
            self._instance = self._reader.instance()
        return check_loop(headers, self._instance) or parse_hops(headers)

    async def check(self, events: Sequence[NewEvent], way: Passage | None = None) -> list[NewEvent | Refusal]:
        """Events as their schemas let them in, with the way that they have come. Raises StoreError."""
        self._refresh()
        if way is not None and way.hops:
            events = [replace(event, hops=way.hops, via=way.via) for event in events]
        if self._book.empty:
            return list(events)
        asked = [(self._book.schema_of(event.type), event) for event in events]
        if sum(len(event.payload) for schema, event in asked if schema is not None) > ASIDE_BYTES:
            return await asyncio.to_thread(_held, asked)
        return _held(asked)

    def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._look_at_s:
            self._book.refresh(self._reader)
            self._look_at_s = now_s + LOOK_S


def _held(asked: Sequence[_Asked]) -> list[NewEvent | Refusal]:
    return [held_against(schema, event) for schema, event in asked]
