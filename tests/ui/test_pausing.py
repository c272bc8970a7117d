"""Resuming at a pace: what waits is said, a pace is asked for, and the store has it afterwards."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import InvalidInputError
from console.domain.pacing import Pace
from console.operations.endpoints import pause_endpoint
from console.ui.pausing import parse_pace, pause_or_resume
from console.ui.widgets.confirm import PromptScreen
from tests.factories import make_event
from tests.ui.inspected import HOSTILE, Host, Scene, assert_nothing_raw, make_scene, seen_on, until

Resuming = Callable[..., AbstractAsyncContextManager[tuple[Host, Pilot[None], list[bool]]]]


def read_on(app: Host) -> str:
    """What a dialog says, as if its lines were not broken."""
    return " ".join(seen_on(app).replace("│", " ").split())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """`crm` and `mail` are paused: crm owes one that is due in five minutes, and 20 since two hours."""
    scene = make_scene(tmp_path)
    now_ms = scene.clock.now_ms()
    for endpoint in (scene.crm, scene.mail):
        pause_endpoint(scene.store, endpoint.id, actor="bob", reason=f"deploy{HOSTILE}", now_ms=now_ms)
    yield scene
    scene.store.close()


@pytest.fixture
def resuming(scene: Scene) -> Resuming:
    @asynccontextmanager
    async def resume(*endpoints: Endpoint) -> AsyncIterator[tuple[Host, Pilot[None], list[bool]]]:
        app, answers = scene.host(), list[bool]()
        now = [scene.store.find_endpoint(endpoint.id) for endpoint in endpoints]

        async def run() -> None:
            answers.append(await pause_or_resume(app, *now))

        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            app.run_worker(run())
            await until(pilot, lambda: isinstance(app.screen, PromptScreen) and "Esc cancels" in seen_on(app))
            yield app, pilot, answers

    return resume


@pytest.mark.parametrize(
    ("text", "pace"),
    [
        ("", None),
        ("  ", None),
        ("20/s", Pace(per_s=20, ramp_s=0, since_ms=7)),
        ("600/m over 5m", Pace(per_s=10, ramp_s=300, since_ms=7)),
        (" 20/S  OVER 90s ", Pace(per_s=20, ramp_s=90, since_ms=7)),
    ],
)
def test_a_pace_is_a_rate_and_maybe_a_climb(text: str, pace: Pace | None) -> None:
    assert parse_pace(text, 7) == pace


@pytest.mark.parametrize("text", ["20", "fast", "0/s", "20/s over", "20/s over a while", "20/s 5m", "over 5m"])
def test_what_is_no_pace_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_pace(text)
    assert "\n" not in str(caught.value)


async def test_it_says_what_waits_and_how_old_it_is(scene: Scene, resuming: Resuming) -> None:
    scene.store.accept([make_event(type="invoice.due") for _ in range(20)], scene.clock.now_ms())
    scene.clock.advance(2 * 3600 + 60)
    async with resuming(scene.crm) as (app, _, _answers):
        shown = read_on(app)
        assert "Resume crm: how fast?" in shown
        assert "21 wait, the oldest due 2h01m ago · paused, because: deploy" in shown
        assert_nothing_raw(app)


async def test_a_rate_and_a_climb_reach_the_store_and_the_log(scene: Scene, resuming: Resuming) -> None:
    async with resuming(scene.crm) as (app, pilot, answers):
        await pilot.press(*"20/s over 5m", "enter")
        await until(pilot, lambda: "reason, kept in the audit log" in seen_on(app))
        assert "endpoints resume crm --rate 20/s --ramp 5m" in read_on(app), "the command that does the same"
        assert "up to 20/s within 300 s" in seen_on(app)
        await pilot.press(*"fixed", "enter")
        await until(pilot, lambda: answers == [True])
        assert app.said == ["crm is active, up to 20/s within 300 s"]
    crm = scene.store.find_endpoint("crm")
    assert crm.state is EndpointState.ACTIVE
    assert crm.pace == Pace(per_s=20, ramp_s=300, since_ms=scene.clock.now_ms())
    (act,) = scene.store.operations(limit=1)
    assert (act.reason, act.result) == ("fixed", "paused → active, up to 20/s within 300 s")


async def test_a_wrong_pace_is_said_and_asked_again(scene: Scene, resuming: Resuming) -> None:
    async with resuming(scene.crm) as (app, pilot, answers):
        await pilot.press(*"20", "enter")
        await until(pilot, lambda: "write it as 50/s" in seen_on(app))
        assert scene.store.find_endpoint("crm").state is EndpointState.PAUSED
        await pilot.press(*"/s", "enter", "enter")
        await until(pilot, lambda: answers == [True])
    assert scene.store.find_endpoint("crm").pace == Pace(per_s=20, ramp_s=0, since_ms=scene.clock.now_ms())


async def test_nothing_typed_is_as_fast_as_the_policy_lets(scene: Scene, resuming: Resuming) -> None:
    async with resuming(scene.crm) as (app, pilot, answers):
        await pilot.press("enter")
        await until(pilot, lambda: "at most its max-in-flight at once" in seen_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: answers == [True])
    assert scene.store.find_endpoint("crm").pace is None


@pytest.mark.parametrize("keys", [("escape",), ("enter", "escape")])
async def test_escape_at_either_question_changes_nothing(
    scene: Scene, resuming: Resuming, keys: tuple[str, ...]
) -> None:
    async with resuming(scene.crm) as (app, pilot, answers):
        for key in keys:
            asked = app.screen
            await pilot.press(key)
            await until(pilot, lambda asked=asked: app.screen is not asked)  # type: ignore[misc]  # loop
        await until(pilot, lambda: answers == [False])
    assert scene.store.find_endpoint("crm").state is EndpointState.PAUSED


async def test_where_nothing_waits_no_pace_is_asked_for(scene: Scene, resuming: Resuming) -> None:
    async with resuming(scene.mail) as (app, pilot, answers):
        assert "nothing waits" in seen_on(app)
        assert "reason, kept in the audit log" in seen_on(app)
        await pilot.press("enter")
        await until(pilot, lambda: answers == [True])
    assert scene.store.find_endpoint("mail[bold]").state is EndpointState.ACTIVE


async def test_several_are_resumed_at_one_pace_each(scene: Scene, resuming: Resuming) -> None:
    async with resuming(scene.crm, scene.mail) as (app, pilot, answers):
        assert "at this rate each" in seen_on(app)
        await pilot.press(*"5/s", "enter")
        await until(pilot, lambda: "reason, kept" in seen_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: answers == [True])
        assert app.said == ["2 endpoints are active, at 5/s"]
    assert {e.pace.per_s for e in scene.store.endpoints() if e.pace} == {5.0}
