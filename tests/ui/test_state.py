"""What is remembered from one console to the next: the file, many consoles at it, and what they begin with."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.settings import Setting, Settings
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.screens.home import HomeScreen
from console.ui.screens.operations import OperationsScreen
from console.ui.state import FILE_NAME, LARGEST_BYTES, STORES_KEPT, Look, Remembered, StateFile, state_dir
from console.ui.widgets.attempt_tail import AttemptTail
from console.ui.widgets.header import SHOWN_WINDOWS
from tests.ui.conftest import MovableClock, screen_text, until
from tests.ui.test_home import fill, tables
from tests.ui.test_home import read as read_home

Make = Callable[..., ConsoleApp]

LEFT = Look(window="1h", endpoint="ep_x", filters={"tail": "5xx"}, sort=("pending", True), zoom="tail", screen="alerts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "webhook-console"


def file_of(folder: Path, store: str = "/srv/store.db", clock: MovableClock | None = None) -> StateFile:
    return StateFile(folder, Path(store), clock or MovableClock())


def test_what_is_written_is_read_by_the_same_store_alone(folder: Path) -> None:
    file = file_of(folder)
    assert file.read() == (Remembered(), None), "nothing is there yet, and that is no trouble"
    assert file.write(Remembered(look=LEFT, theme="light"), theme_chosen=True) is None
    read, trouble = file_of(folder).read()
    assert trouble is None
    assert replace(read.look, at_ms=0) == LEFT
    assert read.theme == "light"
    other, _ = file_of(folder, "/srv/other.db").read()
    assert (other.look, other.theme) == (Look(), "light")
    path = folder / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == [path]


@given(st.one_of(st.binary(max_size=60), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["version", "theme", "stores", "/srv/store.db", "window", "sort"]), inner),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_no_file_keeps_a_console_from_opening(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("state")
    (folder / FILE_NAME).write_bytes(data)
    _, trouble = file_of(folder).read()
    assert trouble is None or (trouble.startswith(str(folder / FILE_NAME)) and "\n" not in trouble)
    assert file_of(folder).write(Remembered(look=LEFT), theme_chosen=False) is None
    assert replace(file_of(folder).read()[0].look, at_ms=0) == LEFT, "and it is mended"


def test_a_huge_file_a_folder_in_its_place_and_a_read_only_home_are_said_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(b" " * (LARGEST_BYTES + 1))
    assert "larger than" in (file_of(folder).read()[1] or "")
    (folder / FILE_NAME).unlink()
    (folder / FILE_NAME).mkdir()
    assert "cannot be read" in (file_of(folder).read()[1] or "")
    assert "nothing is remembered" in (file_of(folder).write(Remembered(look=LEFT), theme_chosen=False) or "")
    # Root may write anywhere: a folder that cannot be made stands for one that cannot be written.
    assert "nothing is remembered" in (file_of(Path("/proc/nowhere")).write(Remembered(), theme_chosen=False) or "")
    assert file_of(Path("/proc/nowhere")).read() == (Remembered(), None)


def test_consoles_on_many_stores_lose_nothing_of_each_other(folder: Path) -> None:
    def use(number: int) -> str | None:
        file = file_of(folder, f"/srv/{number}.db")
        return file.write(Remembered(look=replace(LEFT, window=str(number))), theme_chosen=False)

    with ThreadPoolExecutor(8) as pool:
        troubles = [trouble for trouble in pool.map(use, range(24)) if trouble]
    assert troubles == []
    windows = [file_of(folder, f"/srv/{number}.db").read()[0].look.window for number in range(24)]
    assert windows == [str(number) for number in range(24)]


def test_another_consoles_theme_stays_unless_one_was_chosen_here(folder: Path) -> None:
    file_of(folder).write(Remembered(theme="light", theme_over="ansi"), theme_chosen=True)
    file_of(folder, "/srv/other.db").write(Remembered(look=LEFT, theme=None), theme_chosen=False)
    read, _ = file_of(folder).read()
    assert (read.theme, read.theme_over) == ("light", "ansi")


def test_the_stores_that_were_looked_at_longest_ago_are_forgotten(folder: Path) -> None:
    clock = MovableClock()
    for number in range(STORES_KEPT + 3):
        file_of(folder, f"/srv/{number}.db", clock).write(Remembered(look=LEFT), theme_chosen=False)
        clock.advance(1)
    kept = json.loads((folder / FILE_NAME).read_text())["stores"]
    assert len(kept) == STORES_KEPT
    assert "/srv/2.db" not in kept


def test_where_it_is() -> None:
    assert state_dir({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/webhook-console")
    home = {"XDG_STATE_HOME": "relative", "HOME": "/home/op"}
    assert state_dir(home) == Path("/home/op/.local/state/webhook-console")


# Consoles


async def test_a_console_begins_as_it_was_left(
    store: Store, clock: MovableClock, make_console: Make, folder: Path, store_path: Path
) -> None:
    fill(store, clock)
    app = make_console(state=StateFile(folder, store_path, clock))
    async with app.run_test(size=(120, 40)) as pilot:
        await read_home(pilot, app)
        app.choose_window(next(w for w in SHOWN_WINDOWS if w.label == "1h"))
        await pilot.press("O", "O", "O", "j", "enter")
        await until(pilot, lambda: app.focus_on is not None)
        await pilot.press("z", "a")
        await until(pilot, lambda: isinstance(app.screen, OperationsScreen))
        app.session.masked = True
        focus = app.focus_on
        home = next(screen for screen in app.screen_stack if isinstance(screen, HomeScreen))
        sort = home.query_one("#endpoints").sort  # type: ignore[attr-defined]  # EndpointTable
        app.exit()
    app.memory.close()

    again = make_console(state=StateFile(folder, store_path, clock))
    assert again.window.label == "1h"
    async with again.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(again.screen, OperationsScreen), "the screen that was open")
        assert again.focus_on == focus
        assert again.session.masked
        await pilot.press("q")
        await until(pilot, lambda: isinstance(again.screen, HomeScreen))
        assert tables(again)[0].sort == sort
        assert again.screen.has_class("-only-tail")
        await until(pilot, lambda: "Home › " in screen_text(again))

    fresh = make_console()
    assert fresh.window.label == "5m"
    assert fresh.focus_on is None


def _break(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text("{")


async def test_an_endpoint_that_is_gone_a_window_and_a_column_that_never_were_are_left_out(
    store: Store, clock: MovableClock, make_console: Make, folder: Path, store_path: Path
) -> None:
    fill(store, clock)
    file = StateFile(folder, store_path, clock)
    odd = Look(
        window="7y",
        endpoint="ep_gone",
        filters={"tail": "\x1b[31m422", "nowhere": "x"},
        sort=("nothing", True),
        zoom="left",
        screen="the_moon",
    )
    file.write(Remembered(look=odd, theme="no-such-theme"), theme_chosen=True)
    app = make_console(state=file)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and bool(app.screen.query(AttemptTail)))
        await until(pilot, lambda: len(tables(app)[0].rows) == 3 and app.focus_on is None)
        assert app.window.label == "5m"
        assert "\x1b" not in screen_text(app)


async def test_a_broken_file_is_said_and_the_console_opens(
    store: Store, clock: MovableClock, make_console: Make, folder: Path, store_path: Path
) -> None:
    fill(store, clock)
    _break(folder)
    app = make_console(state=StateFile(folder, store_path, clock))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await read_home(pilot, app)
        await until(pilot, lambda: "begins as new" in screen_text(app))


async def test_a_theme_chosen_in_the_palette_is_taken_until_the_settings_change(
    store: Store, clock: MovableClock, make_console: Make, folder: Path, store_path: Path
) -> None:
    fill(store, clock)
    file = StateFile(folder, store_path, clock)
    app = make_console(state=file)
    async with app.run_test(size=(80, 24)) as pilot:
        await read_home(pilot, app)
        app.memory.choose_theme("console-light")
        await until(pilot, lambda: (folder / FILE_NAME).exists())
        app.exit()
    app.memory.close()
    assert make_console(state=file).theme == "console-light"
    settings = Settings(by_name={**Settings().by_name, "theme": Setting("ansi", "config.toml")})
    assert make_console(state=file, theme="ansi").theme == "console-ansi", "a flag says otherwise"
    assert make_console(state=file, settings=settings).theme == "console-ansi", "the settings changed"
