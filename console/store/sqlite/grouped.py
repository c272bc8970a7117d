"""Failures by group, and what charts show of attempts: for screens."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from console.domain.failure_group import UNTOLD_WORDS, FailureGroup, Heat, Share
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, EndpointId, FailureGroupId
from console.domain.outcome import Cause
from console.domain.rates import MINUTE
from console.store.sqlite import filtering
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.counting import ALL_ENDPOINTS
from console.store.sqlite.filtering import Conditions
from console.store.sqlite.schema import TROUBLED
from console.store.sqlite.times import Times

# Groups are found by leaps along the index, and only those that are asked for are counted, from its entries alone.
# One whose row was dropped, and which an undo has brought back, is told by its newest delivery.
_OF_GROUP = f"FROM deliveries INDEXED BY deliveries_group WHERE failure_group = g AND {TROUBLED}"
_GROUPS = f"""
WITH RECURSIVE live (g) AS (
  SELECT min(failure_group) FROM deliveries INDEXED BY deliveries_group WHERE failure_group IS NOT NULL AND {TROUBLED}
  UNION ALL
  SELECT (SELECT min(failure_group) FROM deliveries INDEXED BY deliveries_group
    WHERE failure_group > live.g AND {TROUBLED}) FROM live WHERE live.g IS NOT NULL
), newest (g, id) AS MATERIALIZED (
  SELECT g, (SELECT id {_OF_GROUP} AND {{beside}} ORDER BY id DESC LIMIT 1) FROM live WHERE g IS NOT NULL
)
SELECT g, p.id, p.name, d.last_cause, d.last_status, coalesce(f.words, ?),
  (SELECT json_array(count(*), count(*) FILTER (WHERE state = 'failed')) {_OF_GROUP} AND {{beside}}), newest.id,
  coalesce(f.first_at, d.created_at), coalesce(f.last_at, d.last_attempt_at, d.updated_at),
  (SELECT id FROM attempts WHERE id = f.example)
FROM newest CROSS JOIN deliveries d ON d.id = newest.id CROSS JOIN endpoints p ON p.seq = d.endpoint
LEFT JOIN failure_groups f ON f.id = g
WHERE {{where}}
"""
_GROUPS_BETWEEN = """
SELECT f.id, p.id, p.name, f.cause, nullif(f.status, 0), f.words, json_array(n, NULL),
  coalesce((SELECT delivery FROM attempts WHERE id = f.example), 0), f.first_at, (last_bucket + ?) * 1000,
  (SELECT id FROM attempts WHERE id = f.example)
FROM (SELECT failure_group, sum(count) AS n, max(bucket) AS last_bucket FROM group_rates
  WHERE bucket >= ? AND bucket < ? GROUP BY failure_group)
CROSS JOIN failure_groups f ON f.id = failure_group CROSS JOIN endpoints p ON p.seq = f.endpoint
WHERE {where}
"""
_SERIES = """
SELECT failure_group, bucket, count FROM group_rates
WHERE bucket >= ? AND bucket < ? AND failure_group IN (SELECT value FROM json_each(?)) ORDER BY bucket
"""
_HEAT = f"""
SELECT p.id, part, ok, failed FROM (
  SELECT endpoint, bucket - bucket % ? AS part, sum(ok) AS ok, sum(failed) AS failed FROM rates
  WHERE width = ? AND bucket >= ? AND bucket < ? AND endpoint <> {ALL_ENDPOINTS} AND ok + failed > 0
  GROUP BY endpoint, part) JOIN endpoints p ON p.seq = endpoint ORDER BY part
"""
_CAUSES = "SELECT bucket, cause, sum(count) FROM causes WHERE bucket >= ? AND bucket < ? {which} GROUP BY bucket, cause"


class GroupedQueries(Queries):
    def failure_groups(self, where: DeliveryFilter) -> list[FailureGroup]:
        # What all deliveries of a group have in common is asked once for each group, not for each delivery.
        beside = filtering.of_deliveries(
            replace(where, endpoints=(), causes=(), statuses=(), groups=(), troubled=False)
        )
        times = Times(self._connection, "deliveries", "id", "created_at")
        if where.since_ms is not None:
            beside.add("deliveries.id >= ?", times.first_since(where.since_ms))
        if where.until_ms is not None:
            beside.add("deliveries.id < ?", times.end_until(where.until_ms))
        c = _of_groups(where, group="g", cause="d.last_cause", status="d.last_status")
        rows = self._connection.rows(
            _GROUPS.format(beside=beside.where(), where=c.where()),
            (*beside.parameters, UNTOLD_WORDS, *beside.parameters, *c.parameters),
        )
        return _largest_first(rows)

    def failure_groups_between(self, where: DeliveryFilter, *, since_s: int, until_s: int) -> list[FailureGroup]:
        c = _of_groups(where, group="f.id", cause="f.cause", status="f.status")
        bounds = (MINUTE, since_s - since_s % MINUTE, until_s)
        return _largest_first(self._connection.rows(_GROUPS_BETWEEN.format(where=c.where()), (*bounds, *c.parameters)))

    def group_series(
        self, groups: Sequence[FailureGroupId], *, since_s: int, until_s: int
    ) -> dict[FailureGroupId, dict[int, int]]:
        found: dict[FailureGroupId, dict[int, int]] = defaultdict(dict)
        parameters = (since_s - since_s % MINUTE, until_s, json.dumps(list(groups)))
        for group, bucket, count in self._connection.rows(_SERIES, parameters):
            found[FailureGroupId(group)][bucket] = count
        return dict(found)

    def heat(self, *, since_s: int, until_s: int, width_s: int, part_s: int) -> Heat:
        found: dict[EndpointId, list[Share]] = defaultdict(list)
        for id_, start, ok, failed in self._connection.rows(_HEAT, (part_s, width_s, since_s, until_s)):
            found[EndpointId(id_)].append(Share(start_s=start, ok=ok, failed=failed))
        return {id_: tuple(shares) for id_, shares in found.items()}

    def cause_series(
        self, *, since_s: int, until_s: int, endpoint: EndpointId | None = None
    ) -> dict[int, dict[Cause, int]]:
        found: dict[int, dict[Cause, int]] = defaultdict(dict)
        which = "" if endpoint is None else "AND endpoint = (SELECT seq FROM endpoints WHERE id = ?)"
        parameters = (since_s - since_s % MINUTE, until_s, *((endpoint,) if endpoint is not None else ()))
        for bucket, cause, count in self._connection.rows(_CAUSES.format(which=which), parameters):
            found[bucket][Cause(cause)] = count
        return dict(found)


def _of_groups(where: DeliveryFilter, *, group: str, cause: str, status: str) -> Conditions:
    """What a filter says of whole groups. Endpoints are `p`."""
    c = Conditions()
    c.among("p.id", where.endpoints)
    c.among(cause, where.causes)
    c.within(status, where.statuses)
    c.among(group, where.groups)
    return c


def _largest_first(rows: list[Row]) -> list[FailureGroup]:
    groups = [
        FailureGroup(
            id=FailureGroupId(id_),
            endpoint_id=EndpointId(endpoint),
            endpoint_name=name,
            cause=Cause(cause),
            status=status,
            words=words,
            deliveries=count,
            failed=of_those,
            newest=DeliveryId(newest),
            first_at_ms=first_at,
            last_at_ms=last_at,
            example=None if example is None else AttemptId(example),
        )
        for id_, endpoint, name, cause, status, words, counts, newest, first_at, last_at, example in rows
        for count, of_those in (json.loads(counts),)
    ]
    return sorted(groups, key=lambda group: (-group.deliveries, group.id))
