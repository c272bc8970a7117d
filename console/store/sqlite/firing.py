"""What fires: read with every look at the store, so apart from the rules and from what measures them."""

from console.domain.alerts import Alert, AlertKind, AlertRule, AlertRuleId, AlertSpec
from console.domain.endpoint import EndpointState
from console.domain.ids import EndpointId
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row

RULE_COLUMNS = "r.id, r.kind, p.id, p.name, r.threshold, r.window_s, r.least, r.for_s, r.muted_until"
FIRING = f"""
SELECT {RULE_COLUMNS}, e.id, e.name, e.state, s.value, s.since, s.fired_at FROM alert_states s
JOIN alert_rules r ON r.id = s.rule LEFT JOIN endpoints p ON p.seq = r.endpoint
LEFT JOIN endpoints e ON e.seq = s.endpoint
WHERE {{where}} ORDER BY s.fired_at, s.rule, s.endpoint
"""


class FiringQueries(Queries):
    def alerts(self, now_ms: int | None = None) -> list[Alert]:
        found = [alert_of(row) for row in self._connection.rows(FIRING.format(where="1"))]
        return [alert for alert in found if now_ms is None or not alert.rule.muted(now_ms)]


def rule_of(row: Row) -> AlertRule:
    id_, kind, endpoint, name, threshold, window_s, least, for_s, muted_until = row
    return AlertRule(
        id=AlertRuleId(id_),
        spec=AlertSpec(
            kind=AlertKind(kind),
            endpoint=None if endpoint is None else EndpointId(endpoint),
            threshold=threshold,
            window_s=window_s,
            least=least,
            for_s=for_s,
        ),
        endpoint_name=name,
        muted_until_ms=muted_until,
    )


def alert_of(row: Row) -> Alert:
    *rule, endpoint, name, state, value, since, fired_at = row
    return Alert(
        rule=rule_of(tuple(rule)),
        endpoint_id=None if endpoint is None else EndpointId(endpoint),
        endpoint_name=name,
        endpoint_state=None if state is None else EndpointState(state),
        value=value,
        since_ms=since,
        fired_at_ms=fired_at,
    )
