from dataclasses import replace
from typing import Any

import pytest

from console.domain.delivery import DeliveryState, Verdict
from console.domain.endpoint import EndpointState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.operation import OperationKind
from console.domain.outcome import Cause, Parts
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    claim_all,
    claim_one,
    delivered,
    failed,
    gone,
    make_completed,
    make_event,
    make_exchange,
    retry,
    start_engine,
)
from tests.store.backends import Backend

ALL = DeliveryFilter()
PAGE = AttemptPage(limit=1000)


class CompleteConformance:
    @pytest.mark.parametrize(
        ("verdict", "state", "due", "cause", "status", "detail"),
        [
            (delivered(204), "delivered", None, None, 204, None),
            (retry(NOW_MS + 5000), "pending", NOW_MS + 5000, "http_5xx", 503, "HTTP 503; wait 2 of the schedule"),
            (retry(NOW_MS, Cause.DNS, None), "pending", NOW_MS, "dns", None, "HTTP 503; wait 2"),
            (failed(), "failed", None, "http_4xx", 422, "HTTP 422; schedule exhausted"),
        ],
    )
    def test_an_outcome_moves_the_delivery_and_ends_the_attempt(
        self, store: Store, backend: Backend, verdict: Verdict, state: str, due: int | None, cause: str | None,
        status: int | None, detail: str | None,
    ) -> None:  # fmt: skip
        epoch = start_engine(store)
        claimed = claim_one(store, epoch)
        completed = make_completed(
            claimed, verdict, started_at_ms=NOW_MS + 1, ended_at_ms=NOW_MS + 9, total_ms=8.25, first_byte_ms=None
        )
        assert store.complete([completed], epoch=epoch) == 1
        delivery = store.delivery(claimed.delivery_id)
        assert (delivery.state, delivery.next_attempt_at_ms) == (state, due)
        assert (delivery.last_cause, delivery.last_status, delivery.last_attempt_at_ms) == (cause, status, NOW_MS + 9)
        assert (delivery.updated_at_ms, delivery.manual, delivery.attempts) == (NOW_MS + 9, False, 1)
        attempt = store.attempt(claimed.attempt_id)
        assert (attempt.started_at_ms, attempt.ended_at_ms) == (NOW_MS + 1, NOW_MS + 9)
        assert (attempt.total_ms, attempt.first_byte_ms) == (8.25, None)
        assert (attempt.cause, attempt.status, attempt.succeeded) == (cause, status, cause is None)
        assert attempt.detail is None if detail is None else (attempt.detail or "").startswith(detail)
        backend.assert_counted_right(store)

    def test_when_it_was_due_and_the_parts_of_its_time_are_kept(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        store.accept([make_event(), make_event()], NOW_MS - 700)
        claimed = claim_all(store, epoch)
        told, untold = claimed
        parts = Parts(resolve_ms=1.5, connect_ms=2.0, tls_ms=None)
        completed = [
            make_completed(told, retry(NOW_MS + 5000), parts=parts),
            make_completed(untold, delivered(), parts=None),
        ]
        assert store.complete(completed, epoch=epoch) == 2
        first, second = store.attempt(told.attempt_id), store.attempt(untold.attempt_id)
        assert (first.due_at_ms, first.resolve_ms, first.connect_ms, first.tls_ms) == (NOW_MS - 700, 1.5, 2.0, None)
        assert (second.due_at_ms, second.resolve_ms, second.connect_ms) == (NOW_MS - 700, None, None)
        (again,) = claim_all(store, epoch, now_ms=NOW_MS + 6000)
        assert (again.number, store.attempt(again.attempt_id).due_at_ms) == (2, NOW_MS + 5000)

    def test_nothing_is_completed_of_nothing(self, store: Store) -> None:
        assert store.complete([], epoch=start_engine(store)) == 0

    def test_many_at_once_over_many_buckets(self, store: Store, backend: Backend) -> None:
        add_endpoint(store, name="a")
        add_endpoint(store, name="b", types=("invoice.*",))
        store.accept([make_event() for _ in range(60)], NOW_MS)
        epoch = start_engine(store)
        verdicts: list[Verdict] = [
            delivered(),
            failed(),
            retry(NOW_MS + 1, Cause.TIMEOUT_READ, None),
            retry(NOW_MS + 2),
        ]
        claimed = claim_all(store, epoch)
        completed = [
            make_completed(c, verdicts[i % 4], ended_at_ms=NOW_MS + i * 700, total_ms=float(i * i * 3))
            for i, c in enumerate(claimed)
        ]
        for start in range(0, 120, 50):
            store.complete(completed[start : start + 50], epoch=epoch)
        backend.assert_counted_right(store)

    def test_410_disables_the_endpoint_with_an_audit_row_and_a_nudge(self, store: Store, backend: Backend) -> None:
        endpoint = add_endpoint(store, name="crm")
        store.accept([make_event(), make_event()], NOW_MS)
        epoch, since = start_engine(store), store.newest_nudge()
        claimed = claim_all(store, epoch)
        store.accept([make_event()], NOW_MS)
        store.complete([make_completed(c, gone()) for c in claimed], epoch=epoch)
        disabled = store.find_endpoint("crm")
        assert (disabled.state, disabled.state_reason) == (EndpointState.DISABLED, "410 Gone")
        assert disabled.state_since_ms == NOW_MS + 12
        assert disabled.version > endpoint.version
        (operation,) = store.operations(limit=10)
        assert (operation.kind, operation.actor, operation.target) == (
            OperationKind.ENDPOINT_DISABLE, "engine", "crm",
        )  # fmt: skip
        assert (operation.reason, operation.finished_at_ms) == ("410 Gone", NOW_MS + 12)
        assert store.nudged(since).settings == {endpoint.seq}
        assert claim_all(store, epoch) == []
        assert store.gauges()[endpoint.id].pending == 1, "what it is owed is held, not dropped"

    def test_410_overrides_a_pause(self, store: Store) -> None:
        epoch = start_engine(store)
        claimed = claim_one(store, epoch, name="crm")
        store.set_endpoint_state(store.find_endpoint("crm").id, EndpointState.PAUSED, "mine", NOW_MS)
        store.complete([make_completed(claimed, gone())], epoch=epoch)
        assert store.find_endpoint("crm").state is EndpointState.DISABLED

    def test_the_same_outcome_again_is_left_alone(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        completed = make_completed(claim_one(store, epoch), delivered())
        assert store.complete([completed], epoch=epoch) == 1
        before = backend.contents()
        assert store.complete([completed], epoch=epoch) == 0
        assert store.complete([make_completed(completed.claimed, failed())], epoch=epoch) == 0
        assert backend.contents() == before

    def test_the_same_outcome_twice_in_one_call_counts_once(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        claimed = claim_one(store, epoch)
        other = claim_one(store, epoch, name="other")
        done = [make_completed(claimed, delivered()), make_completed(claimed, failed())]
        assert store.complete([*done, make_completed(other, delivered())], epoch=epoch) == 2
        assert store.delivery(claimed.delivery_id).state is DeliveryState.DELIVERED
        backend.assert_counted_right(store)

    def test_an_outcome_of_an_earlier_attempt_is_left_alone(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        first = claim_one(store, epoch)
        newer = start_engine(store)
        store.recover(epoch=newer, now_ms=NOW_MS)
        (second,) = claim_all(store, newer)
        late = [make_completed(first, failed()), make_completed(second, delivered())]
        assert store.complete(late, epoch=newer) == 1
        assert store.delivery(first.delivery_id).state is DeliveryState.DELIVERED
        assert [a.cause for a in store.attempts(AttemptFilter(), PAGE)] == [Cause.UNKNOWN_OUTCOME, None]
        backend.assert_counted_right(store)

    def test_a_claim_of_another_engine_is_left_alone(self, store: Store, backend: Backend) -> None:
        claimed = claim_one(store, start_engine(store))
        newer = start_engine(store)
        before = backend.contents()
        assert store.complete([make_completed(claimed, delivered())], epoch=newer) == 0
        assert backend.contents() == before


class ExchangeConformance:
    @pytest.mark.parametrize(
        "part",
        [
            {},
            {"request_headers": (("authorization", "[redacted]"), ("webhook-signature", "v1,abc= v1a,def=="))},
            {"response_headers": (("server", "caf\xe9 \xff\x80"), ("x", "\x1b]52;c;aGk=\x07"), ("x", ""))},
            {"response_headers": ()},
            {"response_headers": (("set-cookie", "a"), ("Set-Cookie", "b"))},
            {"response_body": b""},
            {"response_body": bytes(range(256)) * 64, "response_truncated": True},
            {"remote_address": None},
            {"remote_address": "2001:db8::1"},
            {"url": "https://example.com/?q=%00\u202e"},
            {"request_method": "PATCH"},
            {"request_body": b""},
            {"request_method": "DELETE", "request_body": bytes(range(256))},
        ],
    )
    def test_what_went_over_the_wire_reads_back(self, store: Store, part: dict[str, Any]) -> None:
        epoch = start_engine(store)
        claimed = claim_one(store, epoch)
        exchange = make_exchange(**part)
        store.complete([make_completed(claimed, delivered(), exchange=exchange)], epoch=epoch)
        assert store.exchange(claimed.attempt_id) == exchange

    def test_nothing_went_over_the_wire(self, store: Store) -> None:
        epoch = start_engine(store)
        claimed = claim_one(store, epoch)
        store.complete([make_completed(claimed, failed(Cause.BLOCKED_ADDRESS, None), exchange=None)], epoch=epoch)
        assert store.exchange(claimed.attempt_id) is None

    def test_hostile_words_of_a_failure_read_back(self, store: Store) -> None:
        epoch = start_engine(store)
        claimed = claim_one(store, epoch)
        detail = "\x1b[2J\x00'; DROP TABLE deliveries; -- [red]\u202e\n\U0001f4a3"
        store.complete([make_completed(claimed, replace(failed(), detail=detail, why="w"))], epoch=epoch)
        assert store.attempt(claimed.attempt_id).detail == f"{detail}; w"
        assert store.gauges()[store.endpoints()[0].id].last_failure_detail == detail
