"""What operators do, and the audit rows it leaves."""

from random import Random

import pytest

from console.domain.clock import ManualClock
from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId
from console.domain.operation import OperationKind
from console.domain.outcome import Cause
from console.operations import deliveries
from console.operations.actor import current_actor
from console.operations.endpoints import (
    add_endpoint,
    edit_endpoint,
    pause_endpoint,
    remove_endpoint,
    resume_endpoint,
    send_test,
)
from console.operations.engine import stop_engine
from console.store import Store
from tests import factories
from tests.factories import NOW_MS, attempt_all, failed, make_event, make_spec, start_engine

WHO = "ada@box"


def last(store: Store) -> tuple[OperationKind, str, str, str | None, str | None]:
    (row,) = store.operations(limit=1)
    assert row.finished_at_ms is not None
    return row.kind, row.actor, row.target, row.reason, row.result


def test_each_act_on_an_endpoint_leaves_a_row(store: Store) -> None:
    endpoint = add_endpoint(store, make_spec(), actor=WHO, now_ms=NOW_MS, random=Random(1))
    assert last(store) == (OperationKind.ENDPOINT_ADD, WHO, "crm", None, endpoint.url)
    pause_endpoint(store, endpoint.id, actor=WHO, reason="upgrade", now_ms=NOW_MS)
    assert last(store) == (OperationKind.ENDPOINT_PAUSE, WHO, "crm", "upgrade", "active → paused")
    resume_endpoint(store, endpoint.id, actor=WHO, reason=None, now_ms=NOW_MS)
    assert last(store) == (OperationKind.ENDPOINT_RESUME, WHO, "crm", None, "paused → active")
    edit_endpoint(store, endpoint.id, make_spec(name="erp"), actor=WHO, now_ms=NOW_MS, changed="name")
    assert last(store) == (OperationKind.ENDPOINT_EDIT, WHO, "erp", None, "name")
    accepted = send_test(store, endpoint, actor=WHO, now_ms=NOW_MS)
    assert last(store) == (OperationKind.ENDPOINT_TEST, WHO, "crm", None, accepted.id)
    assert remove_endpoint(store, endpoint.id, actor=WHO, now_ms=NOW_MS) == 1
    assert last(store) == (OperationKind.ENDPOINT_REMOVE, WHO, "erp", None, "1 delivery cancelled")


def test_what_changes_nothing_leaves_no_row(store: Store) -> None:
    endpoint = factories.add_endpoint(store)
    after, changed = resume_endpoint(store, endpoint.id, actor=WHO, reason=None, now_ms=NOW_MS)
    assert (after.state, changed) == (EndpointState.ACTIVE, False)
    with pytest.raises(InvalidInputError):
        add_endpoint(store, make_spec(), actor=WHO, now_ms=NOW_MS, random=Random(2))
    assert store.operations(limit=10) == []


def test_a_test_event_goes_to_its_endpoint_alone(store: Store) -> None:
    wanted = factories.add_endpoint(store, name="picky", types=("invoice.*",))
    factories.add_endpoint(store, name="other")
    accepted = send_test(store, wanted, actor=WHO, now_ms=NOW_MS)
    (delivery,) = store.deliveries(DeliveryFilter(event_id=accepted.id), limit=10)
    assert delivery.endpoint_id == wanted.id


def test_a_bulk_retry_moves_everything_in_chunks_and_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = factories.add_endpoint(store)
    store.accept([make_event() for _ in range(25)], NOW_MS)
    attempt_all(store, start_engine(store), failed())
    monkeypatch.setattr(deliveries, "CHUNK", 10)
    where = DeliveryFilter(states=(DeliveryState.FAILED,), endpoints=(endpoint.id,))
    assert deliveries.preview(store, where).total == 25
    told: list[int] = []
    done = deliveries.retry(store, where, actor=WHO, clock=ManualClock(NOW_MS + 5), progress=told.append)
    assert (done, told) == (25, [10, 20, 25])
    assert last(store) == (OperationKind.DELIVERY_RETRY, WHO, "endpoint:crm state:failed", None, "25 deliveries")
    rows = store.deliveries(DeliveryFilter(), limit=100)
    assert {(row.state, row.manual, row.next_attempt_at_ms) for row in rows} == {
        (DeliveryState.PENDING, True, NOW_MS + 5)
    }


def test_cancel_gives_up_what_is_pending(store: Store) -> None:
    factories.add_endpoint(store)
    store.accept([make_event()], NOW_MS)
    assert deliveries.cancel(store, DeliveryFilter(), actor=WHO, clock=ManualClock()) == 1
    assert last(store) == (OperationKind.DELIVERY_CANCEL, WHO, "all", None, "1 delivery")
    assert deliveries.cancel(store, DeliveryFilter(), actor=WHO, clock=ManualClock()) == 0


def test_stopping_the_engine_is_a_row_and_a_request(store: Store) -> None:
    start_engine(store)
    stop_engine(store, actor=WHO, reason="deploy", now_ms=NOW_MS)
    assert last(store) == (OperationKind.ENGINE_STOP, WHO, "engine", "deploy", "asked")
    status = store.engine_status()
    assert status is not None
    assert status.stop_requested


def test_a_filter_in_words() -> None:
    where = DeliveryFilter(
        ids=tuple(DeliveryId(i) for i in range(1, 8)),
        endpoints=(EndpointId("ep_1"), EndpointId("ep_gone")),
        type_pattern="invoice.*",
        causes=(Cause.RESET, Cause.DNS),
        since_ms=NOW_MS,
        troubled=True,
    )
    assert deliveries.describe(where, {EndpointId("ep_1"): "crm"}) == (
        "dlv_000001,dlv_000002,dlv_000003,dlv_000004,dlv_000005 and 2 more endpoint:crm,ep_gone state:troubled "
        "cause:reset,dns type:invoice.* since:2023-11-14T22:13:20Z"
    )


def test_the_actor_names_the_ssh_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert current_actor().startswith("ada@")
    assert " from " not in current_actor()
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")
    assert current_actor().endswith(" from 192.0.2.7")
