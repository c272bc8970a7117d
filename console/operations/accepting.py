"""Take events in: each is held against its schema first, wherever it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from console.domain.event import Accepted, NewEvent
from console.domain.event_schema import EventSchema, Flaw, SchemaMode
from console.store.protocol import Store

_TYPES_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An event that is not taken: it does not match its schema."""

    flaw: Flaw

    def __str__(self) -> str:
        return str(self.flaw)


class SchemaBook:
    """The schemas of a store, at hand for who takes in many events. Not for several threads at once."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._schemas: list[EventSchema] = []
        self._by_type: dict[str, EventSchema | None] = {}

    def refresh(self, store: Store) -> "SchemaBook":
        """Read them again when one has changed. Microseconds when none has. Raises StoreError."""
        version = store.intake_version()
        if version != self._version:
            self._schemas, self._version = store.schemas(), version
            self._by_type = {}
        return self

    @property
    def empty(self) -> bool:
        """Nothing is asked of any event."""
        return not self._schemas

    def schema_of(self, event_type: str) -> EventSchema | None:
        """The one that counts for a type."""
        try:
            return self._by_type[event_type]
        except KeyError:
            pass
        if len(self._by_type) >= _TYPES_REMEMBERED:
            self._by_type.clear()
        from console.domain.schema_check import schema_for  # only a store with schemas needs it

        found = self._by_type[event_type] = schema_for(self._schemas, event_type)
        return found

    def check(self, event: NewEvent) -> NewEvent | Refusal:
        """The event, with its flaw when it is taken all the same; or why it is not."""
        return held_against(self.schema_of(event.type), event)

    def mark(self, event: NewEvent) -> NewEvent:
        """The event with its flaw, and never refused: for what an operator, or an earlier check, has let in."""
        flaw = _flaw_of(self.schema_of(event.type), event)
        return event if flaw is None else replace(event, flaw=flaw)


def held_against(schema: EventSchema | None, event: NewEvent) -> NewEvent | Refusal:
    """The event as its schema lets it in; None: nothing is asked of it."""
    flaw = _flaw_of(schema, event)
    if flaw is None or schema is None:
        return event
    return Refusal(flaw=flaw) if schema.mode is SchemaMode.REJECT else replace(event, flaw=flaw)


def _flaw_of(schema: EventSchema | None, event: NewEvent) -> Flaw | None:
    if schema is None:
        return None
    from console.domain.schema_check import flaw_of

    return flaw_of(schema, event.payload)


def accept(store: Store, events: Sequence[NewEvent], now_ms: int, book: SchemaBook) -> list[Accepted | Refusal]:
    """Keep each event that its schema lets in, all of those or none. Answers in order; what is answered is on disk.

    Raises:
        StoreError: nothing was kept.
    """
    if book.refresh(store).empty:
        return list(store.accept(events, now_ms))
    checked = [book.check(event) for event in events]
    good = [one for one in checked if isinstance(one, NewEvent)]
    answers = iter(store.accept(good, now_ms) if good else ())
    return [one if isinstance(one, Refusal) else next(answers) for one in checked]
