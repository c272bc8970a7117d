"""What an event must pass at the door beside its proof: it does not go round, and it matches its schema."""

import asyncio
from http import HTTPStatus

from console.domain.clock import Clock
from console.domain.event_schema import EventSchema, Flaw, SchemaMode
from console.domain.inbound import Genuine, InboundRequest, Refused
from console.domain.loops import check_loop, parse_hops
from console.domain.schema_check import flaw_of, schema_for
from console.intake.inbound import Checked
from console.store.protocol import Store

LOOK_S = 0.1
"""How often, at most, it is looked whether schemas have changed."""

ASIDE_BYTES = 32 * 1024
"""A larger payload is looked at beside the loop: that may take long, and deliveries must not notice."""


class StoreChecks:
    """The checks that a store asks for.

    Args:
        reader: of the loop's own thread; asked for microseconds.
    """

    def __init__(self, reader: Store, clock: Clock) -> None:
        self._reader, self._clock = reader, clock
        self._schemas: list[EventSchema] = []
        self._instance = ""
        self._version: int | None = None
        self._look_at_s = 0.0

    async def __call__(self, request: InboundRequest, event: Genuine) -> Checked | Refused:
        """Raises StoreError."""
        self._refresh()
        loop = check_loop(request.headers, self._instance)
        if loop is not None:
            return Refused(status=HTTPStatus.BAD_REQUEST, reason=loop.reason)
        way = parse_hops(request.headers)
        schema = schema_for(self._schemas, event.type)
        flaw = None if schema is None else await _flaw(schema, event.payload)
        if flaw is not None and schema is not None and schema.mode is SchemaMode.REJECT:
            return Refused(status=HTTPStatus.BAD_REQUEST, reason=str(flaw))
        return Checked(hops=way.hops, via=way.via, flaw=flaw)

    def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._version is not None and now_s < self._look_at_s:
            return
        version = self._reader.intake_version()
        self._look_at_s = now_s + LOOK_S
        if version != self._version:
            self._schemas, self._instance = self._reader.schemas(), self._reader.instance()
            self._version = version


async def _flaw(schema: EventSchema, payload: bytes) -> Flaw | None:
    if len(payload) > ASIDE_BYTES:
        return await asyncio.to_thread(flaw_of, schema, payload)
    return flaw_of(schema, payload)
