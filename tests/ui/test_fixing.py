"""Copies from the inspector, what `u` takes back, who else is watching, and the head of a line."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from console.domain.filters import DeliveryFilter
from console.domain.operation import OperationKind
from console.domain.policy import Ordering
from console.domain.watcher import Watcher
from console.operations.endpoints import pause_endpoint
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.audit import matches
from console.ui.screens.copying import CopyScreen
from console.ui.screens.inspector import InspectorScreen
from console.ui.steering import skip_head
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.json_edit import escaped
from tests.factories import add_endpoint, make_event
from tests.ui.conftest import MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]


async def started(pilot: Pilot[Any], app: ConsoleApp) -> None:
    await until(pilot, lambda: app.snapshot is not None and app.snapshot.endpoints)


async def copying(pilot: Pilot[Any], app: ConsoleApp, store: Store) -> CopyScreen:
    (delivery,) = store.deliveries(DeliveryFilter(), limit=1)
    app.push_screen(InspectorScreen(delivery.id))
    await until(pilot, lambda: "crm" in screen_text(app) and isinstance(app.screen, InspectorScreen))
    await pilot.press("E")
    await until(pilot, lambda: isinstance(app.screen, CopyScreen) and "the same:" in screen_text(app))
    assert isinstance(app.screen, CopyScreen)
    return app.screen


async def test_e_sends_an_edited_copy_elsewhere(store: Store, clock: MovableClock, make_console: Make) -> None:
    crm = add_endpoint(store, now_ms=clock.now_ms())
    (accepted,) = store.accept([make_event(payload='{"note": "a\u202eb"}'.encode())], clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await started(pilot, app)
        form = await copying(pilot, app, store)
        area = form.query_one(TextArea)
        assert area.text == '{"note": "a\\u202eb"}', "nothing that turns the screen around reaches it"
        area.load_text('{"note": ')
        await until(pilot, lambda: "✗ payload is not JSON" in screen_text(app))
        await pilot.press("ctrl+s")
        assert app.screen is form
        area.load_text('{"note": 1}')
        form.query_one("#copy-url").value = "http://127.0.0.1:9/other"  # type: ignore[attr-defined]  # an Input
        await until(pilot, lambda: "edited, 11 B" in screen_text(app))
        assert "--url http://127.0.0.1:9/other --data @edited.json" in " ".join(screen_text(app).split())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(store.copies(accepted.id, limit=5)) == 1)
        (copy,) = store.copies(accepted.id, limit=5)
        assert store.event(copy).payload == b'{"note": 1}'
        (delivery,) = store.deliveries(DeliveryFilter(event_id=copy), limit=5)
        assert (delivery.endpoint_id, delivery.url) == (crm.id, "http://127.0.0.1:9/other")


async def test_what_is_not_edited_is_sent_to_the_byte(store: Store, clock: MovableClock, make_console: Make) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    payload = '{"note":\n\t"a\u202eb" }'.encode()
    (accepted,) = store.accept([make_event(payload=payload)], clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await started(pilot, app)
        await copying(pilot, app, store)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: store.copies(accepted.id, limit=5))
        assert store.event(store.copies(accepted.id, limit=5)[0]).payload == payload


@pytest.mark.parametrize("text", ["plain", "a\x85b", "\u202e", "\U000e0001", '"\u2066"'])
def test_what_is_escaped_means_the_same(text: str) -> None:
    shown = escaped(f'"{text.strip(chr(34))}"')
    assert shown.isprintable()
    assert __import__("json").loads(shown) == text.strip('"')


async def test_u_takes_back_my_last_action(store: Store, clock: MovableClock, make_console: Make) -> None:
    crm = add_endpoint(store, now_ms=clock.now_ms())
    pause_endpoint(store, crm.id, actor="bob@elsewhere", reason=None, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await started(pilot, app)
        await pilot.press("u")
        await until(pilot, lambda: "nothing of yours can be taken back" in screen_text(app))
        pause_endpoint(
            store, crm.id, actor="ada@test", reason="mine", now_ms=clock.now_ms(), resume_at_ms=clock.now_ms() + 90_000
        )
        await until(pilot, lambda: "resumes 1m" in screen_text(app))
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and "crm is paused again" in screen_text(app))
        assert "operations undo op_000002" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: store.find_endpoint("crm").resume_at_ms is None)
        assert store.operations(limit=1)[0].kind is OperationKind.UNDO


async def test_who_else_is_watching(store: Store, clock: MovableClock, make_console: Make) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    now_ms = clock.now_ms()
    bob = Watcher(id="b", actor="bob@box from 192.0.2.7", place="Home › crm", since_ms=now_ms, seen_at_ms=now_ms)
    store.watch(bob)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "2 watching" in screen_text(app))
        assert {one.actor for one in store.watchers(clock.now_ms())} == {"ada@test", bob.actor}
        await pilot.press("a")
        await until(pilot, lambda: "also watching  bob@box from 192.0.2.7 · Home › crm" in screen_text(app))
    assert store.watchers(clock.now_ms()) == [bob], "who leaves is not listed any more"


async def test_a_read_only_console_is_not_written_down(store: Store, clock: MovableClock, make_console: Make) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    bob = Watcher(id="b", actor="bob@box", place="Home", since_ms=clock.now_ms(), seen_at_ms=clock.now_ms())
    store.watch(bob)
    app = make_console(read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "2 watching" in screen_text(app))
        assert store.watchers(clock.now_ms()) == [bob]


async def test_the_head_of_a_line_is_skipped_after_it_was_shown(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fifo = add_endpoint(store, now_ms=clock.now_ms(), policy={"ordering": Ordering.FIFO})
    store.accept([make_event() for _ in range(3)], clock.now_ms())
    first = min(d.id for d in store.deliveries(DeliveryFilter(), limit=5))
    app = make_console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await started(pilot, app)
        app.run_worker(skip_head(app, fifo))
        await until(pilot, lambda: "2 wait behind it" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: store.delivery(first).state == "cancelled")
        assert store.first_in_line(fifo.id) == first + 1


def test_the_audit_log_is_filtered_by_its_parts(store: Store) -> None:
    crm = add_endpoint(store)
    pause_endpoint(store, crm.id, actor="ada@box from 192.0.2.7", reason="their deploy", now_ms=crm.created_at_ms)
    (row,) = store.operations(limit=1)
    for text in (
        "kind:pause who:ada",
        "who:192.0.2.7",
        "endpoint:crm",
        "why:deploy",
        "result:paused",
        "ada deploy",
        "",
    ):
        assert matches(row, text), text
    for text in ("kind:retry", "who:deploy", "endpoint:ada", "bob", "kind:pause who:bob"):
        assert not matches(row, text), text
