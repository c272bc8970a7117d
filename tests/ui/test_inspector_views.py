"""What the inspector opens and hides: differences, raw, why, what else was sent then, masked, search, signatures."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.domain.ids import EventId
from console.domain.signing import make_secret, sign
from console.ui.screens import inspector, signature
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.reading import DiffScreen, WhyScreen
from console.ui.screens.related import RelatedScreen
from console.ui.screens.signature import PasteArea, SignatureScreen
from console.ui.widgets.safe_input import SafeInput
from tests.factories import delivered, make_event, make_exchange
from tests.ui.inspected import HOSTILE, PAYLOAD, Host, Scene, assert_nothing_raw, make_scene, seen_on, until

NARROW, WIDE = (80, 24), (120, 40)
Open = Callable[..., AbstractAsyncContextManager[tuple[Host, Pilot[None]]]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(signature, "JUDGE_AFTER_S", 0.01)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """The scene, with one more attempt, which is signed as the engine signs."""
    scene = make_scene(tmp_path)
    scene.clock.advance(301)
    scene.beat()
    at_s = scene.clock.now_ms() // 1000
    signed = sign([scene.crm.secrets[0].text], "evt_scene", at_s, PAYLOAD)
    headers = (("webhook-id", "evt_scene"), ("webhook-timestamp", str(at_s)), ("webhook-signature", signed))
    scene.attempt(scene.crm, delivered(202), exchange=make_exchange(url=scene.crm.url, request_headers=headers))
    scene.store.accept([make_event(id=EventId("evt_later"), type="invoice.late")], scene.clock.now_ms())
    scene.clock.advance(3)
    scene.attempt(scene.crm, delivered(200))
    scene.beat()
    yield scene
    scene.store.close()


@pytest.fixture
def opened(scene: Scene) -> Open:
    @asynccontextmanager
    async def open_at(size: tuple[int, int] = WIDE) -> AsyncIterator[tuple[Host, Pilot[None]]]:
        app = scene.host()
        async with app.run_test(size=size, notifications=True) as pilot:
            await app.push_screen(InspectorScreen(scene.at_crm))
            await until(pilot, lambda: "Attempt 3 of 3" in seen_on(app) and "HTTP 202" in seen_on(app))
            yield app, pilot

    return open_at


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_d_compares_with_the_attempt_before_and_f_shows_all(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DiffScreen) and "- attempt 2" in seen_on(app))
        assert "+ outcome" in seen_on(app)
        assert_nothing_raw(app)
        await pilot.press("f")
        await until(pilot, lambda: "in full" in seen_on(app) and "asked for by the schedule" in seen_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))


async def test_d_compares_two_that_are_marked(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("space", "g", "space", "d")
        await until(pilot, lambda: "Attempts 1 and 3" in seen_on(app))
        await pilot.press("escape", "U", "g", "d")
        await until(pilot, lambda: app.said)
        assert "There is no attempt before this one" in app.said[0]


async def test_v_shows_what_was_on_the_wire(opened: Open) -> None:
    async with opened() as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: "POST /hook?token=[redacted]" in seen_on(app))
        assert app.focused is not None
        assert app.focused.id == "exchange"
        await pilot.press("[")
        await until(pilot, lambda: "Attempt 2 of 3" in seen_on(app) and HOSTILE[1:6] in seen_on(app))
        assert_nothing_raw(app)
        await pilot.press("v")
        await until(pilot, lambda: "TIMINGS" in seen_on(app))


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_i_says_why_and_how_it_was_signed(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, WhyScreen) and "by secret" in seen_on(app))
        shown = seen_on(app)
        assert "Delivered on attempt 3 of 10" in shown
        assert "evt_scene." in shown
        assert "HOW A RECEIVER VERIFIES IT" in shown


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_o_shows_what_else_the_endpoint_got_then(opened: Open, scene: Scene, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RelatedScreen) and "invoice.late" in seen_on(app))
        assert "crm, 5m before and after" in seen_on(app)
        assert "2 attempts, 0 failed, of 2 events" in seen_on(app)
        assert "+3.0s" in seen_on(app)
        await pilot.press("]")
        await until(pilot, lambda: "15m before and after" in seen_on(app) and "4 attempts, 2 failed" in seen_on(app))
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen) and "Delivered on attempt 1" in seen_on(app))
        assert isinstance(app.screen, InspectorScreen)
        assert app.screen.delivery_id != scene.at_crm


async def test_m_hides_all_values_here_and_in_what_is_copied(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMUX", "STY", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    async with opened() as (app, pilot):
        await pilot.press("m")
        await until(pilot, lambda: "masked" in seen_on(app) and "amount: 99.99" in seen_on(app))
        shown = seen_on(app)
        assert "42.10" not in shown
        assert 'currency: "xxx"' in shown
        await pilot.press("Y")
        await until(pilot, lambda: app.copied)
        command = base64.b64decode(app.copied[0].removeprefix("\x1b]52;c;").removesuffix("\x07")).decode()
        assert "42.10" not in command
        assert "hunter2" not in command
        await pilot.press("w", "enter")
        saved = tmp_path / "evt_scene-payload.json"
        await until(pilot, saved.exists)
        assert b"42.10" not in saved.read_bytes()
        await pilot.press("v", "d")
        await until(pilot, lambda: isinstance(app.screen, DiffScreen))
        await pilot.press("escape", "V")
        await until(pilot, lambda: isinstance(app.screen, SignatureScreen))
        assert not app.screen.query_one(PasteArea).text
        await pilot.press("escape", "m")
        await until(pilot, lambda: "42.10" in seen_on(app) and "masked" not in seen_on(app).splitlines()[0])


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_payload_is_searched(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("tab", "tab", "/", *"sku", "enter")
        await until(pilot, lambda: "match 1 of 2 for “sku”" in seen_on(app))
        await pilot.press("n")
        await until(pilot, lambda: "match 2 of 2" in seen_on(app))
        await pilot.press("N")
        await until(pilot, lambda: "match 1 of 2" in seen_on(app))
        assert "► " in next(line for line in seen_on(app).splitlines() if '"A-1"' in line)
        await pilot.press("/", *"zz")
        await until(pilot, lambda: "✗ no match" in seen_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: "match" not in seen_on(app))
        assert isinstance(app.screen, InspectorScreen)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_signature_debugger_names_the_mistake_as_it_is_typed(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size) as (app, pilot):
        await pilot.press("V")
        await until(pilot, lambda: isinstance(app.screen, SignatureScreen) and "The signature is right" in seen_on(app))
        assert "Got by crm" in seen_on(app)
        area = app.screen.query_one(PasteArea)
        area.text = area.text.replace('"amount":42.10', '"amount": 42.1')
        await until(pilot, lambda: "the same JSON, written anew" in " ".join(seen_on(app).split()))
        secret = make_secret(b"another one that signs nothing!")
        app.screen.query_one("#secret", SafeInput).value = secret
        await until(pilot, lambda: "is none of the endpoint's" in " ".join(seen_on(app).split()))
        assert secret not in seen_on(app)
        area.text = f"{HOSTILE}: x\n\n{HOSTILE}"
        await until(pilot, lambda: "no header" in " ".join(seen_on(app).split()))
        assert_nothing_raw(app)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "Got by crm" not in seen_on(app))
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "Nothing was pasted yet" in seen_on(app))
        await pilot.press("q", "?")
        assert area.text == "q?"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))
