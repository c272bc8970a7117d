"""`operations` and what begins one: bulk operations that go on without the command, end when told to, and go back."""

import json
import threading

import pytest

from console.cli import following
from console.cli.records import OPERATION_FIELDS
from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.ids import OperationId, format_number, parse_number
from console.domain.operation import OperationKind
from console.operations import deliveries as acts
from console.store import Store, open_store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events, now

HOUR_MS = 3_600_000
FAILED = DeliveryFilter(states=(DeliveryState.FAILED,))


def states(store: Store) -> list[str]:
    return sorted(d.state for d in store.deliveries(DeliveryFilter(), limit=10_000))


@pytest.fixture
def hand(store: Store) -> EngineHand:
    """Thirty failed deliveries to billing, left by an engine that has ended."""
    endpoint = make_endpoint(store)
    make_events(store, 30)
    hand = EngineHand(store)
    hand.run(endpoint, BROKEN)
    status = store.engine_status()
    assert status is not None
    store.release(epoch=status.epoch, now_ms=now())
    return hand


def number(record: dict[str, object]) -> OperationId:
    return OperationId(parse_number("op", str(record.get("operation") or record["id"])))


def begin(store: Store, total: int = 30) -> str:
    """A retry that nobody carries on."""
    operation = acts.begin_retry(store, FAILED, actor="ada@box", now_ms=now())
    assert operation.total == total
    return format_number("op", operation.id)


def test_a_bulk_action_names_its_operation(console: CommandLine, store: Store, hand: EngineHand) -> None:
    done = console("deliveries", "retry", "--endpoint", "billing", "--reason", "outage over", "--json").record
    assert (done["matched"], done["done"], done["finished"]) == (30, 30, True)
    operation = store.operation(number(done))
    assert (operation.kind, operation.reason, operation.total) == (OperationKind.DELIVERY_RETRY, "outage over", 30)
    shown = console("operations", "show", done["operation"], "--json").record
    assert set(shown) == {*OPERATION_FIELDS, "undoable", "undo", "outcomes"}
    assert (shown["done"], shown["total"], shown["undoable"]) == (30, 30, 30)
    assert shown["outcomes"] == {"delivered": 0, "failed_again": 0, "waiting": 30, "cancelled": 0}
    said = console("operations", "show", done["operation"]).out
    assert "30 of 30 deliveries are still as it left them" in said
    assert "delivered 0, failed again 0, 30 still wait" in said
    assert console("operations", "show", "op_zzzzzz").code == 1
    assert console("operations", "show", "billing?").code == 2


def test_a_rate_is_kept_and_progress_is_told(
    console: CommandLine, store: Store, hand: EngineHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TOLD_EVERY_S", 0.0)
    began_ms = now()
    *progress, end = console("deliveries", "retry", "--endpoint", "billing", "--rate", "60/s", "--json").records
    assert now() - began_ms >= 29 * 1000 / 60 - 1
    assert [line["done"] for line in progress] == sorted(line["done"] for line in progress)
    assert all((line["total"], line["operation"]) == (30, end["operation"]) for line in progress)
    assert (end["done"], end["finished"]) == (30, True)
    assert store.operation(number(end)).rate_per_s == 60.0


def test_detached_it_is_left_to_the_next_engine(console: CommandLine, store: Store, hand: EngineHand) -> None:
    left = console("deliveries", "retry", "--endpoint", "billing", "--detach")
    assert left.code == 0
    assert "no engine is running: the next one goes on with op_" in left.out
    assert states(store) == ["failed"] * 30
    (operation,) = store.open_operations()
    name = format_number("op", operation.id)
    assert "0 of 30" in console("operations", "list").out
    watched = console("operations", "watch", name)
    assert watched.out == f"{name}: 30 deliveries\n"
    assert states(store) == ["pending"] * 30


def test_a_live_engine_carries_it_on_and_the_command_looks_on(
    console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "CHUNK", 10)
    endpoint = make_endpoint(store)
    make_events(store, 30)
    EngineHand(store).run(endpoint, BROKEN)
    looked = threading.Event()
    advanced_by: list[str] = []
    see = acts._engine_alive

    def engine_alive(*given: object) -> bool:
        looked.set()
        return see(*given)  # type: ignore[arg-type]  # as it was called

    def engine() -> None:
        looked.wait(30)
        own = open_store(store.path)
        (operation,) = own.open_operations()
        while operation.is_open:
            operation = own.advance_operation(operation.id, limit=7, now_ms=now())
            advanced_by.append(threading.current_thread().name)
        own.close()

    monkeypatch.setattr(acts, "_engine_alive", engine_alive)
    thread = threading.Thread(target=engine)
    thread.start()
    done = console("deliveries", "retry", "--endpoint", "billing", "--json").records[-1]
    thread.join()
    assert done["done"] == 30
    assert len(advanced_by) == 30 // 7 + 1, "all pieces were the engine's"


@pytest.mark.parametrize("alive", [True, False])
def test_ctrl_c_leaves_it_and_says_so(
    console: CommandLine, store: Store, hand: EngineHand, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    monkeypatch.setattr(acts, "CHUNK", 10)
    if alive:
        EngineHand(store)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("console.operations.deliveries.time.sleep", interrupt)
    left = console("deliveries", "retry", "--endpoint", "billing")
    assert left.code == 130
    (operation,) = store.open_operations()
    name = format_number("op", operation.id)
    assert operation.done == (0 if alive else 10)
    assert f"({operation.done} of 30)" in left.err
    assert ("the engine goes on with" if alive else "no engine is running") in left.err
    assert f"operations cancel {name}" in left.err


def test_cancel_keeps_what_was_done(console: CommandLine, store: Store, hand: EngineHand) -> None:
    name = begin(store)
    store.advance_operation(OperationId(parse_number("op", name)), limit=12, now_ms=now())
    ended = console("operations", "cancel", name)
    assert ended.out == f"{name}: stopped after 12 of 30 deliveries\n"
    assert states(store) == ["failed"] * 18 + ["pending"] * 12
    assert store.open_operations() == []
    again = console("operations", "cancel", name)
    assert again.code == 1
    assert f"operations undo {name}" in again.err
    record = console("operations", "show", name, "--json").record
    assert record["cancelled_by"] == store.operations(limit=1)[0].cancelled_by
    assert "stopped by" in console("operations", "show", name).out


def test_undo_of_a_cancel(console: CommandLine, store: Store, hand: EngineHand) -> None:
    make_events(store, 5)
    before = {d.id: (d.state, d.next_attempt_at_ms) for d in store.deliveries(DeliveryFilter(), limit=100)}
    cancelled = console("deliveries", "cancel", "--endpoint", "billing", "--json").record
    assert states(store) == ["cancelled"] * 35
    name = cancelled["operation"]
    dry = console("operations", "undo", name, "--dry-run")
    assert dry.out == "would be taken back: 35 of 35 deliveries\n"
    undone = console("operations", "undo", name)
    assert undone.out == f"35 deliveries as before {name}\n"
    assert {d.id: (d.state, d.next_attempt_at_ms) for d in store.deliveries(DeliveryFilter(), limit=100)} == before
    again = console("operations", "undo", name)
    assert again.code == 1
    assert "nothing of it is left to undo" in again.err


def test_undo_of_a_retry_leaves_what_was_tried(console: CommandLine, store: Store, hand: EngineHand) -> None:
    name = console("deliveries", "retry", "--endpoint", "billing", "--json").record["operation"]
    engine = EngineHand(store)
    engine.complete(engine.claim(store.find_endpoint("billing"), 10), OK)
    undone = console("operations", "undo", name, "--json").record
    assert (undone["done"], undone["undoable"], undone["kind"]) == (20, 20, "delivery_undo")
    assert states(store) == ["delivered"] * 10 + ["failed"] * 20


def test_what_cannot_be_undone_says_why(console: CommandLine, store: Store, hand: EngineHand) -> None:
    name = begin(store)
    going_on = console("operations", "undo", name)
    assert going_on.code == 1
    assert f"still goes on: end it first with 'webhook-console operations cancel {name}'" in going_on.err
    console("operations", "watch", name)
    undone = console("operations", "undo", name, "--json").record["id"]
    for other, why in (
        (undone, "only a retry, cancel or skip can be undone"),
        (format_number("op", 1), "cannot be taken back: it has been sent to"),
    ):
        refused = console("operations", "undo", other)
        assert refused.code == 1
        assert why in refused.err
    engine = EngineHand(store)
    tried = console("deliveries", "retry", "--endpoint", "billing", "--json").record["operation"]
    engine.run(store.find_endpoint("billing"), BROKEN)
    too_late = console("operations", "undo", tried)
    assert too_late.code == 1
    assert "all it made due was tried since" in too_late.err


def test_undo_asks_above_a_hundred(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    make_events(store, 101)
    name = console("deliveries", "cancel", "--endpoint", "billing", "--yes", "--json").record["operation"]
    assert console("operations", "undo", name).code == 2
    assert console("operations", "undo", name, "--yes").code == 0
    assert states(store) == ["pending"] * 101


def test_skip_what_an_endpoint_is_owed_for_too_long(console: CommandLine, store: Store, hand: EngineHand) -> None:
    store.accept([NewEvent(type="invoice.paid", payload=b"{}") for _ in range(4)], now() - 3 * HOUR_MS)
    make_events(store, 2)
    dry = console("deliveries", "skip", "billing", "--older-than", "2h", "--dry-run")
    assert "would be skipped: 4 deliveries" in dry.out
    skipped = console("deliveries", "skip", "billing", "--older-than", "2h", "--json").record
    assert (skipped["matched"], skipped["done"]) == (4, 4)
    assert store.operation(number(skipped)).kind is OperationKind.DELIVERY_SKIP
    assert states(store) == ["cancelled"] * 4 + ["failed"] * 30 + ["pending"] * 2
    assert console("operations", "undo", skipped["operation"]).code == 0
    assert states(store) == ["failed"] * 30 + ["pending"] * 6


def test_skip_one_delivery(console: CommandLine, store: Store, hand: EngineHand) -> None:
    failing = store.deliveries(FAILED, limit=1)[0]
    name = format_number("dlv", failing.id)
    assert console("deliveries", "skip", name).out == "  billing  1\n1 delivery skipped\n"
    assert store.delivery(failing.id).state is DeliveryState.CANCELLED
    again = console("deliveries", "skip", name)
    assert (again.code, "is cancelled: only pending or failed ones" in again.err) == (1, True)


def test_skip_wants_to_know_what(console: CommandLine, store: Store, hand: EngineHand) -> None:
    assert console("deliveries", "skip", "billing").code == 2
    assert console("deliveries", "skip", "dlv_000001", "--older-than", "2h").code == 2
    assert console("deliveries", "skip", "nobody", "--older-than", "2h").code == 1
    assert states(store) == ["failed"] * 30
    assert store.find_endpoint("billing").state is EndpointState.ACTIVE


def test_a_list_shows_totals(console: CommandLine, store: Store, hand: EngineHand) -> None:
    begin(store)
    (newest, *_) = [json.loads(line) for line in console("operations", "list", "--json").out.splitlines()]
    assert (newest["done"], newest["total"], newest["finished_at"], newest["rate_per_s"]) == (0, 30, None, None)
