"""The transform of an endpoint, edited beside what it makes of a past event: what is saved, and what is said."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from console.domain.endpoint import EndpointSpec
from console.domain.ids import EventId
from console.domain.operation import OperationKind
from console.domain.transform import Transform
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.screens import transform
from console.ui.screens.home import HomeScreen
from console.ui.screens.transform import TransformScreen
from console.ui.widgets.confirm import ConfirmScreen
from tests.factories import add_endpoint, make_event
from tests.ui.conftest import MovableClock, screen_text, until
from tests.ui.inspected import HOSTILE, assert_nothing_raw

Make = Callable[..., ConsoleApp]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform, "TRY_AFTER_S", 0.02)


@pytest.fixture
def crm(store: Store, clock: MovableClock) -> EndpointSpec:
    endpoint = add_endpoint(store, name="crm", types=("invoice.*",), now_ms=clock.now_ms())
    events = [("old", b'{"n": 1}'), ("new", b'{"n": 2}')]
    store.accept([make_event(id=EventId(f"evt_{name}"), payload=payload) for name, payload in events], clock.now_ms())
    store.accept([make_event(type="lead.new", id=EventId("evt_lead"))], clock.now_ms())
    return endpoint.spec


async def open_transform(pilot: Pilot[int], app: ConsoleApp) -> None:
    await until(pilot, lambda: app.snapshot is not None and "crm" in screen_text(app))
    await pilot.press("M")
    await until(pilot, lambda: isinstance(app.screen, TransformScreen) and "Event 1 of 2" in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_is_typed_is_tried_on_real_events_and_saved_through_the_audit_log(
    store: Store, crm: EndpointSpec, make_console: Make, size: tuple[int, int]
) -> None:
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await open_transform(pilot, app)
        assert "evt_new" in screen_text(app)
        await pilot.press(*'{"text": {{ payload.n }}}')
        await until(pilot, lambda: '"text": 2' in screen_text(app))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "Event 2 of 2" in screen_text(app) and '"text": 1' in screen_text(app))
        await pilot.press("shift+tab", *"payload.n > 1")
        await until(pilot, lambda: "· not owed" in screen_text(app))
        assert "✓ ^s saves: when, body" in screen_text(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "nothing is changed yet" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    now = store.find_endpoint("crm")
    assert now.filter == "payload.n > 1"
    assert now.transform is not None
    assert now.transform.body == '{"text": {{ payload.n }}}'
    operation = store.operations(limit=1)[0]
    assert (operation.kind, operation.result) == (OperationKind.ENDPOINT_EDIT, "when, body")


async def test_what_cannot_be_read_says_where_and_is_not_saved(
    store: Store, crm: EndpointSpec, make_console: Make
) -> None:
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_transform(pilot, app)
        await pilot.press(*"{{ payload.n | mony }}")
        await until(pilot, lambda: "line 1, column 16" in screen_text(app))
        lines = screen_text(app).splitlines()
        at = next(n for n, line in enumerate(lines) if line.rstrip().endswith("^"))
        assert lines[at - 1][lines[at].index("^") :].startswith("mony")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any("mony" in one.message for one in app._notifications))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    assert store.find_endpoint("crm").spec == crm


async def test_another_who_was_quicker_is_not_written_over_unseen(
    store: Store, crm: EndpointSpec, make_console: Make, clock: MovableClock
) -> None:
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_transform(pilot, app)
        await pilot.press(*"{}")
        endpoint = store.find_endpoint("crm")
        store.edit_endpoint(endpoint.id, replace(endpoint.spec, filter="payload.n > 5"), clock.now_ms())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any("another changed it meanwhile" in one.message for one in app._notifications))
        assert store.find_endpoint("crm").transform is None
        await pilot.press("ctrl+s")
        await until(pilot, lambda: store.find_endpoint("crm").transform is not None)


async def test_hostile_templates_and_payloads_are_shown_and_never_obeyed(
    store: Store, make_console: Make, clock: MovableClock
) -> None:

    add_endpoint(store, name="crm", transform=Transform(body=HOSTILE, content_type="text/plain"), now_ms=clock.now_ms())
    payload = b'{"a": "\\u001b]52;c;ZXZpbA==\\u0007"}'
    store.accept([make_event(payload=payload), make_event(payload=payload)], clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_transform(pilot, app)
        assert_nothing_raw(app)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "The payload, as it came" in screen_text(app))
        assert_nothing_raw(app)


async def test_looking_only_nothing_is_saved(store: Store, crm: EndpointSpec, make_console: Make) -> None:
    app = make_console(read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.snapshot is not None and "crm" in screen_text(app))
        await pilot.press("M")
        await pilot.pause()
        assert not isinstance(app.screen, TransformScreen), "as with e, which edits too"
