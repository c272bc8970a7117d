"""How everything stands, in sentences."""

from dataclasses import replace

from console.domain.alerts import Alert, AlertKind, AlertRule, AlertRuleId, AlertSpec
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.inbound import Fate
from console.domain.narration import Overview, ago, how_it_stands, what_changed
from console.domain.outcome import Cause
from console.domain.policy import DeliveryPolicy
from console.domain.rates import SLOTS, WINDOWS, Bucket
from console.domain.status import EngineStatus, Gauge

NOW_MS = 1_000_000_000
CRM = EndpointId("ep_crm")
RATES = "20 delivered, 5 failed, 20.0 percent, half within 4 milliseconds, 95 percent within 5"
NOTHING = "0 deliveries pending, 0 failed for good."


def endpoint(name: str, state: EndpointState = EndpointState.ACTIVE, reason: str | None = None) -> Endpoint:
    return Endpoint(
        seq=1, id=EndpointId(f"ep_{name}"), name=name, url="https://example.com", types=("*",), secrets=(),
        policy=DeliveryPolicy(), own=frozenset(), state=state, state_reason=reason, state_since_ms=0, created_at_ms=0,
        version=1,
    )  # fmt: skip


def bucket(ok: int, failed: int) -> Bucket:
    return Bucket(start_s=0, accepted=0, ok=ok, failed=failed, histogram=(0, 0, 0, ok, *(0,) * (SLOTS - 4)))


NOW = Overview(
    now_ms=NOW_MS,
    window=WINDOWS[1],
    engine=EngineStatus(
        epoch=1, pid=42, host="h", version="1", started_at_ms=NOW_MS - 7_200_000, heartbeat_at_ms=NOW_MS,
        stopped_at_ms=None, stop_requested=False, in_flight=0,
    ),
    endpoints=(endpoint("crm"), endpoint("slack", EndpointState.PAUSED, "maintenance")),
    gauges={CRM: Gauge(pending=1, failed=2)},
    rates={CRM: bucket(20, 5)},
    total=bucket(20, 5),
    causes={CRM: {Cause.DNS: 1, Cause.HTTP_5XX: 4}},
    alerts=(),
)  # fmt: skip


def test_those_in_trouble_come_first_and_every_sentence_stands_for_itself() -> None:
    assert how_it_stands(NOW) == [
        "The engine runs, process 42, started 2 hours ago.",
        f"All endpoints, in the last 5 minutes: {RATES}; 1 delivery pending.",
        "No alert fires.",
        "2 endpoints:",
        f"slack: paused, because maintenance. In the last 5 minutes: nothing was sent. {NOTHING}",
        f"crm: active. In the last 5 minutes: {RATES} (http_5xx 4, dns 1). 1 delivery pending, 2 failed for good.",
    ]


def test_nothing_is_said_when_nothing_changed() -> None:
    assert what_changed(NOW, replace(NOW, now_ms=NOW_MS + 500)) == []


def test_changes_are_said_once() -> None:
    failed = Gauge(
        pending=1, failed=4, last_failure_at_ms=NOW_MS, last_failure_cause=Cause.GONE, last_failure_detail="HTTP 410"
    )
    rule = AlertRule(id=AlertRuleId(1), spec=AlertSpec(kind=AlertKind.TRIPPED), endpoint_name=None, muted_until_ms=None)
    alert = Alert(
        rule=rule, endpoint_id=CRM, endpoint_name="crm", endpoint_state=EndpointState.DISABLED, value=0, since_ms=0,
        fired_at_ms=0,
    )  # fmt: skip
    later = replace(
        NOW,
        engine=None,
        endpoints=(endpoint("crm", EndpointState.DISABLED, "410 Gone"), endpoint("mail")),
        gauges={CRM: failed},
        alerts=(alert,),
    )
    assert what_changed(NOW, later) == [
        "No engine runs: nothing is sent.",
        "crm: is disabled now, was active, because 410 Gone.",
        "crm: an attempt failed, gone: HTTP 410; 2 deliveries failed for good.",
        "mail: was added.",
        "slack: was removed.",
        "Alert: crm: disabled.",
    ]
    assert "Over: crm: disabled." in what_changed(later, NOW)


def test_a_time_ago_is_in_its_largest_unit() -> None:
    assert [ago(ms) for ms in (-5, 999, 1000, 61_000, 7_200_000, 2 * 86_400_000)] == [
        "now", "now", "1 second ago", "1 minute ago", "2 hours ago", "2 days ago",
    ]  # fmt: skip


def test_the_inbox_is_told_of_where_something_came_in() -> None:
    counts = {
        "stripe": {Fate.ACCEPTED: 40, Fate.REJECTED: 1, Fate.FLAGGED: 2},
        "github": {Fate.ACCEPTED: 3},
        "shop": {},
    }
    sentences = how_it_stands(replace(NOW, inbox=counts))
    assert sentences[3:5] == [
        "Inbox, in the last hour: 46 requests came in, 1 was rejected, 2 were taken against their schema.",
        "Source stripe: 1 request rejected in the last hour.",
    ]


def test_what_is_refused_from_now_on_is_told_and_what_is_forgotten_is_not() -> None:
    one, three = ({"stripe": {Fate.REJECTED: n}} for n in (1, 3))
    assert what_changed(replace(NOW, inbox=one), replace(NOW, inbox=three)) == ["Source stripe: 2 requests rejected."]
    assert what_changed(replace(NOW, inbox=three), replace(NOW, inbox=one)) == []
