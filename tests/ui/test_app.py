"""The app: keys everywhere, quitting, themes, trouble, and a header that never looks healthy when nothing moves."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import ConfigError, StoreError
from console.store import Store
from console.store.sqlite.reading import ReadingQueries
from console.ui.app import ConsoleApp
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.groups import GroupsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.home import HomeScreen
from tests.factories import add_endpoint, start_engine
from tests.ui.conftest import MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]


async def ready(pilot: Any, app: ConsoleApp) -> None:
    await until(pilot, lambda: isinstance(app.screen, HomeScreen) and app.snapshot is not None)


async def test_the_first_frame_waits_for_no_data(make_console: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_console()
    monkeypatch.setattr(app.feed, "start", lambda: None)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "reading the store" in screen_text(app))
        assert "… reading" in screen_text(app)


async def test_q_goes_back_and_quits_at_the_root(make_console: Make) -> None:
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await pilot.press("q")
        await until(pilot, lambda: app.return_value == 0)


async def test_quitting_leaves_an_engine_of_its_own_running(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    start_engine(store, now_ms=clock.now_ms())
    app = make_console(started_engine=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("q")
        await until(pilot, lambda: "Stop the engine too?" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.return_value == 0)
    status = store.engine_status()
    assert status is not None
    assert not status.stop_requested


async def test_quitting_stops_it_when_told_to(store: Store, clock: MovableClock, make_console: Make) -> None:
    start_engine(store, now_ms=clock.now_ms())
    app = make_console(started_engine=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await pilot.press("q")
        await until(pilot, lambda: "Stop the engine too?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: app.return_value == 0)
    status = store.engine_status()
    assert status is not None
    assert status.stop_requested


async def test_help_lists_the_keys_of_this_place(store: Store, clock: MovableClock, make_console: Make) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 60)) as pilot:
        await ready(pilot, app)
        for key in ("question_mark", "f1"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            await until(pilot, lambda: "Pause/resume" in screen_text(app))
            shown = screen_text(app)
            for words in ("Here", "Rows", "Moving", "Everywhere", "Zoom", "k ↑", "Rates of the last 1m"):
                assert words in shown, words
            assert "Scroll Left" not in shown
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_the_palette_opens_by_both_keys(make_console: Make) -> None:
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        for key in ("ctrl+p", "colon"):
            await pilot.press(key)
            await until(pilot, lambda: type(app.screen).__name__ == "CommandPalette")
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_an_engine_that_falls_silent_is_said_to_be_stale(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = start_engine(store, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        await until(pilot, lambda: "● running" in screen_text(app))
        clock.advance(4)
        await until(pilot, lambda: "▲ engine stale" in screen_text(app))
        clock.advance(120)
        await until(pilot, lambda: "■ no engine · silent 2m" in screen_text(app))
        store.heartbeat(epoch=epoch, in_flight=0, now_ms=clock.now_ms())
        await until(pilot, lambda: "● running" in screen_text(app))


async def test_data_that_no_longer_comes_says_how_old_it_is(
    make_console: Make, clock: MovableClock, store: Store
) -> None:
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        app.feed.stop()
        app.feed.join()
        clock.advance(30)
        await until(pilot, lambda: "▲ data 30s old" in screen_text(app))
        assert "data live" not in screen_text(app)


async def test_a_store_that_cannot_be_read_is_one_line_and_is_tried_again(
    make_console: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_console()
    broken = True

    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        read = ReadingQueries.engine_status

        def engine_status(self: Any) -> Any:
            if broken:
                raise StoreError("store.db: disk I/O error: run webhook-console status")
            return read(self)

        monkeypatch.setattr(ReadingQueries, "engine_status", engine_status)
        await until(pilot, lambda: "✗ store.db: disk I/O error" in screen_text(app))
        broken = False
        await until(pilot, lambda: "disk I/O error" not in screen_text(app))


async def test_the_notice_is_said_and_never_as_markup(make_console: Make) -> None:
    app = make_console(notice="started engine [bold]4242[/] \x1b[31m")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "[bold]4242[/]" in screen_text(app))
        assert "\x1b" not in screen_text(app)


def test_an_unknown_theme_is_refused_before_the_screen_opens(make_console: Make) -> None:
    with pytest.raises(ConfigError, match=r"no theme 'mauve'.*dark"):
        make_console(theme="mauve")


async def test_theme_and_no_colour(make_console: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_console(theme="light").theme == "console-light"
    assert make_console().theme == "console-dark"
    monkeypatch.setenv("NO_COLOR", "")
    app = make_console()
    assert app.theme == "console-ansi"
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        assert app.native_ansi_color


async def test_an_edited_theme_appears_and_a_broken_one_is_reported(
    make_console: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config" / "webhook-console" / "themes"
    folder.mkdir(parents=True)
    good = 'dark = true\n[colors]\nprimary = "#112233"\n'
    (folder / "mine.toml").write_text(good)
    app = make_console(theme="mine")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot, app)
        deadline = time.monotonic() + 20
        while "mine.toml:3" not in screen_text(app) and time.monotonic() < deadline:
            # Written again and again: the watcher is up at a time that nothing announces.
            (folder / "mine.toml").write_text(good.replace("#112233", "no colour"))
            await pilot.pause(0.3)
        assert "mine.toml:3" in screen_text(app).replace("\n", "")
        assert app.current_theme.primary == "#112233"
        (folder / "mine.toml").write_text(good.replace("#112233", "#445566"))
        await until(pilot, lambda: app.current_theme.primary == "#445566")


async def test_a_key_typed_ahead_of_a_screen_does_not_end_the_console(make_console: Make) -> None:
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot, app)
        app.push_screen(screen := FailuresScreen())
        assert not screen.is_mounted
        assert not await app.run_action("cycle_state", screen)
        await until(pilot, lambda: screen.is_mounted)
        assert await app.run_action("cycle_state", screen)
