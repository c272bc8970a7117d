from typing import Any

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import EndpointId
from console.domain.pacing import Pace
from console.domain.signing import make_secret
from console.domain.status import Gauge
from console.domain.transform import Transform
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    SECRET,
    add_endpoint,
    attempt_all,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_spec,
    retry,
    start_engine,
)
from tests.store.backends import Backend

ALL = DeliveryFilter()
UNKNOWN = EndpointId("ep_unknown")


class EndpointsConformance:
    def test_a_new_endpoint_is_what_the_spec_says(self, store: Store, backend: Backend) -> None:
        spec = make_spec(
            name="Прод[red]",
            types=("lead.*", "invoice.paid"),
            secrets=(make_secret(bytes(24)), SECRET),
            policy={"schedule_s": (0.0, 1.5), "timeout_s": 2.5, "max_in_flight": 3, "headers": (("X-Team", "a\"'b"),)},
        )
        endpoint = store.add_endpoint(EndpointId("ep_1"), spec, NOW_MS)
        assert (endpoint.id, endpoint.name, endpoint.url) == ("ep_1", spec.name, spec.url)
        assert (endpoint.types, endpoint.secrets, endpoint.policy) == (spec.types, spec.secrets, spec.policy)
        assert (endpoint.state, endpoint.state_reason) == (EndpointState.ACTIVE, None)
        assert (endpoint.created_at_ms, endpoint.state_since_ms) == (NOW_MS, NOW_MS)
        assert backend.open(read_only=True).endpoints() == [endpoint]
        assert store.endpoint_at(endpoint.seq) == endpoint

    def test_how_events_are_chosen_and_reshaped_is_kept(self, store: Store, backend: Backend) -> None:
        transform = Transform(
            body='{"text": {{ payload.naïve }}}', content_type="text/x", headers=(("X-A", "{{ event.id }}"), ("x", "")),
            path="/☃", method="{{ 'PUT' }}",
        )  # fmt: skip
        endpoint = add_endpoint(store, filter="payload.amount > 3", transform=transform, dry_run=True)
        assert (endpoint.filter, endpoint.transform, endpoint.dry_run) == ("payload.amount > 3", transform, True)
        assert backend.open(read_only=True).endpoint_at(endpoint.seq) == endpoint
        assert store.edit_endpoint(endpoint.id, endpoint.spec, NOW_MS).spec == endpoint.spec
        plain = store.edit_endpoint(endpoint.id, make_spec(), NOW_MS)
        assert (plain.filter, plain.transform, plain.dry_run) == (None, None, False)

    def test_endpoints_are_listed_by_name(self, store: Store) -> None:
        for name in ("b", "a", "c"):
            add_endpoint(store, name=name)
        assert [e.name for e in store.endpoints()] == ["a", "b", "c"]

    @pytest.mark.parametrize("part", [{"name": "a b"}, {"url": "ftp://x"}, {"types": ()}, {"policy": {"timeout_s": 0}}])
    def test_a_wrong_spec_is_refused(self, store: Store, part: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError):
            add_endpoint(store, **part)
        endpoint = add_endpoint(store)
        with pytest.raises(InvalidInputError):
            store.edit_endpoint(endpoint.id, make_spec(**part), NOW_MS)
        assert store.endpoints() == [endpoint]

    def test_a_name_is_taken_until_its_endpoint_is_removed(self, store: Store) -> None:
        first = add_endpoint(store, name="crm", seed=1)
        other = add_endpoint(store, name="other")
        with pytest.raises(InvalidInputError, match="taken"):
            add_endpoint(store, name="crm", seed=2)
        with pytest.raises(InvalidInputError, match="taken"):
            store.edit_endpoint(other.id, make_spec(name="crm"), NOW_MS)
        store.remove_endpoint(first.id, NOW_MS)
        assert add_endpoint(store, name="crm", seed=2).seq != first.seq

    def test_an_edit_replaces_the_spec_and_nothing_else(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        paused = store.set_endpoint_state(endpoint.id, EndpointState.PAUSED, "why", NOW_MS + 1)
        spec = make_spec(url="https://example.com/", types=("a.*",), policy={"timeout_s": 3.0})
        edited = store.edit_endpoint(endpoint.id, spec, NOW_MS + 2)
        assert (edited.name, edited.url, edited.types, edited.policy) == (
            spec.name, spec.url, spec.types, spec.policy,
        )  # fmt: skip
        assert (edited.seq, edited.id, edited.created_at_ms) == (endpoint.seq, endpoint.id, NOW_MS)
        assert (edited.state, edited.state_reason, edited.state_since_ms) == ("paused", "why", NOW_MS + 1)
        assert endpoint.version < paused.version < edited.version

    def test_what_is_not_there_cannot_be_changed(self, store: Store, backend: Backend) -> None:
        gone = add_endpoint(store)
        store.remove_endpoint(gone.id, NOW_MS)
        before = backend.contents()
        for id_ in (gone.id, UNKNOWN):
            with pytest.raises(UnknownReferenceError):
                store.edit_endpoint(id_, make_spec(), NOW_MS)
            with pytest.raises(UnknownReferenceError):
                store.set_endpoint_state(id_, EndpointState.PAUSED, None, NOW_MS)
            with pytest.raises(UnknownReferenceError):
                store.remove_endpoint(id_, NOW_MS)
        assert backend.contents() == before

    @pytest.mark.parametrize("state", EndpointState)
    def test_a_state_is_kept_with_its_reason_and_time(self, store: Store, state: EndpointState) -> None:
        endpoint = add_endpoint(store)
        changed = store.set_endpoint_state(endpoint.id, state, "a reason\x1b]52;c;", NOW_MS + 7)
        assert (changed.state, changed.state_reason, changed.state_since_ms) == (
            state, "a reason\x1b]52;c;", NOW_MS + 7,
        )  # fmt: skip
        assert store.find_endpoint(endpoint.id) == changed

    def test_a_pace_is_kept_until_it_is_taken_away(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        pace = Pace(per_s=20.0, ramp_s=300.0, since_ms=NOW_MS)
        since = store.newest_nudge()
        paced = store.set_pace(endpoint.id, pace)
        assert (paced.pace, paced.version) == (pace, endpoint.version + 1)
        assert store.find_endpoint(endpoint.id) == paced
        assert store.nudged(since).settings == {endpoint.seq}
        assert store.set_pace(endpoint.id, None).pace is None

    def test_removing_cancels_what_is_owed_and_keeps_the_history(self, store: Store, backend: Backend) -> None:
        endpoint, other = add_endpoint(store, name="crm"), add_endpoint(store, name="other")
        epoch = start_engine(store)
        for verdict in (delivered(), failed()):
            store.accept([make_event()], NOW_MS)
            attempt_all(store, epoch, verdict)
        store.accept([make_event()], NOW_MS)
        claim_all(store, epoch, endpoint)
        store.accept([make_event(), make_event()], NOW_MS)
        assert store.remove_endpoint(endpoint.id, NOW_MS + 9) == 2
        assert [e.id for e in store.endpoints()] == [other.id]
        assert set(store.gauges()) == {other.id}
        assert store.endpoint_at(endpoint.seq) is None
        history = store.deliveries(DeliveryFilter(endpoints=(endpoint.id,)), limit=10)
        assert [d.state for d in history] == ["cancelled", "cancelled", "sending", "failed", "delivered"]
        assert {d.endpoint_name for d in history} == {"crm"}
        assert [d.updated_at_ms for d in history[:2]] == [NOW_MS + 9] * 2
        assert len(store.attempts(AttemptFilter(endpoints=(endpoint.id,)), AttemptPage(limit=10))) == 3
        assert store.gauges()[other.id].pending == 3
        backend.assert_counted_right(store)

    @pytest.mark.parametrize("verdict", [delivered(), failed(), retry(NOW_MS + 5)])
    def test_a_try_under_way_when_its_endpoint_is_removed_is_recorded(
        self, store: Store, backend: Backend, verdict: Any
    ) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        (claimed,) = claim_all(store, epoch, endpoint)
        assert store.remove_endpoint(endpoint.id, NOW_MS) == 0
        assert store.complete([make_completed(claimed, verdict)], epoch=epoch) == 1
        assert claim_all(store, epoch, endpoint, now_ms=NOW_MS + 10) == []
        store.tidy(epoch=epoch, now_ms=NOW_MS + 20)
        state = store.delivery(claimed.delivery_id).state
        assert state in (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELLED)
        assert store.next_due([endpoint.seq]) == {}
        backend.assert_counted_right(store)

    def test_an_endpoint_is_found_by_id_name_or_beginning(self, store: Store) -> None:
        crm, eu = add_endpoint(store, name="crm"), add_endpoint(store, name="crm-eu")
        billing = add_endpoint(store, name="billing")
        assert store.find_endpoint(crm.id) == crm
        assert store.find_endpoint("crm") == crm, "a whole name is no beginning of another"
        assert store.find_endpoint("crm-") == eu
        assert store.find_endpoint("b") == billing
        assert store.find_endpoint(billing.id[:9]) == billing

    @pytest.mark.parametrize(
        "reference", ["", "x", "CRM", "%", "_", "c%", "cr?", "crm*", "' OR 1 --", "\x00", "ep_unknown"]
    )
    def test_what_fits_none_is_unknown(self, store: Store, reference: str) -> None:
        add_endpoint(store, name="crm")
        with pytest.raises(UnknownReferenceError):
            store.find_endpoint(reference)

    def test_what_fits_several_names_some(self, store: Store) -> None:
        for name in ("crm-a", "crm-b", "crm-c", "crm-d", "crm-e"):
            add_endpoint(store, name=name)
        with pytest.raises(UnknownReferenceError, match=r"several.*crm-a, crm-b, crm-c, …"):
            store.find_endpoint("crm")
        with pytest.raises(UnknownReferenceError, match="several"):
            store.find_endpoint("ep_")

    def test_a_removed_endpoint_is_not_found(self, store: Store) -> None:
        endpoint = add_endpoint(store, name="crm")
        store.remove_endpoint(endpoint.id, NOW_MS)
        for reference in (endpoint.id, "crm", "cr"):
            with pytest.raises(UnknownReferenceError):
                store.find_endpoint(reference)

    def test_gauges_count_from_nothing(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        assert store.gauges() == {endpoint.id: Gauge()}

    def test_gauges_keep_the_last_success_and_failure(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        epoch = start_engine(store)
        for verdict, at_ms in ((delivered(), NOW_MS), (failed(), NOW_MS + 100), (delivered(), NOW_MS + 200)):
            store.accept([make_event()], at_ms)
            attempt_all(store, epoch, verdict, now_ms=at_ms)
        gauge = store.gauges()[endpoint.id]
        assert (gauge.delivered, gauge.failed, gauge.pending, gauge.sending) == (2, 1, 0, 0)
        assert (gauge.last_success_at_ms, gauge.last_failure_at_ms) == (NOW_MS + 212, NOW_MS + 112)
        assert (gauge.last_failure_cause, gauge.last_failure_detail) == ("http_4xx", "HTTP 422")
