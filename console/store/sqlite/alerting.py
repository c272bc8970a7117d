"""Alert rules, what they measure, and what fires."""

import msgspec

from console.domain.alerts import (
    FIRED_TYPE,
    MOST_RULES,
    RESOLVED_TYPE,
    Alert,
    AlertChange,
    AlertKey,
    AlertKind,
    AlertReading,
    AlertRule,
    AlertRuleId,
    AlertSpec,
    Breach,
    payload_of,
)
from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.event import NewEvent
from console.domain.operation import OperationKind
from console.domain.rates import MINUTE, SECOND
from console.store.sqlite.connection import Row
from console.store.sqlite.firing import FIRING, RULE_COLUMNS, FiringQueries, alert_of, rule_of
from console.store.sqlite.intake import IntakeQueries

_RULES = f"SELECT {RULE_COLUMNS} FROM alert_rules r LEFT JOIN endpoints p ON p.seq = r.endpoint ORDER BY r.id"
_RULE = f"SELECT {RULE_COLUMNS} FROM alert_rules r LEFT JOIN endpoints p ON p.seq = r.endpoint WHERE r.id = ?"
_ENDPOINT_SEQ = "SELECT seq FROM endpoints WHERE id = ? AND removed_at IS NULL"
_INSERT = """
INSERT INTO alert_rules (kind, endpoint, threshold, window_s, least, for_s) VALUES (?, ?, ?, ?, ?, ?) RETURNING id
"""
_EDIT = """
UPDATE alert_rules SET kind = ?, endpoint = ?, threshold = ?, window_s = ?, least = ?, for_s = ? WHERE id = ?
"""
_REMOVE = "DELETE FROM alert_rules WHERE id = ?"
_MUTE = "UPDATE alert_rules SET muted_until = ? WHERE id = ?"
_FIRE = """
INSERT INTO alert_states (rule, endpoint, value, since, fired_at) SELECT id, ?, ?, ?, ? FROM alert_rules WHERE id = ?
ON CONFLICT DO NOTHING
"""
_RESOLVE = "DELETE FROM alert_states WHERE rule = ? AND endpoint = ?"
_VALUE = "UPDATE alert_states SET value = ? WHERE rule = ? AND endpoint = ?"
_KEYS = "SELECT rule, endpoint FROM alert_states"
_LOG = """
INSERT INTO operations (kind, actor, target, reason, started_at, finished_at, done, result)
VALUES (?, 'engine', ?, NULL, ?, ?, 1, ?)
"""

# What a measure costs grows with the endpoints in trouble, not with all of them or with the history.
_STOPPED = """
SELECT seq, 0, state_since FROM endpoints WHERE state IN ('tripped', 'disabled') AND removed_at IS NULL {only}
"""
_OLDEST_DUE = """
SELECT seq, (? - due) / 1000.0, due FROM (
  SELECT p.seq, (SELECT min(next_attempt_at) FROM deliveries WHERE endpoint = p.seq AND state = 'pending') AS due
  FROM gauges g JOIN endpoints p ON p.seq = g.endpoint
  WHERE g.pending > 0 AND p.state = 'active' AND p.removed_at IS NULL {only})
WHERE due <= ?
"""
_FAILING = """
WITH RECURSIVE
  failing (seq) AS (
    SELECT endpoint FROM causes WHERE bucket >= ? GROUP BY endpoint HAVING sum(count) >= ?),
  slots (bucket) AS (VALUES (?) UNION ALL SELECT bucket + ? FROM slots WHERE bucket + ? <= ?)
SELECT seq, CAST(sum(r.failed) AS REAL) / sum(r.ok + r.failed), NULL
FROM failing JOIN endpoints p USING (seq) CROSS JOIN slots
JOIN rates r ON r.width = ? AND r.bucket = slots.bucket AND r.endpoint = seq
WHERE p.removed_at IS NULL {only}
GROUP BY seq HAVING sum(r.ok + r.failed) >= ? AND sum(r.failed) >= ? * sum(r.ok + r.failed)
"""
_SECONDS_UP_TO_S = 120


class AlertingQueries(FiringQueries, IntakeQueries):
    def alert_rules(self) -> list[AlertRule]:
        return [rule_of(row) for row in self._connection.rows(_RULES)]

    def alert_rule(self, rule_id: AlertRuleId) -> AlertRule:
        row = self._connection.row(_RULE, (rule_id,))
        if row is None:
            raise UnknownReferenceError(f"no alert rule {rule_id}: see `webhook-console alerts list`")
        return rule_of(row)

    def add_alert_rule(self, spec: AlertSpec) -> AlertRule:
        spec.check()
        with self.transaction():
            if self._connection.value("SELECT count(*) FROM alert_rules") >= MOST_RULES:
                raise InvalidInputError(f"alert rules: there are {MOST_RULES} already; remove one first")
            return self.alert_rule(AlertRuleId(self._connection.value(_INSERT, self._columns(spec))))

    def edit_alert_rule(self, rule_id: AlertRuleId, spec: AlertSpec) -> AlertRule:
        spec.check()
        with self.transaction():
            self._connection.run(_EDIT, (*self._columns(spec), rule_id))
            return self.alert_rule(rule_id)

    def remove_alert_rule(self, rule_id: AlertRuleId, now_ms: int) -> AlertRule:
        with self.transaction():
            rule = self.alert_rule(rule_id)
            for _, endpoint in [key for key in self._keys() if key[0] == rule_id]:
                self._resolve((rule_id, endpoint), now_ms)
            self._connection.run(_REMOVE, (rule_id,))
            return rule

    def mute_alert_rule(self, rule_id: AlertRuleId, until_ms: int | None) -> AlertRule:
        with self.transaction():
            self._connection.run(_MUTE, (until_ms, rule_id))
            return self.alert_rule(rule_id)

    def measure_alerts(self, now_ms: int) -> AlertReading:
        rules = {rule.id: rule for rule in self.alert_rules()}
        breaches: dict[AlertKey, Breach] = {}
        for rule in rules.values():
            for seq, value, since in self._measure(rule.spec, now_ms):
                breaches[rule.id, seq] = Breach(value=value, since_ms=since)
        return AlertReading(rules=rules, breaches=breaches, firing=frozenset(self._keys()))

    def record_alerts(self, changes: list[AlertChange], now_ms: int) -> list[Alert]:
        with self.transaction():
            made: list[Alert] = []
            for change in changes:
                if change.breach is None:
                    alert = self._resolve(change.key, now_ms)
                else:
                    alert = self._fire(change.key, change.breach, change.since_ms, now_ms)
                if alert is not None:
                    made.append(alert)
            return made

    def refresh_alerts(self, values: dict[AlertKey, float]) -> None:
        with self.transaction():
            self._connection.run_many(_VALUE, [(value, *key) for key, value in values.items()])

    def _measure(self, spec: AlertSpec, now_ms: int) -> list[Row]:
        only = ""
        which: tuple[object, ...] = ()
        if spec.endpoint is not None:
            only, which = "AND seq = (SELECT seq FROM endpoints WHERE id = ?)", (spec.endpoint,)
        match spec.kind:
            case AlertKind.TRIPPED:
                return self._connection.rows(_STOPPED.format(only=only), which)
            case AlertKind.BACKLOG_AGE:
                latest = now_ms - round(spec.threshold * 1000)
                only = only.replace("AND seq", "AND p.seq")
                return self._connection.rows(_OLDEST_DUE.format(only=only), (now_ms, *which, latest))
            case AlertKind.ERROR_RATE:
                return self._failing(spec, only, which, now_ms // 1000)
            case AlertKind.ENGINE_STALLED:
                return []  # an engine that looks is not stalled; it knows itself for how long there was none

    def _failing(self, spec: AlertSpec, only: str, which: tuple[object, ...], now_s: int) -> list[Row]:
        width = SECOND if spec.window_s <= _SECONDS_UP_TO_S else MINUTE
        since_s = now_s - round(spec.window_s)
        first, last = since_s - since_s % width + (width == SECOND), now_s - now_s % width
        failures = max(1, int(spec.threshold * spec.least))
        parameters = (since_s - since_s % MINUTE, failures, first, width, width, last, width, *which)
        return self._connection.rows(_FAILING.format(only=only), (*parameters, spec.least, spec.threshold))

    def _keys(self) -> list[AlertKey]:
        return [(AlertRuleId(rule), endpoint) for rule, endpoint in self._connection.rows(_KEYS)]

    def _fire(self, key: AlertKey, breach: Breach, since_ms: int, now_ms: int) -> Alert | None:
        rule, endpoint = key
        if not self._connection.run(_FIRE, (endpoint, breach.value, since_ms, now_ms, rule)):
            return None
        alert = self._firing(key)
        self._say(OperationKind.ALERT_FIRED, alert, now_ms, None)
        return alert

    def _resolve(self, key: AlertKey, now_ms: int) -> Alert | None:
        if not (rows := self._connection.rows(FIRING.format(where="s.rule = ? AND s.endpoint = ?"), key)):
            return None
        self._connection.run(_RESOLVE, key)
        alert = alert_of(rows[0])
        self._say(OperationKind.ALERT_RESOLVED, alert, now_ms, now_ms)
        return alert

    def _firing(self, key: AlertKey) -> Alert:
        row = self._connection.row(FIRING.format(where="s.rule = ? AND s.endpoint = ?"), key)
        assert row is not None
        return alert_of(row)

    def _say(self, kind: OperationKind, alert: Alert, now_ms: int, resolved_at_ms: int | None) -> None:
        """The operational event, and the row in the audit log."""
        payload = msgspec.json.encode(payload_of(alert, resolved_at_ms=resolved_at_ms))
        type_ = FIRED_TYPE if resolved_at_ms is None else RESOLVED_TYPE
        self.accept([NewEvent(type=type_, payload=payload, source="engine")], now_ms)
        self._connection.run(_LOG, (kind, alert.endpoint_name or "engine", now_ms, now_ms, alert.words))

    def _columns(self, spec: AlertSpec) -> tuple[object, ...]:
        seq = None
        if spec.endpoint is not None:
            seq = self._connection.value(_ENDPOINT_SEQ, (spec.endpoint,))
            if seq is None:
                raise UnknownReferenceError(f"no endpoint {spec.endpoint}: it may have been removed")
        return spec.kind.value, seq, spec.threshold, spec.window_s, spec.least, spec.for_s
