"""Theme files: readable on every background, wrong ones reported by line, and live."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import Static

from console.domain.errors import ConfigError
from console.ui import themes
from console.ui.themes import (
    PREFIX,
    ThemeChange,
    ThemeWatcher,
    apply_theme,
    available_themes,
    builtin_themes_dir,
    load_theme,
    theme_changes,
    theme_files,
    theme_name,
    user_themes_dir,
)
from console.ui.widgets.columns import Column
from console.ui.widgets.confirm import ConfirmScreen
from console.ui.widgets.json_tree import JsonTree
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource

BUILTIN = theme_files([builtin_themes_dir()])
COLOURED = sorted(name for name in BUILTIN if name != "ansi")

TEXTS = ["foreground"] + [f"text-{name}" for name in ("primary", "success", "warning", "error", "accent", "muted")]
BACKGROUNDS = ["background", "surface", "panel", "block-cursor-background", "block-cursor-blurred-background"]
PAIRS = [
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("footer-foreground", "footer-background"),
    ("footer-key-foreground", "footer-background"),
    ("footer-description-foreground", "footer-background"),
    ("background", "primary"),
    ("background", "error"),
    ("foreground", "input-selection-background"),
]

MINIMAL = 'dark = true\n\n[colors]\nprimary = "#112233"\n'


def luminance(color: Color) -> float:
    """WCAG 2 relative luminance."""
    parts = [part / 255 for part in (color.r, color.g, color.b)]
    r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def variables_of(theme: Theme) -> dict[str, str]:
    return theme.to_color_system().generate() | theme.variables


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_themes_that_were_promised_are_there() -> None:
    assert {"dark", "light", "high-contrast", "ansi"} <= set(BUILTIN)
    assert themes.DEFAULT in BUILTIN


@pytest.mark.parametrize("name", COLOURED)
def test_text_can_be_read_on_every_background(name: str) -> None:
    colours = variables_of(load_theme(BUILTIN[name]))
    least = 7 if name == "high-contrast" else 4.5
    pairs = [(text, background) for text in TEXTS for background in BACKGROUNDS] + PAIRS
    poor = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < least} == {}


def test_high_contrast_needs_no_red_or_green() -> None:
    colours = variables_of(load_theme(BUILTIN["high-contrast"]))
    ok, error = Color.parse(colours["text-success"]), Color.parse(colours["text-error"])
    assert ok.b > ok.r
    assert error.r > error.b
    assert contrast(colours["text-success"], colours["text-error"]) < 1.5


def test_the_ansi_theme_uses_the_terminals_colours_only() -> None:
    theme = load_theme(BUILTIN["ansi"])
    assert theme.ansi
    values = [value for key, value in theme.variables.items() if not key.endswith("style")]
    assert all(value.startswith("ansi_") for value in values)


def test_names_do_not_clash_with_textuals() -> None:
    assert theme_name("nord") == f"{PREFIX}nord"
    assert theme_name(theme_name("nord")) == f"{PREFIX}nord"
    assert not [name for name in BUILTIN_THEMES if name.startswith(PREFIX)]


def test_user_themes_are_where_xdg_says(tmp_path: Path) -> None:
    assert user_themes_dir({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "webhook-console" / "themes"
    home = {"HOME": "/home/op", "XDG_CONFIG_HOME": "relative"}
    assert user_themes_dir(home) == Path("/home/op/.config/webhook-console/themes")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('dark = true\n[colors\nprimary = "#fff"', 2, "Expected"),
        ('dark = true\n[colors]\nprimary = "#12345', 3, "Unterminated string"),
        ("dark = true\n", 1, "primary"),
        (MINIMAL + 'error = "no-such-colour"\n', 5, "`no-such-colour` is no colour"),
        (MINIMAL + 'eror = "#fff"\n', 5, "unknown key `eror`"),
        (MINIMAL + "\n[text]\nok = 3\n", 7, "`ok` must be a text"),
        (MINIMAL + '\n[text]\ngood = "#fff"\n', 7, "unknown key `good`"),
        (MINIMAL + '\n[variables]\n# ok\nbordr = "#fff"\n', 8, "unknown variable `bordr`"),
        (MINIMAL + '\n[variables]\nborder = "#ggg"\n', 7, "`#ggg` is no colour"),
        (MINIMAL + '\n[variables]\nlink-style = "blinking"\n', 7, "`blinking` is no text style"),
        (MINIMAL.replace("true", '"yes"'), 1, "`dark` must be true or false"),
        ("colors = 3\ndark = true\n", 1, "`colors` must be a table"),
        ('extra = 1\ndark = true\n[colors]\nprimary = "#fff"\n', 1, "unknown key `extra`"),
    ],
)
def test_a_wrong_file_is_reported_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_theme(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert what in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml:1: No such file"):
        load_theme(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_theme(tmp_path / "latin.toml")


def test_a_broken_user_theme_does_not_hide_the_builtin_one(tmp_path: Path) -> None:
    (tmp_path / "dark.toml").write_text("dark = ")
    (tmp_path / "light.toml").write_text(MINIMAL)
    (tmp_path / ".hidden.toml").write_text("x")
    found, errors = available_themes([builtin_themes_dir(), tmp_path, tmp_path / "absent"])
    assert found["console-dark"].primary != "#112233"
    assert found["console-light"].primary == "#112233"
    assert [str(error).split(":")[0] for error in errors] == [str(tmp_path / "dark.toml")]


class Themed(App[None]):
    def compose(self) -> ComposeResult:
        columns = [Column(key="a", title="A", width=5)]
        source = ListSource(["row"], hash)
        yield LineTable(columns, source=source, row_key=hash, render_cell=lambda row, _: (row, "error"))
        yield JsonTree('{"a": 1}')
        yield Static("text")


@pytest.mark.parametrize("name", sorted(BUILTIN))
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_theme_paints_every_widget(name: str, size: tuple[int, int]) -> None:
    app = Themed()
    assert ThemeWatcher(app, [builtin_themes_dir()], lambda _: None).register() == []
    async with app.run_test(size=size) as pilot:
        app.theme = theme_name(name)
        await pilot.pause()
        app.push_screen(ConfirmScreen("Sure?", danger=True))
        await pilot.pause()
        assert app.current_theme.name == theme_name(name)


async def test_a_changed_theme_is_seen_at_once_and_its_subscribers_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    app = Themed()
    told: list[Theme] = []
    async with app.run_test() as pilot:
        apply_theme(app, load_theme(path))
        assert app.theme != "console-mine"
        app.theme = "console-mine"
        await pilot.pause()
        app.theme_changed_signal.subscribe(app.screen, told.append)
        path.write_text(MINIMAL.replace("true", "false") + 'background = "#abcdef"\n')
        apply_theme(app, load_theme(path))
        await pilot.pause()
        assert [theme.background for theme in told] == ["#abcdef"]
        assert app.query_one(LineTable).background_colors[1] == Color.parse("#abcdef")
        assert app.has_class("-light-mode")
        assert not app.has_class("-dark-mode")


async def write_until_seen(path: Path, text: str, changes: asyncio.Queue[ThemeChange]) -> ThemeChange:
    """Replace the file as editors do. A watch that has only just begun may miss the first time, so again if need be."""
    for _ in range(40):
        aside = path.with_suffix(".tmp")
        aside.write_text(text)
        aside.rename(path)
        try:
            return await asyncio.wait_for(changes.get(), 0.5)
        except TimeoutError:
            continue
    raise AssertionError("the change was never seen")


async def test_the_watcher_keeps_the_last_good_theme(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    app = Themed()
    changes: asyncio.Queue[ThemeChange] = asyncio.Queue()
    watcher = ThemeWatcher(app, [tmp_path], changes.put_nowait)
    watcher.register()
    async with app.run_test() as pilot:
        app.theme = "console-mine"
        stop = asyncio.Event()
        app.run_worker(watcher.watch(stop))
        good = await write_until_seen(path, MINIMAL + 'background = "#abcdef"\n', changes)
        assert isinstance(good, Theme)
        assert app.current_theme.background == "#abcdef"
        while not isinstance(broken := await write_until_seen(path, MINIMAL + "error = 3\n", changes), ConfigError):
            continue
        assert str(broken).startswith(f"{path}:5: ")
        assert app.current_theme.background == "#abcdef"
        stop.set()
        await app.workers.wait_for_complete()
        await pilot.pause()


async def test_a_directory_that_comes_later_is_watched(tmp_path: Path) -> None:
    wanted = tmp_path / "webhook-console" / "themes"
    changes: asyncio.Queue[ThemeChange] = asyncio.Queue()
    stop = asyncio.Event()

    async def watch() -> None:
        async for change in theme_changes([wanted], stop):
            changes.put_nowait(change)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        await asyncio.sleep(0)
        wanted.mkdir(parents=True)
        seen = await write_until_seen(wanted / "late.toml", MINIMAL, changes)
        assert isinstance(seen, Theme)
        assert seen.name == "console-late"
        stop.set()


def test_the_watcher_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, console.ui.themes; sys.exit('watchfiles' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
