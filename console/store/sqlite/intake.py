"""Accept events and owe them to endpoints."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import SystemRandom

from console.domain.errors import InvalidInputError, TransformError
from console.domain.event import PAYLOAD_CAP_BYTES, Accepted, NewEvent, check_event_type
from console.domain.ids import EndpointId, EventId, check_event_id, new_event_id
from console.domain.matching import first_match
from console.domain.ordering import BLOCKED_AT_MS, Path, order_key, order_path
from console.domain.retry import first_attempt_at_ms
from console.domain.transform import Subject
from console.store.sqlite import counting, nudging, ordering
from console.store.sqlite.base import Queries
from console.store.sqlite.policies import policy_of, read_policy
from console.store.sqlite.rows import flaw_text
from console.store.sqlite.times import note_clock

_KNOWN = "SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))"
_KNOWN_FANOUT = """
SELECT e.id, count(d.id) FROM events e LEFT JOIN deliveries d ON d.event = e.seq
WHERE e.id IN (SELECT value FROM json_each(?)) GROUP BY e.seq
"""
_NEWEST = "SELECT seq, accepted_at FROM events WHERE seq = (SELECT max(seq) FROM events)"
_INSERT_EVENT = "INSERT INTO events (seq, id, type, payload, accepted_at, source) VALUES {rows}"
_INSERT_TOLD_EVENT = """
INSERT INTO events (seq, id, type, payload, accepted_at, source, hops, via, flaw) VALUES {rows}
"""
_INSERT_DELIVERY = """
INSERT INTO deliveries (event, endpoint, state, next_attempt_at, created_at, updated_at) VALUES {rows}
"""
_INSERT_IN_LINE = """
INSERT INTO deliveries (event, endpoint, state, next_attempt_at, created_at, updated_at, order_key) VALUES {rows}
"""
_ROUTING_VERSION = "SELECT value FROM meta WHERE key = 'routing'"
_ROUTES = f"""
SELECT seq, types, {policy_of("endpoints")}, filter, name FROM endpoints WHERE removed_at IS NULL ORDER BY seq
"""
_ROUTE = f"SELECT seq, {policy_of('endpoints')} FROM endpoints WHERE id = ? AND removed_at IS NULL"

_LINK_COPY = """
UPDATE events SET copy_of = (SELECT o.seq FROM events o WHERE o.id = ?) WHERE id = ? AND copy_of IS NULL
"""
_SEND_ELSEWHERE = "UPDATE deliveries SET url = ? WHERE event = (SELECT seq FROM events WHERE id = ?)"

_TYPES_REMEMBERED = 10_000

_Sieve = tuple[str, str]
"""The filter of an endpoint, and its name."""

Route = tuple[int, tuple[float, ...], Path | None, _Sieve | None]
"""An endpoint (seq) that wants a type, its schedule, where its order key is (None: it wants no order), and which of
those events it wants (None: all)."""

_InLine = tuple[int, int, int, Path, bytes]
"""A new delivery of an endpoint that wants order: event and endpoint (seq), due, where the key is, and the payload."""


class _New:
    """Rows of one call that are to be written."""

    __slots__ = ("copies", "deliveries", "events", "in_line", "moves", "told_events")

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.told_events: list[tuple[object, ...]] = []
        """Of which there is more to tell than of most."""
        self.deliveries: list[tuple[object, ...]] = []
        self.in_line: list[_InLine] = []
        self.copies: list[tuple[EventId, EventId]] = []
        self.moves: dict[int, dict[str, int]] = defaultdict(lambda: {"pending": 0})

    def add_event(self, row: tuple[object, ...], event: NewEvent) -> None:
        if event.hops or event.via is not None or event.flaw is not None:
            self.told_events.append((*row, event.hops, event.via, flaw_text(event.flaw)))
        else:
            self.events.append(row)


class IntakeQueries(Queries):
    _routing_version = -1
    _endpoint_types: list[tuple[tuple[str, ...], Route]]
    _routes: dict[str, list[Route]]
    _random = SystemRandom()

    def accept(self, events: Sequence[NewEvent], now_ms: int) -> list[Accepted]:
        for event in events:
            _check(event)
        with self.transaction():
            self._refresh_routes()
            return self._accept(events, now_ms, self._routes_of)

    def accept_for(self, event: NewEvent, endpoint: EndpointId, now_ms: int, *, url: str | None = None) -> Accepted:
        _check(event)
        with self.transaction():
            row = self._connection.row(_ROUTE, (endpoint,))
            if row is None:
                raise InvalidInputError(f"endpoint {endpoint}: is not in this store")
            # In no line, and whatever its filter: a test is to show how the endpoint answers now.
            route = (row[0], read_policy(row[1]).schedule_s, None, None)
            accepted = self._accept([event], now_ms, lambda _type: [route])[0]
            if url is not None and not accepted.duplicate:
                self._connection.run(_SEND_ELSEWHERE, (url, accepted.id))
            return accepted

    def _accept(
        self, events: Sequence[NewEvent], now_ms: int, routes_of: Callable[[str], list[Route]]
    ) -> list[Accepted]:
        given = [event.id for event in events if event.id is not None]
        known = self._known(given) if given else {}
        seq, newest_ms = self._connection.row(_NEWEST) or (0, None)
        note_clock(self._connection, newest_ms, now_ms)
        answers: list[Accepted] = []
        new = _New()
        for event in events:
            id_ = event.id or new_event_id(now_ms, self._random)
            if (wanted_by := known.get(id_)) is not None:
                answers.append(Accepted(id=id_, duplicate=True, deliveries=wanted_by))
                continue
            seq += 1
            new.add_event((seq, id_, event.type, event.payload, now_ms, event.source), event)
            owed = 0
            for endpoint, schedule_s, path, sieve in routes_of(event.type):
                if sieve is not None and not _passes(sieve, event, id_, now_ms):
                    continue
                owed += 1
                due = first_attempt_at_ms(schedule_s, now_ms)
                new.moves[endpoint]["pending"] += 1
                if path is None:
                    new.deliveries.append((seq, endpoint, "pending", due, now_ms, now_ms))
                else:
                    new.in_line.append((seq, endpoint, due, path, event.payload))
            known[id_] = owed
            if event.copy_of is not None:
                new.copies.append((event.copy_of, id_))
            answers.append(Accepted(id=id_, duplicate=False, deliveries=owed, flaw=event.flaw))
        self._keep(new, now_ms)
        return answers

    def _keep(self, new: "_New", now_ms: int) -> None:
        accepted = len(new.events) + len(new.told_events)
        if not accepted:
            return
        self._connection.run_rows(_INSERT_EVENT, new.events)
        self._connection.run_rows(_INSERT_TOLD_EVENT, new.told_events)
        self._connection.run_rows(_INSERT_DELIVERY, new.deliveries)
        if new.in_line:
            self._stand_in_line(new.in_line, now_ms)
        if new.copies:
            self._connection.run_many(_LINK_COPY, new.copies)
        counting.move(self._connection, new.moves)
        counting.count_accepted(self._connection, accepted, now_ms)
        nudging.work_changed(self._connection, new.moves)

    def _stand_in_line(self, deliveries: Sequence[_InLine], now_ms: int) -> None:
        """Keep deliveries of endpoints that want order: the first of a line is due, the others wait for it."""
        keys: list[str] = []
        last_seq, value = 0, None
        for seq, _, _, path, payload in deliveries:
            if path and seq != last_seq:
                last_seq, value = seq, ordering.decode_payload(payload)
            keys.append(order_key(value, path) if path else "")
        lines = [(endpoint, key) for (_, endpoint, _, _, _), key in zip(deliveries, keys, strict=True)]
        taken = ordering.occupied(self._connection, list(set(lines)))
        rows: list[tuple[object, ...]] = []
        for (seq, endpoint, due, _, _), line in zip(deliveries, lines, strict=True):
            rows.append((seq, endpoint, "pending", BLOCKED_AT_MS if line in taken else due, now_ms, now_ms, line[1]))
            taken.add(line)
        self._connection.run_rows(_INSERT_IN_LINE, rows)

    def _known(self, ids: list[EventId]) -> dict[EventId, int]:
        """Which of these ids are in the store, and to how many endpoints each was owed."""
        found = [row[0] for row in self._connection.rows(_KNOWN, (json.dumps(ids),))]
        if not found:
            return {}
        return {EventId(i): n for i, n in self._connection.rows(_KNOWN_FANOUT, (json.dumps(found),))}

    def _refresh_routes(self) -> None:
        """Read the endpoints again when one has changed."""
        version = self._connection.value(_ROUTING_VERSION)
        if version == self._routing_version:
            return
        self._endpoint_types = [
            (
                tuple(json.loads(types)),
                (seq, (p := read_policy(policy)).schedule_s, order_path(p), None if sieve is None else (sieve, name)),
            )
            for seq, types, policy, sieve, name in self._connection.rows(_ROUTES)
        ]
        self._routes, self._routing_version = {}, version

    def _routes_of(self, event_type: str) -> list[Route]:
        """Who wants a type, remembered until an endpoint changes."""
        routes = self._routes.get(event_type)
        if routes is None:
            routes = [route for types, route in self._endpoint_types if first_match(types, event_type)]
            if len(self._routes) >= _TYPES_REMEMBERED:
                self._routes.clear()
            self._routes[event_type] = routes
        return routes

    def _forget(self) -> None:
        # What was read in a transaction that rolled back may never have been.
        self._routing_version = -1


def _passes(sieve: _Sieve, event: NewEvent, event_id: EventId, now_ms: int) -> bool:
    """Whether an event is owed to an endpoint with a filter. One that cannot be told is: the dispatcher says why, where
    an event that was left out would be missed by nobody."""
    from console.domain.templating import wants

    subject = Subject(
        event_id=event_id,
        event_type=event.type,
        accepted_at_ms=now_ms,
        payload=event.payload,
        endpoint_name=sieve[1],
    )
    try:
        return wants(sieve[0], subject)
    except TransformError:
        return True


def _check(event: NewEvent) -> None:
    check_event_type(event.type)
    if event.id is not None:
        check_event_id(event.id)
    if len(event.payload) > PAYLOAD_CAP_BYTES:
        raise InvalidInputError(
            f"event {event.type}: a payload of {len(event.payload)} bytes; at most {PAYLOAD_CAP_BYTES} are accepted"
        )
