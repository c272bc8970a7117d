"""Lines of deliveries that are sent in order. What a line is: `console.domain.ordering`.

A delivery in a line has an order key; a blocked one is pending and due at BLOCKED_AT_MS. Whoever changes the state of
deliveries in other ways than `claim` says so here, in the same transaction: `promote` when they left their lines,
`place` when they came (back) into one. For each line then holds: at most one pending delivery is not blocked, it is the
head, and it is so exactly when nothing of the line is being sent.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from console.domain.ids import EndpointId
from console.domain.ordering import BLOCKED_AT_MS, Path, order_key, order_path
from console.domain.retry import STANDARD_SCHEDULE_S
from console.store.sqlite.connection import Connection
from console.store.sqlite.policies import policy_of, read_policy

OUTSIDE_SOURCES = "('test', 'resend')"
"""The `source` of events that stand in no line: they were sent to one endpoint alone."""

_OPEN = "order_key IS NOT NULL AND state IN ('pending', 'sending', 'failed')"
"""The condition of the index on lines; queries must repeat it to the letter."""

_NOBODY = 2**63 - 1


def _first(state: str, line: str) -> str:
    return f"""coalesce((SELECT min(o.id) FROM deliveries o WHERE o.endpoint = {line}.endpoint
      AND o.order_key = {line}.order_key AND o.state = '{state}'
      AND o.order_key IS NOT NULL AND o.state IN ('pending', 'sending', 'failed')), {_NOBODY})"""


def _head(line: str) -> str:
    """The oldest open delivery of a row's line."""
    return f"min({', '.join(_first(state, line) for state in ('pending', 'sending', 'failed'))})"


def _nobody_sending(line: str) -> str:
    return f"{_first('sending', line)} = {_NOBODY}"


_LINES = """
SELECT DISTINCT endpoint, order_key FROM deliveries
WHERE id IN (SELECT value FROM json_each(?1)) AND order_key IS NOT NULL
"""
# The first wait of the schedule is kept, counted from acceptance; a wait after a try is over when its turn comes.
_TURN = f"""
iif(attempts = 0 AND NOT manual, max(?2, created_at + (
  SELECT CAST(round(1000 * coalesce(json_extract({policy_of("p")}, '$.schedule_s[0]'), {STANDARD_SCHEDULE_S[0]}))
    AS INTEGER) FROM endpoints p WHERE p.seq = deliveries.endpoint)), ?2)
"""
_PROMOTE = f"""
UPDATE deliveries SET next_attempt_at = {_TURN}
WHERE state = 'pending' AND next_attempt_at = {BLOCKED_AT_MS} AND id IN (
  SELECT {_head("line")} FROM ({_LINES}) AS line WHERE {_nobody_sending("line")})
"""
_BLOCK = f"""
UPDATE deliveries SET next_attempt_at = {BLOCKED_AT_MS}
WHERE state = 'pending' AND order_key IS NOT NULL AND next_attempt_at < {BLOCKED_AT_MS}
  AND id IN (
    SELECT value FROM json_each(?1)
    UNION ALL SELECT (
      SELECT min(o.id) FROM deliveries o WHERE o.endpoint = line.endpoint AND o.order_key = line.order_key
        AND o.state = 'pending' AND o.order_key IS NOT NULL AND o.state IN ('pending', 'sending', 'failed')
        AND o.id NOT IN (SELECT value FROM json_each(?1)))
    FROM ({_LINES}) AS line)
  AND NOT (id = {_head("deliveries")} AND {_nobody_sending("deliveries")})
"""

_POLICIES = f"""
SELECT p.seq, {policy_of("p")} FROM endpoints p
WHERE p.seq IN (SELECT endpoint FROM deliveries WHERE id IN (SELECT value FROM json_each(?)))
"""
# What was delivered once, or is a test, stands in no line.
_OUTSIDE = f"""
(EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = d.id AND a.ended_at IS NOT NULL AND a.cause IS NULL)
  OR (SELECT source FROM events e WHERE e.seq = d.event) IN {OUTSIDE_SOURCES})
"""
_TO_KEY = f"""
SELECT id FROM deliveries d WHERE id IN (SELECT value FROM json_each(?1)) AND endpoint = ?2 AND NOT {_OUTSIDE}
  AND state IN ('pending', 'sending', 'failed') ORDER BY id
"""
_PAYLOADS = """
SELECT d.id, d.order_key, e.payload FROM json_each(?) JOIN deliveries d ON d.id = value JOIN events e ON e.seq = d.event
"""
_PAYLOADS_AT_ONCE = 64
_SET_KEY = "UPDATE deliveries SET order_key = ? WHERE id = ?"
_SET_ONE_KEY = """
UPDATE deliveries SET order_key = '' WHERE id IN (SELECT value FROM json_each(?)) AND order_key IS NOT ''
"""
_RELEASE = f"""
UPDATE deliveries SET order_key = NULL, next_attempt_at = iif(next_attempt_at = {BLOCKED_AT_MS}, ?2, next_attempt_at)
WHERE id IN (SELECT value FROM json_each(?1)) AND id NOT IN (SELECT value FROM json_each(?3))
  AND state IN ('pending', 'sending', 'failed') AND (order_key IS NOT NULL OR next_attempt_at = {BLOCKED_AT_MS})
"""

_ORDERABLE = """
SELECT json_group_array(id) FROM (
  SELECT id FROM deliveries INDEXED BY deliveries_due WHERE endpoint = ?1 AND state = 'pending'
  UNION SELECT id FROM deliveries INDEXED BY deliveries_sending WHERE state = 'sending' AND endpoint = ?1
  UNION SELECT id FROM deliveries INDEXED BY deliveries_ordered WHERE endpoint = ?1
    AND order_key IS NOT NULL AND state IN ('pending', 'sending', 'failed') AND state = 'failed')
"""
_HEADS_OF_ALL = f"SELECT min(id) FROM deliveries WHERE endpoint = ?1 AND {_OPEN} GROUP BY order_key"
_KEYS_SENDING = f"SELECT order_key FROM deliveries WHERE endpoint = ?1 AND state = 'sending' AND {_OPEN}"
_BLOCK_ALL = f"""
UPDATE deliveries SET next_attempt_at = {BLOCKED_AT_MS}
WHERE endpoint = ?1 AND state = 'pending' AND order_key IS NOT NULL AND next_attempt_at < {BLOCKED_AT_MS}
  AND (id NOT IN ({_HEADS_OF_ALL}) OR order_key IN ({_KEYS_SENDING}))
"""
_PROMOTE_ALL = f"""
UPDATE deliveries SET next_attempt_at = {_TURN}
WHERE state = 'pending' AND next_attempt_at = {BLOCKED_AT_MS} AND id IN ({_HEADS_OF_ALL})
  AND order_key NOT IN ({_KEYS_SENDING})
"""
_ANY_SENDING = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 'sending' AND endpoint = ?)"
_REMEMBER = """
INSERT INTO meta (key, value) SELECT 'reordered', coalesce(max(id), 0) FROM attempts WHERE 1
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
_REORDERED = "SELECT value FROM meta WHERE key = 'reordered'"
_PATHS = f"SELECT seq, {policy_of('endpoints')} FROM endpoints WHERE removed_at IS NULL"
_PATH = f"{_PATHS} AND id = ?"
_PATHS_AFTER = f"{_PATHS} AND seq IN (SELECT value FROM json_each(?))"

_OCCUPIED = """
SELECT given.key FROM json_each(?) given WHERE EXISTS (
  SELECT 1 FROM deliveries WHERE endpoint = given.value ->> 0 AND order_key = given.value ->> 1
    AND order_key IS NOT NULL AND state IN ('pending', 'sending', 'failed'))
"""

_decode = msgspec.json.Decoder().decode

Line = tuple[int, str]
"""An endpoint (seq) and an order key."""


def promote(connection: Connection, delivery_ids: Iterable[int], now_ms: int) -> None:
    """These deliveries have left their lines (delivered, cancelled, skipped): who waited behind each is due now.

    Those that stand in no line cost one look at their rows. Call it before a row is deleted that stood in a line.
    """
    connection.run(_PROMOTE, (json.dumps(list(delivery_ids)), now_ms))


def arrange(connection: Connection, delivery_ids: Iterable[int], now_ms: int) -> None:
    """These deliveries changed in any way: in each one's line the head is due, and the others are blocked."""
    ids = json.dumps(list(delivery_ids))
    connection.run(_BLOCK, (ids,))
    connection.run(_PROMOTE, (ids, now_ms))


def place(connection: Connection, delivery_ids: Iterable[int], now_ms: int) -> None:
    """These deliveries were put back to what they were, or made due, by an operator's retry or undo.

    Those of an endpoint that wants order take their place in its lines by age: a head is due as it says, others are
    blocked. One that was delivered before, a test, and one of an endpoint that wants no order stand in no line.
    """
    ids = list(delivery_ids)
    text = json.dumps(ids)
    kept: list[int] = []
    for endpoint, policy in connection.rows(_POLICIES, (text,)):
        path = order_path(read_policy(policy))
        if path is not None:
            kept += _give_keys(connection, text, endpoint, path)
    connection.run(_RELEASE, (text, now_ms, json.dumps(kept)))
    arrange(connection, ids, now_ms)


def paths(connection: Connection, endpoint_id: EndpointId | None = None) -> dict[int, Path | None]:
    """Where the order key is in the payloads of one endpoint, or of each: what `reorder` compares with."""
    rows = connection.rows(_PATHS) if endpoint_id is None else connection.rows(_PATH, (endpoint_id,))
    return {seq: order_path(read_policy(policy)) for seq, policy in rows}


def reorder(connection: Connection, before: Mapping[int, Path | None], now_ms: int) -> None:
    """Policies were changed: what endpoints are owed is put in order, into other lines, or let go.

    What failed before order was wanted stays outside: it would block the endpoint from the start.
    """
    for endpoint, policy in connection.rows(_PATHS_AFTER, (json.dumps(list(before)),)):
        path = order_path(read_policy(policy))
        if path != before[endpoint]:
            _reorder(connection, endpoint, path, now_ms)


def _reorder(connection: Connection, endpoint: int, path: Path | None, now_ms: int) -> None:
    ids = connection.value(_ORDERABLE, (endpoint,))
    kept = [] if path is None else _give_keys(connection, ids, endpoint, path)
    connection.run(_RELEASE, (ids, now_ms, json.dumps(kept)))
    connection.run(_BLOCK_ALL, (endpoint,))
    connection.run(_PROMOTE_ALL, (endpoint, now_ms))
    if connection.value(_ANY_SENDING, (endpoint,)):
        connection.run(_REMEMBER)


def reordered_until(connection: Connection) -> int:
    """The newest attempt made before an endpoint was last put in another order: its claim may not know its line."""
    value = connection.value(_REORDERED)
    return value if isinstance(value, int) else 0


def occupied(connection: Connection, lines: Sequence[Line]) -> set[Line]:
    """Which of these lines have an open delivery."""
    return {lines[index] for (index,) in connection.rows(_OCCUPIED, (json.dumps(lines),))} if lines else set()


def decode_payload(payload: bytes) -> Any:
    """The value of a payload; None when it is no JSON, or too deep."""
    try:
        return _decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return None


def _give_keys(connection: Connection, ids: str, endpoint: int, path: Path) -> list[int]:
    """Give those of the deliveries that belong into lines of this endpoint their keys. Returns them."""
    found: list[int] = [id_ for (id_,) in connection.rows(_TO_KEY, (ids, endpoint))]
    if not path:
        connection.run(_SET_ONE_KEY, (json.dumps(found),))
        return found
    for start in range(0, len(found), _PAYLOADS_AT_ONCE):
        # Few at a time: a payload may be a megabyte.
        some = json.dumps(found[start : start + _PAYLOADS_AT_ONCE])
        keys = [(order_key(decode_payload(p), path), k, i) for i, k, p in connection.rows(_PAYLOADS, (some,))]
        connection.run_many(_SET_KEY, [(key, id_) for key, known, id_ in keys if key != known])
    return found
