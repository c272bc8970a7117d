from dataclasses import replace
from typing import Any

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError
from console.domain.event import PAYLOAD_CAP_BYTES, Accepted
from console.domain.event_schema import Flaw
from console.domain.filters import DeliveryFilter, EventFilter
from console.domain.ids import EndpointId, EventId
from console.domain.policy import Ordering
from console.store.protocol import Store
from tests.factories import NOW_MS, add_endpoint, make_event, make_spec
from tests.store.backends import Backend
from tests.store.worlds import rolled_back

ALL = DeliveryFilter()


def owed(store: Store) -> set[tuple[str, str]]:
    """(event type, endpoint name) of each delivery."""
    return {(d.event_type, d.endpoint_name) for d in store.deliveries(ALL, limit=100)}


class IntakeConformance:
    def test_an_event_is_kept_byte_for_byte(self, store: Store) -> None:
        payload = '{"naïve":"☃ \\u0000"}'.encode() + b"\xff\x00\r\n "
        (answer,) = store.accept([make_event(payload=payload, source="spool")], NOW_MS)
        event = store.event(answer.id)
        assert (event.id, event.type, event.payload) == (answer.id, "invoice.paid", payload)
        assert (event.accepted_at_ms, event.source) == (NOW_MS, "spool")

    def test_what_there_is_to_tell_of_an_event_is_kept(self, store: Store) -> None:
        flaw = Flaw(path="lines[3].sku", reason="is no naïve text", pattern="a.*", version=3)
        told: list[dict[str, Any]] = [{"hops": 3, "via": "a,b"}, {}, {"flaw": flaw}, {"via": ""}]
        answers = store.accept([make_event(source=f"s{i}", **given) for i, given in enumerate(told)], NOW_MS)
        events = [store.event(answer.id) for answer in answers]
        assert [(e.hops, e.via, e.flaw) for e in events] == [
            (3, "a,b", None),
            (0, None, None),
            (0, None, flaw),
            (0, "", None),
        ]
        assert [(e.source, e.payload, e.accepted_at_ms) for e in events] == [
            (f"s{i}", make_event().payload, NOW_MS) for i in range(4)
        ]
        assert [event.seq for event in events] == [1, 2, 3, 4]
        assert [row.id for row in store.events(EventFilter(), limit=9)] == [a.id for a in answers][::-1]

    def test_an_event_that_nobody_wants_is_kept(self, store: Store) -> None:
        (answer,) = store.accept([make_event()], NOW_MS)
        assert answer == Accepted(id=answer.id, duplicate=False, deliveries=0)
        (row,) = store.events(EventFilter(), limit=10)
        assert (row.id, row.deliveries, row.delivered, row.failed) == (answer.id, 0, 0, 0)

    def test_ids_are_made_and_differ(self, store: Store) -> None:
        answers = store.accept([make_event() for _ in range(50)], NOW_MS)
        assert len({a.id for a in answers}) == 50
        assert all(a.id.startswith("evt_") for a in answers)

    def test_events_are_numbered_in_order_of_acceptance(self, store: Store) -> None:
        first = store.accept([make_event(id=EventId(i)) for i in "cab"], NOW_MS)
        second = store.accept([make_event(id=EventId("0"))], NOW_MS - 1)
        seqs = [store.event(a.id).seq for a in first + second]
        assert seqs == sorted(set(seqs))

    def test_nothing_is_accepted_of_nothing(self, store: Store) -> None:
        assert store.accept([], NOW_MS) == []

    def test_another_connection_sees_what_was_accepted(self, store: Store, backend: Backend) -> None:
        (answer,) = store.accept([make_event()], NOW_MS)
        assert backend.open(read_only=True).event(answer.id).id == answer.id

    def test_the_same_id_is_accepted_once(self, store: Store, backend: Backend) -> None:
        add_endpoint(store)
        store.accept([make_event(id=EventId("order-1"))], NOW_MS)
        before = backend.contents()
        again = make_event(id=EventId("order-1"), type="other", payload=b"{}", source="api")
        answers = store.accept([again], NOW_MS + 5000)
        assert answers == [Accepted(id=EventId("order-1"), duplicate=True, deliveries=1)]
        assert backend.contents() == before
        assert store.event(EventId("order-1")).payload == make_event().payload
        backend.assert_counted_right(store)

    def test_the_same_id_twice_in_one_call(self, store: Store, backend: Backend) -> None:
        add_endpoint(store)
        one, other = make_event(id=EventId("a"), payload=b"1"), make_event(id=EventId("a"), payload=b"2")
        answers = store.accept([one, make_event(), other], NOW_MS)
        assert [a.duplicate for a in answers] == [False, False, True]
        assert [a.deliveries for a in answers] == [1, 1, 1]
        assert store.event(EventId("a")).payload == b"1"
        assert len(store.deliveries(ALL, limit=10)) == 2
        backend.assert_counted_right(store)

    def test_a_duplicate_tells_how_many_wanted_it_then(self, store: Store) -> None:
        add_endpoint(store, name="a")
        store.accept([make_event(id=EventId("x"))], NOW_MS)
        add_endpoint(store, name="b")
        assert store.accept([make_event(id=EventId("x"))], NOW_MS)[0].deliveries == 1

    def test_many_at_once(self, store: Store, backend: Backend) -> None:
        add_endpoint(store)
        events = [make_event(id=EventId(f"id-{i}")) for i in range(3000)]
        assert not any(a.duplicate for a in store.accept(events, NOW_MS))
        assert all(a.duplicate for a in store.accept(events, NOW_MS))
        backend.assert_counted_right(store)

    def test_events_fan_out_by_type(self, store: Store) -> None:
        add_endpoint(store, name="all", types=("*",))
        add_endpoint(store, name="branch", types=("invoice.*",))
        add_endpoint(store, name="two", types=("invoice.paid", "invoice.*", "lead.created"))
        answers = store.accept([make_event(type=t) for t in ("invoice.paid", "lead.created", "invoice")], NOW_MS)
        assert [a.deliveries for a in answers] == [3, 2, 1]
        assert owed(store) == {
            *(("invoice.paid", name) for name in ("all", "branch", "two")),
            *(("lead.created", name) for name in ("all", "two")),
            ("invoice", "all"),
        }

    @pytest.mark.parametrize("state", EndpointState)
    def test_an_endpoint_in_any_state_is_owed(self, store: Store, backend: Backend, state: EndpointState) -> None:
        endpoint = add_endpoint(store)
        store.set_endpoint_state(endpoint.id, state, "maintenance", NOW_MS)
        assert store.accept([make_event()], NOW_MS)[0].deliveries == 1
        (delivery,) = store.deliveries(ALL, limit=10)
        assert delivery.state is DeliveryState.PENDING
        assert delivery.held == (state is not EndpointState.ACTIVE)
        backend.assert_counted_right(store)

    def test_a_removed_endpoint_is_owed_nothing(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        store.remove_endpoint(endpoint.id, NOW_MS)
        assert store.accept([make_event()], NOW_MS)[0].deliveries == 0

    def test_an_edit_by_another_process_counts_at_once(self, store: Store, backend: Backend) -> None:
        other = backend.open()
        endpoint = add_endpoint(other, types=("lead.*",))
        assert store.accept([make_event()], NOW_MS)[0].deliveries == 0
        other.edit_endpoint(endpoint.id, make_spec(types=("*",), policy={"schedule_s": (60.0,)}), NOW_MS)
        assert store.accept([make_event()], NOW_MS)[0].deliveries == 1
        assert store.next_due([endpoint.seq]) == {endpoint.seq: NOW_MS + 60_000}

    def test_what_was_read_in_a_transaction_that_failed_is_forgotten(self, store: Store, backend: Backend) -> None:
        with rolled_back(store):
            add_endpoint(store, types=("lead.*",))
            assert store.accept([make_event(type="lead.created")], NOW_MS)[0].deliveries == 1
        add_endpoint(backend.open(), name="other", types=("invoice.*",))
        assert store.accept([make_event(type="lead.created")], NOW_MS)[0].deliveries == 0
        assert store.accept([make_event(type="invoice.paid")], NOW_MS)[0].deliveries == 1

    def test_a_new_delivery_is_due_after_the_schedules_first_wait(self, store: Store) -> None:
        add_endpoint(store, policy={"schedule_s": (2.5, 60.0)})
        store.accept([make_event()], NOW_MS)
        (delivery,) = store.deliveries(ALL, limit=10)
        assert delivery.next_attempt_at_ms == NOW_MS + 2500
        assert (delivery.attempts, delivery.schedule_step, delivery.schedule_length) == (0, 0, 2)
        assert (delivery.manual, delivery.last_cause, delivery.last_attempt_at_ms) == (False, None, None)
        assert (delivery.created_at_ms, delivery.updated_at_ms) == (NOW_MS, NOW_MS)

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "a b"},
            {"type": ""},
            {"id": EventId("a.b")},
            {"id": EventId("")},
            {"payload": bytes(PAYLOAD_CAP_BYTES + 1)},
        ],
    )
    def test_one_wrong_event_refuses_the_whole_call(self, store: Store, backend: Backend, part: dict[str, Any]) -> None:
        before = backend.contents()
        with pytest.raises(InvalidInputError):
            store.accept([make_event(), make_event(**part)], NOW_MS)
        assert backend.contents() == before

    def test_a_payload_of_the_greatest_size(self, store: Store) -> None:
        (answer,) = store.accept([make_event(payload=bytes(PAYLOAD_CAP_BYTES))], NOW_MS)
        assert len(store.event(answer.id).payload) == PAYLOAD_CAP_BYTES
        assert store.events(EventFilter(), limit=1)[0].size_bytes == PAYLOAD_CAP_BYTES

    def test_a_test_event_is_owed_to_one_endpoint_alone(self, store: Store, backend: Backend) -> None:
        add_endpoint(store, name="all")
        picky = add_endpoint(store, name="picky", types=("lead.*",))
        accepted = store.accept_for(make_event(type="webhook.test"), picky.id, NOW_MS)
        assert (accepted.duplicate, accepted.deliveries) == (False, 1)
        assert owed(store) == {("webhook.test", "picky")}
        again = store.accept_for(make_event(id=accepted.id), picky.id, NOW_MS)
        assert again == Accepted(id=accepted.id, duplicate=True, deliveries=1)
        backend.assert_counted_right(store)

    def test_a_test_event_for_an_unknown_or_removed_endpoint_is_refused(self, store: Store, backend: Backend) -> None:
        gone = add_endpoint(store)
        store.remove_endpoint(gone.id, NOW_MS)
        before = backend.contents()
        for endpoint in (gone.id, EndpointId("ep_unknown")):
            with pytest.raises(InvalidInputError):
                store.accept_for(make_event(), endpoint, NOW_MS)
        assert backend.contents() == before


class SieveConformance:
    """Filters of endpoints."""

    def test_only_what_a_filter_lets_through_is_owed(self, store: Store, backend: Backend) -> None:
        add_endpoint(store, name="large", types=("invoice.*",), filter="payload.amount > 5")
        add_endpoint(store, name="all")
        add_endpoint(store, name="eu", filter="payload.region == 'eu' and event.type == 'invoice.paid'")
        payloads = (b'{"amount": 6}', b'{"amount": 5, "region": "eu"}', b'{"amount": 7, "region": "eu"}', b"{}")
        answers = store.accept([make_event(payload=payload) for payload in payloads], NOW_MS)
        assert [answer.deliveries for answer in answers] == [2, 2, 3, 1]
        wanted = [[d.endpoint_name for d in store.deliveries(DeliveryFilter(event_id=a.id), limit=9)] for a in answers]
        assert [sorted(names) for names in wanted] == [["all", "large"], ["all", "eu"], ["all", "eu", "large"], ["all"]]
        (other,) = store.accept([make_event(type="lead.created", payload=b'{"amount": 9, "region": "eu"}')], NOW_MS)
        assert other.deliveries == 1, "and the types still count"
        again = store.accept([make_event(id=answers[0].id, payload=b"{}")] * 2, NOW_MS)
        assert again == [Accepted(id=answers[0].id, duplicate=True, deliveries=2)] * 2
        backend.assert_counted_right(store)

    def test_a_filter_that_fails_lets_the_event_through(self, store: Store) -> None:
        """Nothing is left out silently: the delivery says what is wrong."""
        add_endpoint(store, filter="payload.amount > 5")
        (answer,) = store.accept([make_event(payload=b"no JSON")], NOW_MS)
        assert answer.deliveries == 1

    def test_an_edit_of_a_filter_counts_from_the_next_event_on(self, store: Store, backend: Backend) -> None:
        endpoint = add_endpoint(store, filter="payload.amount > 5")
        other = backend.open()
        assert other.accept([make_event(payload=b'{"amount": 1}')], NOW_MS)[0].deliveries == 0
        store.edit_endpoint(endpoint.id, replace(endpoint.spec, filter="payload.amount < 5"), NOW_MS)
        assert other.accept([make_event(payload=b'{"amount": 1}')], NOW_MS)[0].deliveries == 1
        store.edit_endpoint(endpoint.id, replace(endpoint.spec, filter=None), NOW_MS)
        assert other.accept([make_event(payload=b'{"amount": 9}')], NOW_MS)[0].deliveries == 1

    def test_a_filter_knows_the_event_and_its_endpoint(self, store: Store) -> None:
        name = "endpoint.name == 'crm' and event.id == 'evt_x' and event.accepted_at"
        add_endpoint(store, filter=name)
        add_endpoint(store, name="other", filter=name)
        assert store.accept([make_event(id=EventId("evt_x"))], NOW_MS)[0].deliveries == 1

    def test_a_line_has_only_what_its_endpoint_wants(self, store: Store, backend: Backend) -> None:
        add_endpoint(store, filter="payload.amount > 5", policy={"ordering": Ordering.FIFO})
        store.accept([make_event(payload=b'{"amount": %d}' % amount) for amount in (1, 6, 2, 7)], NOW_MS)
        newest, head = store.deliveries(ALL, limit=9)
        assert (head.blocked, newest.blocked) == (False, True)
        backend.assert_counted_right(store)

    def test_what_is_for_one_endpoint_asks_no_filter(self, store: Store) -> None:
        endpoint = add_endpoint(store, filter="payload.amount > 5")
        assert store.accept_for(make_event(payload=b"{}"), endpoint.id, NOW_MS).deliveries == 1
