"""The inspector at moments of the past: attempts and words as they were then, and nothing that came later."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import EventId
from console.domain.moment import Moment
from console.store import Store
from console.ui.inspector_words import explanation
from console.ui.past_inspection import read_past_inspection
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.reading import WhyScreen
from console.ui.screens.related import read_related
from tests.factories import delivered, make_event
from tests.ui.conftest import MovableClock, screen_text, until
from tests.ui.inspected import Scene, make_scene
from tests.ui.past_world import MINUTE_MS, MINUTES, make_incident
from tests.ui.test_past import Make


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """`crm` failed twice, at 0 s and 6 s, and took it at 308 s; the store goes on an hour later."""
    scene = make_scene(tmp_path)
    scene.clock.advance(300)
    scene.attempt(scene.crm, delivered(200))
    scene.clock.advance(3600)
    scene.store.accept([make_event()], scene.clock.now_ms())
    yield scene
    scene.store.close()


def words(scene: Scene, at_ms: int) -> str:
    return explanation(read_past_inspection(scene.store, scene.at_crm, at_ms), scene.clock.now_ms()).plain


def test_it_ends_at_the_moment(scene: Scene) -> None:
    first, second, third = read_past_inspection(scene.store, scene.at_crm, scene.clock.now_ms()).attempts
    assert second.ended_at_ms is not None
    assert third.ended_at_ms is not None
    between = read_past_inspection(scene.store, scene.at_crm, second.ended_at_ms + 1_000)
    assert [attempt.id for attempt in between.attempts] == [first.id, second.id]
    assert (between.delivery.state, between.delivery.attempts) == (DeliveryState.PENDING, 2)
    under_way = read_past_inspection(scene.store, scene.at_crm, second.started_at_ms)
    assert [attempt.ended_at_ms is None for attempt in under_way.attempts] == [False, True]
    assert under_way.delivery.state is DeliveryState.SENDING
    after = read_past_inspection(scene.store, scene.at_crm, third.ended_at_ms)
    assert after.delivery.state is DeliveryState.DELIVERED


def test_words_are_of_then_and_say_so(scene: Scene) -> None:
    _, second, _ = read_past_inspection(scene.store, scene.at_crm, scene.clock.now_ms()).attempts
    assert second.ended_at_ms is not None
    said = words(scene, second.ended_at_ms + 1_000)
    assert said.startswith("As of ")
    assert "under the endpoint's policy of today: Waiting: next try in 4m59s" in said
    assert "Delivered" not in said
    assert "The event was accepted later" in words(scene, second.started_at_ms - 3_600_000)


def test_before_its_first_attempt_it_was_held(scene: Scene) -> None:
    store, clock = scene.store, scene.clock
    paused_ms = clock.now_ms() + 1_000
    store.set_endpoint_state(scene.crm.id, EndpointState.PAUSED, "for now", paused_ms)
    clock.advance(2)
    store.accept([make_event(id=EventId("evt_held"))], clock.now_ms())
    store.record_levels(store.changed_levels(), clock.now_ms())
    where = DeliveryFilter(event_id=EventId("evt_held"), endpoints=(scene.crm.id,))
    (held,) = store.deliveries(where, limit=1)
    at_ms = clock.now_ms() + 1_000
    clock.advance(60)
    store.set_endpoint_state(scene.crm.id, EndpointState.ACTIVE, None, clock.now_ms())
    scene.attempt(scene.crm, delivered(200))
    scene.attempt(scene.crm, delivered(200))
    assert store.delivery(held.id).state is DeliveryState.DELIVERED
    then = read_past_inspection(store, held.id, at_ms)
    assert (then.delivery.state, then.delivery.held, then.attempts) == (DeliveryState.PENDING, True, ())
    assert "Held: the endpoint is paused" in explanation(then, clock.now_ms()).plain


def test_neighbours_are_those_that_had_begun(scene: Scene) -> None:
    first, second, _ = read_past_inspection(scene.store, scene.at_crm, scene.clock.now_ms()).attempts
    found = read_related(scene.store, first, 3600, second.started_at_ms)
    assert [(attempt.id, attempt.ended_at_ms is None) for attempt in found] == [(first.id, False), (second.id, True)]


async def test_the_screen_goes_through_time(make_console: Make, store: Store, clock: MovableClock) -> None:
    start_ms = (clock.now_ms() - (MINUTES + 10) * MINUTE_MS) // MINUTE_MS * MINUTE_MS
    incident = make_incident(store, start_ms)
    store.accept([make_event()], clock.now_ms())
    where = AttemptFilter(endpoints=(incident.crm.id,), failed_only=True)
    failed = store.attempts(where, AttemptPage(limit=1))[-1]
    assert failed.ended_at_ms is not None
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = InspectorScreen(failed.delivery_id)
        await app.push_screen(screen)
        await until(pilot, lambda: "Failed for good" in screen_text(app))
        assert screen.check_action("retry", ()) is True
        app.show_moment(Moment(at_ms=failed.started_at_ms))
        await until(pilot, lambda: "◷ PAST" in screen_text(app) and "Being sent now: attempt 1" in screen_text(app))
        assert "As of " in screen_text(app)
        await until(pilot, lambda: "HTTP 500" not in screen_text(app), "what it came to had not come yet")
        assert screen.check_action("retry", ()) is False
        app.show_moment(Moment(at_ms=failed.ended_at_ms + 5_000))
        await until(pilot, lambda: "As of" in screen_text(app) and "Failed for good" in screen_text(app))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, WhyScreen) and "SIGNATURE" in screen_text(app))
        assert "policy of today" in screen_text(app)
        app.show_moment(Moment(at_ms=failed.started_at_ms - 60_000))
        await until(pilot, lambda: app.screen is screen and "The event was accepted later" in screen_text(app))
        assert "No attempt was made yet." in screen_text(app)
        await pilot.press("L")
        await until(pilot, lambda: "As of" not in screen_text(app) and "Failed for good" in screen_text(app))
