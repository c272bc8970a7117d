"""The inspector over a real store: what it shows, every key, and that nothing from outside reaches the terminal raw."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.domain.endpoint import EndpointState
from console.domain.ids import AttemptId, DeliveryId
from console.domain.operation import OperationKind
from console.ui import clipboard
from console.ui.clipboard import osc52
from console.ui.screens import inspector
from console.ui.screens.inspector import InspectorScreen
from console.ui.widgets.confirm import ConfirmScreen, FieldsScreen, PromptScreen
from tests.factories import delivered
from tests.ui.inspected import HOSTILE, PAYLOAD, Host, Scene, assert_nothing_raw, exhausted, make_scene, seen_on, until

NARROW, WIDE = (80, 24), (120, 40)
Open = Callable[..., AbstractAsyncContextManager[tuple[Host, Pilot[None]]]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "LOOK_EVERY_S", 0.05)
    for name in ("TMUX", "STY", "TERM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = make_scene(tmp_path)
    yield scene
    scene.store.close()


@pytest.fixture
def opened(scene: Scene) -> Open:
    @asynccontextmanager
    async def open_at(
        size: tuple[int, int] = WIDE, *, screen: InspectorScreen | None = None, read_only: bool = False
    ) -> AsyncIterator[tuple[Host, Pilot[None]]]:
        app = scene.host(read_only=read_only)
        async with app.run_test(size=size, notifications=True) as pilot:
            await app.push_screen(screen or InspectorScreen(scene.at_crm))
            await until(pilot, lambda: ("Reading…" not in seen_on(app) and "HTTP 503;" in seen_on(app)) or screen)
            yield app, pilot

    return open_at


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_it_says_how_the_delivery_stands(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, _):
        shown = seen_on(app)
        assert "Waiting: next try in 4m58s (wait 3 of the schedule, 300 s ±20%)." in shown
        assert "running" in shown
        assert "data live" in shown
        assert "Attempt 2 of 2" in shown
        assert "9.5s" in shown
        assert "of 15s timeout" in shown
        assert "p Pause" in shown.splitlines()[-1]


async def test_wide_shows_every_pane_at_once(opened: Open) -> None:
    async with opened(WIDE) as (app, _):
        shown = seen_on(app)
        for part in ("Event evt_scene", "amount: 42.10", "REQUEST", "RESPONSE  HTTP 503", "mail[bold]", "wants lead.*"):
            assert part in shown
        assert "✓ delivered" in shown
        assert "· not owed" in shown


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_hostile_bytes_are_shown_and_never_obeyed(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        for keys in ("G", "tab", "G", "tab", "tab", "shift+tab", "shift+tab", "shift+tab", "k", "tab", "G"):
            await pilot.press(keys)
            await pilot.pause()
            assert_nothing_raw(app)
        await until(pilot, lambda: "x-evil" in seen_on(app))
        assert "␛]52;c;ZXZpbA==␇␦31m⇋evil[bold]$x[/]" in seen_on(app).replace("\n", "")
        assert not app.copied


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_j_and_k_go_through_the_attempts(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("k")
        await until(pilot, lambda: "Attempt 1 of 2" in seen_on(app) and "850ms" in seen_on(app))
        await pilot.press("j")
        await until(pilot, lambda: "Attempt 2 of 2" in seen_on(app))


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_brackets_step_through_attempts_from_any_pane(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("tab")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "exchange")
        await pilot.press("[")
        await until(pilot, lambda: "Attempt 1 of 2" in seen_on(app))
        await pilot.press("]")
        await until(pilot, lambda: "Attempt 2 of 2" in seen_on(app))
        assert app.focused is not None
        assert app.focused.id == "exchange"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_tab_goes_round_the_panes_and_shows_each(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        for pane, part in (
            ("exchange", "REQUEST"),
            ("payload", "amount: 42.10"),
            ("outcomes", "wants lead.*"),
            ("attempts", "schedule"),
        ):
            await pilot.press("tab")
            await until(pilot, lambda pane=pane: app.focused is not None and app.focused.id == pane)  # type: ignore[misc]  # a default argument keeps the loop's value
            await until(pilot, lambda part=part: part in seen_on(app))  # type: ignore[misc]  # as above
        await pilot.press("shift+tab")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "outcomes")


async def test_enter_on_an_attempt_goes_to_its_exchange(opened: Open) -> None:
    async with opened(NARROW) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "exchange")


async def test_y_sends_the_event_id_to_the_clipboard(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("y")
        await until(pilot, lambda: app.said)
        assert app.copied == [osc52("evt_scene", {})]
        assert app.said == ["event id evt_scene sent to the terminal's clipboard"]


async def test_shift_y_sends_a_curl_without_secrets(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("k", "Y")
        await until(pilot, lambda: app.copied)
        command = base64.b64decode(app.copied[0].removeprefix("\x1b]52;c;").removesuffix("\x07")).decode()
        assert command.startswith("curl -i --globoff --url 'http://127.0.0.1:9/hook?token=[redacted]'")
        assert "hunter2" not in command
        assert "webhook-signature: v1,K5oZ" in command
        assert PAYLOAD.decode() in command
        assert "secrets redacted" in app.said[0]


async def test_a_curl_too_long_for_the_clipboard_is_offered_as_a_file(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "CAP_BYTES", 100)
    monkeypatch.chdir(tmp_path)
    async with opened() as (app, pilot):
        await pilot.press("Y")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        assert not app.copied
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "evt_scene-curl.sh").exists())


async def test_w_saves_the_payload_or_the_response_in_focus(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened() as (app, pilot):
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        assert app.screen.query_one(Input).value == str(tmp_path / "evt_scene-payload.json")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.said) == 1)
        assert (tmp_path / "evt_scene-payload.json").read_bytes() == PAYLOAD
        assert (tmp_path / "evt_scene-payload.json").stat().st_mode & 0o777 == 0o600

        await pilot.press("tab")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "exchange")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press("enter")
        await until(pilot, lambda: len(app.said) == 2)
        response = tmp_path / "evt_scene-att_000003-response"
        assert response.read_bytes() == HOSTILE.encode() + b"\xff plain text"

        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press("enter")
        await until(pilot, lambda: len(app.said) == 3)
        assert "is there already" in app.said[-1]
        await pilot.press("w", "escape")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_r_asks_with_no_first_and_then_retries(opened: Open, scene: Scene, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "webhook-console deliveries retry dlv_000001" in seen_on(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))
        assert not scene.store.delivery(scene.at_crm).manual
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: "Due now (asked for by an operator)" in seen_on(app))
        assert scene.store.delivery(scene.at_crm).manual
        assert [o.kind for o in scene.store.operations(limit=5)] == [OperationKind.DELIVERY_RETRY]
        assert app.said == ["1 delivery due now"]


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_p_pauses_with_a_reason_and_resumes(opened: Open, scene: Scene, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, FieldsScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))
        assert scene.store.find_endpoint("crm").state is EndpointState.ACTIVE
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, FieldsScreen))
        await pilot.press(*"deploy", "enter")
        await until(pilot, lambda: "Held: the endpoint is paused since" in seen_on(app))
        assert "by ada@box, because: deploy" in " ".join(seen_on(app).split())
        assert scene.store.find_endpoint("crm").state_reason == "deploy"
        await pilot.press("p")
        await until(pilot, lambda: "Resume crm: how fast?" in seen_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: "reason, kept in the audit log" in seen_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Waiting: next try" in seen_on(app))
        assert scene.store.find_endpoint("crm").state is EndpointState.ACTIVE


async def test_read_only_has_no_keys_that_change_anything(opened: Open) -> None:
    async with opened(read_only=True) as (app, pilot):
        assert {"r", "p"}.isdisjoint(app.screen.active_bindings)
        await pilot.press("r", "p")
        await pilot.pause()
        assert isinstance(app.screen, InspectorScreen)
        assert "read-only" in seen_on(app)
        assert "Retry" not in seen_on(app).splitlines()[-1]


async def test_the_countdown_counts(opened: Open, scene: Scene) -> None:
    async with opened() as (app, pilot):
        scene.clock.advance(60)
        await until(pilot, lambda: "next try in 3m58s" in seen_on(app))
        assert "engine stale" in seen_on(app) or "no engine" in seen_on(app)


async def test_a_new_attempt_appears_and_is_followed(opened: Open, scene: Scene) -> None:
    async with opened() as (app, pilot):
        scene.clock.advance(301)
        scene.beat()
        scene.attempt(scene.crm, delivered(202))
        await until(pilot, lambda: "Delivered on attempt 3 of 10, 5m09s after it was accepted." in seen_on(app))
        await until(pilot, lambda: "Attempt 3 of 3" in seen_on(app))
        assert "HTTP 202" in seen_on(app)


async def test_an_attempt_under_way_shows_its_exchange_once_it_ended(opened: Open, scene: Scene) -> None:
    async with opened() as (app, pilot):
        scene.clock.advance(301)
        scene.beat()
        claimed = scene.claim(scene.crm)
        await until(pilot, lambda: "Under way: it is recorded when it ends." in seen_on(app))
        assert "Being sent now: attempt 3" in seen_on(app)
        assert "r" not in {k for k, b in app.screen.active_bindings.items() if b.enabled}
        scene.complete(claimed, delivered(200))
        await until(pilot, lambda: "The receiver accepted it: HTTP 200" in seen_on(app))
        assert "Under way" not in seen_on(app)


async def test_failed_for_good(opened: Open, scene: Scene) -> None:
    exhausted(scene)
    async with opened(screen=InspectorScreen(scene.at_crm)) as (app, pilot):
        await until(pilot, lambda: "Failed for good: HTTP 422; given up after 3 tries." in seen_on(app))


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_enter_jumps_to_another_endpoint_and_escape_comes_back(
    opened: Open, scene: Scene, size: tuple[int, int]
) -> None:
    async with opened(size) as (app, pilot):
        first = app.screen
        await pilot.press("shift+tab")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "outcomes")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not first and "Delivered on attempt 1" in seen_on(app))
        assert isinstance(app.screen, InspectorScreen)
        assert app.screen.delivery_id == scene.at_mail
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is first)
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.said)
        assert app.said == ["leads is not owed this event: wants lead.*, not invoice.paid"]
        assert app.screen is first
        await pilot.press("q")
        await until(pilot, lambda: app.screen is not first)


async def test_it_opens_at_the_attempt_that_was_asked_for(opened: Open, scene: Scene) -> None:
    async with opened(screen=InspectorScreen(scene.at_crm, AttemptId(2))) as (app, pilot):
        await until(pilot, lambda: "Attempt 1 of 2" in seen_on(app))


async def test_a_delivery_that_is_not_there_says_so(opened: Open) -> None:
    async with opened(screen=InspectorScreen(DeliveryId(999))) as (app, pilot):
        await until(pilot, lambda: "✗" in seen_on(app))
        await pilot.press("y", "Y", "w", "p", "enter", "tab", "]")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, InspectorScreen))
