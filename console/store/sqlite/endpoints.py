"""Endpoints."""

from functools import partial

from console.domain.endpoint import Endpoint, EndpointSpec, EndpointState
from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.handshake import WAITS
from console.domain.ids import EndpointId
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy, check_policy
from console.domain.sealing import DEFAULTS as DEFAULTS_OWNER
from console.domain.secret_parts import OwnedChange, change_secrets
from console.domain.signing import active_secrets
from console.domain.status import Gauge
from console.store.sqlite import counting, nudging, ordering
from console.store.sqlite.base import Queries
from console.store.sqlite.checkpointing import checkpoint
from console.store.sqlite.policies import (
    DEFAULTS,
    parts_text,
    read_parts,
    read_policy,
    with_secrets,
    without_secrets,
)
from console.store.sqlite.references import Named
from console.store.sqlite.rows import (
    ENDPOINT_COLUMNS,
    GAUGE_COLUMNS,
    endpoint_of,
    gauge_of,
    pace_text,
    secrets_of,
    secrets_text,
    texts_text,
    transform_text,
)

WAITS_NO_MORE = f"""
state_reason = CASE WHEN state = 'active' AND substr(state_reason, 1, {len(WAITS)}) = '{WAITS}' THEN NULL
  ELSE state_reason END
"""
"""What an endpoint is set to that does not wait for its receiver's permission, or is about to be asked anew."""

_ALL = f"SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE removed_at IS NULL ORDER BY name"
_BY_ID = f"SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE id = ? AND removed_at IS NULL"
_NAMED = Named("endpoints", ENDPOINT_COLUMNS, there="removed_at IS NULL", noun="endpoint")
_NAME_TAKEN = "SELECT id FROM endpoints WHERE name = ? AND removed_at IS NULL AND id <> ?"
_INSERT = """
INSERT INTO endpoints (id, name, url, types, secrets, filter, transform, dry_run, policy, state, state_since,
  created_at, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?, 1)
"""
_EDIT = f"""
UPDATE endpoints SET name = ?, url = ?, types = ?, secrets = ?, filter = ?, transform = ?, dry_run = ?, policy = ?,
  version = version + 1, {WAITS_NO_MORE}
WHERE id = ? AND removed_at IS NULL
"""
_FORGET_PERMISSION = "UPDATE endpoints SET permitted_url = NULL, permitted_per_minute = NULL WHERE id = ?"
_SET_STATE = """
UPDATE endpoints SET state = ?, state_reason = ?, state_since = ?, resume_at = ?, resume_pace = ?, probe_at = NULL,
  trips = 0, version = version + 1
WHERE id = ? AND removed_at IS NULL
"""
_RESUMING = f"""
SELECT {ENDPOINT_COLUMNS} FROM endpoints INDEXED BY endpoints_resuming
WHERE resume_at IS NOT NULL AND resume_at <= ? AND state = 'paused' AND removed_at IS NULL ORDER BY resume_at
"""
_SET_PACE = "UPDATE endpoints SET pace = ?, version = version + 1 WHERE id = ? AND removed_at IS NULL"
_REMOVE = """
UPDATE endpoints SET removed_at = ?, secrets = '[]', policy = ?, version = version + 1
WHERE id = ? AND removed_at IS NULL
"""
_CANCEL_PENDING = """
UPDATE deliveries SET state = 'cancelled', next_attempt_at = NULL, updated_at = ?
WHERE endpoint = ? AND state = 'pending'
"""
_REROUTE = "UPDATE meta SET value = value + 1 WHERE key = 'routing'"
_GAUGES = f"""
SELECT p.id, {", ".join("g." + c for c in GAUGE_COLUMNS.split(", "))}
FROM endpoints p LEFT JOIN gauges g ON g.endpoint = p.seq WHERE p.removed_at IS NULL
"""


_DEFAULTS = f"SELECT {DEFAULTS}"
_OWN = "SELECT policy FROM endpoints WHERE id = ?"
_KEPT_DEFAULTS = "SELECT value FROM settings WHERE key = 'policy'"
_KEPT_SECRETS = "SELECT seq, id, secrets, policy FROM endpoints WHERE removed_at IS NULL"
_SET_SECRETS = "UPDATE endpoints SET secrets = ?, policy = ?, version = version + 1 WHERE seq = ?"
_SET_DEFAULTS = """
INSERT INTO settings (key, value, updated_at) VALUES ('policy', ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""
_DROP_ENDED = "UPDATE endpoints SET secrets = ? WHERE id = ?"
_NEW_VERSIONS = f"""
UPDATE endpoints SET version = version + 1, {WAITS_NO_MORE} WHERE removed_at IS NULL RETURNING seq
"""


class EndpointQueries(Queries):
    def add_endpoint(self, endpoint_id: EndpointId, spec: EndpointSpec, now_ms: int) -> Endpoint:
        spec.check()
        with self.transaction():
            self._refuse_taken(spec.name, endpoint_id)
            self._connection.run(
                _INSERT, (endpoint_id, *_columns(spec, now_ms), self._own_policy(spec), now_ms, now_ms)
            )
            self._connection.run(_REROUTE)
            endpoint = self._endpoint(endpoint_id)
            nudging.settings_changed(self._connection, endpoint.seq)
            return endpoint

    def edit_endpoint(self, endpoint_id: EndpointId, spec: EndpointSpec, now_ms: int) -> Endpoint:
        spec.check()
        with self._erasing():
            self._refuse_taken(spec.name, endpoint_id)
            orders = ordering.paths(self._connection, endpoint_id)
            self._connection.run(_EDIT, (*_columns(spec, now_ms), self._own_policy(spec, endpoint_id), endpoint_id))
            if not spec.policy.handshake:
                # Who turns it off and on again wants its receiver to be asked again.
                self._connection.run(_FORGET_PERMISSION, (endpoint_id,))
            self._connection.run(_REROUTE)
            ordering.reorder(self._connection, orders, now_ms)
            endpoint = self._endpoint(endpoint_id)
            nudging.settings_changed(self._connection, endpoint.seq)
            return endpoint

    def set_endpoint_state(
        self,
        endpoint_id: EndpointId,
        state: EndpointState,
        reason: str | None,
        now_ms: int,
        *,
        resume_at_ms: int | None = None,
        resume_pace: Pace | None = None,
    ) -> Endpoint:
        with self._erasing():
            resuming = (resume_at_ms, pace_text(resume_pace)) if state is EndpointState.PAUSED else (None, None)
            self._connection.run(_SET_STATE, (state, reason, now_ms, *resuming, endpoint_id))
            endpoint = self._without_ended(self._endpoint(endpoint_id), now_ms)
            nudging.settings_changed(self._connection, endpoint.seq)
            return endpoint

    def resuming(self, now_ms: int) -> list[Endpoint]:
        return [endpoint_of(row) for row in self._connection.rows(_RESUMING, (now_ms,))]

    def set_pace(self, endpoint_id: EndpointId, pace: Pace | None) -> Endpoint:
        with self.transaction():
            self._connection.run(_SET_PACE, (pace_text(pace), endpoint_id))
            endpoint = self._endpoint(endpoint_id)
            nudging.settings_changed(self._connection, endpoint.seq)
            return endpoint

    def remove_endpoint(self, endpoint_id: EndpointId, now_ms: int) -> int:
        with self._erasing():
            endpoint = self._endpoint(endpoint_id)
            # Its history needs the policy, and nothing needs its secrets any more.
            policy = without_secrets(self._connection.value(_OWN, (endpoint_id,)))
            self._connection.run(_REMOVE, (now_ms, policy, endpoint_id))
            self._connection.run(_REROUTE)
            cancelled = self._connection.run(_CANCEL_PENDING, (now_ms, endpoint.seq))
            counting.move(self._connection, {endpoint.seq: {"pending": -cancelled, "cancelled": cancelled}})
            nudging.settings_changed(self._connection, endpoint.seq)
            return cancelled

    def policy_defaults(self) -> DeliveryPolicy:
        return read_policy(self._connection.value(_DEFAULTS))

    def set_policy_defaults(self, policy: DeliveryPolicy, now_ms: int) -> None:
        check_policy(policy)
        with self._erasing():
            orders = ordering.paths(self._connection)
            self._connection.run(_SET_DEFAULTS, (parts_text(policy, {}, {}), now_ms))
            self._connection.run(_REROUTE)
            ordering.reorder(self._connection, orders, now_ms)
            for (seq,) in self._connection.rows(_NEW_VERSIONS):
                nudging.settings_changed(self._connection, seq)

    def rewrite_secrets(self, change: OwnedChange, now_ms: int) -> None:
        # Who reads endpoints need not load what there is to say of sources.
        from console.store.sqlite.sources import rewrite_source_secrets

        with self._erasing():
            if (defaults := self._connection.value(_KEPT_DEFAULTS)) is not None:
                text = with_secrets(defaults, partial(change, DEFAULTS_OWNER))
                self._connection.run(_SET_DEFAULTS, (text, now_ms))
            for seq, id_, secrets, policy in self._connection.rows(_KEPT_SECRETS):
                changed = change_secrets(active_secrets(secrets_of(secrets), now_ms), partial(change, id_))
                self._connection.run(
                    _SET_SECRETS, (secrets_text(changed), with_secrets(policy, partial(change, id_)), seq)
                )
                nudging.settings_changed(self._connection, seq)
            rewrite_source_secrets(self._connection, change, now_ms)

    def empty_log(self) -> bool:
        return not checkpoint(self._connection, "TRUNCATE")[0]

    def _without_ended(self, endpoint: Endpoint, now_ms: int) -> Endpoint:
        """The endpoint, once the secrets that have ended are no longer kept."""
        kept = endpoint.active_secrets(now_ms)
        if kept == endpoint.secrets:
            return endpoint
        self._connection.run(_DROP_ENDED, (secrets_text(kept), endpoint.id))
        return self._endpoint(endpoint.id)

    def _own_policy(self, spec: EndpointSpec, endpoint_id: EndpointId | None = None) -> str:
        defaults = read_parts(self._connection.value(_DEFAULTS))
        before = self._connection.value(_OWN, (endpoint_id,)) if endpoint_id else None
        return parts_text(spec.policy, defaults, read_parts(before) if before else {})

    def endpoints(self) -> list[Endpoint]:
        return [endpoint_of(row) for row in self._connection.rows(_ALL)]

    def find_endpoint(self, reference: str) -> Endpoint:
        return endpoint_of(_NAMED.find(self._connection, reference))

    def gauges(self) -> dict[EndpointId, Gauge]:
        return {
            EndpointId(id_): gauge_of(tuple(counts)) if counts[0] is not None else Gauge()
            for id_, *counts in self._connection.rows(_GAUGES)
        }

    def _endpoint(self, endpoint_id: EndpointId) -> Endpoint:
        row = self._connection.row(_BY_ID, (endpoint_id,))
        if row is None:
            raise UnknownReferenceError(f"no endpoint {endpoint_id}: it may have been removed")
        return endpoint_of(row)

    def _refuse_taken(self, name: str, endpoint_id: EndpointId) -> None:
        if (taken_by := self._connection.value(_NAME_TAKEN, (name, endpoint_id))) is not None:
            raise InvalidInputError(f"name {name!r}: is taken by {taken_by}; choose another with --name")


def _columns(spec: EndpointSpec, now_ms: int) -> tuple[str | int | None, ...]:
    """All that is said of it but the policy. Secrets that have ended are not kept."""
    secrets = secrets_text(active_secrets(spec.secrets, now_ms))
    reshaping = spec.filter, transform_text(spec.transform), int(spec.dry_run)
    return spec.name, spec.url, texts_text(spec.types), secrets, *reshaping
