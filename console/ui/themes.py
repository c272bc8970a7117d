"""Themes as files: read, checked with file and line, and taken over while the console runs."""

import os
import re
from asyncio import Event
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from textual.app import App
from textual.color import Color, ColorParseError
from textual.theme import Theme

from console.domain.errors import ConfigError
from console.toml_file import TomlFile
from console.ui.watching import changed_files

PREFIX: Final = "console-"
"""Before the name of every theme of ours, so that `nord.toml` does not replace Textual's `nord`."""

DEFAULT: Final = "dark"

_COLOURS = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
"""The keys of a theme's [colors] table: fields of textual.theme.Theme."""

_TEXT = {
    "accent": "text-accent",
    "error": "text-error",
    "muted": "text-muted",
    "ok": "text-success",
    "primary": "text-primary",
    "warning": "text-warning",
}
"""The words of a theme's [text] table, and the variable that each one sets."""

_ANSI_VARIABLES = {
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "foreground-disabled": "ansi_default",
    "surface-active": "ansi_default",
}
"""What Textual's style sheets use and an ANSI colour system leaves undefined, which would end the program."""


def theme_name(name: str) -> str:
    """The name Textual knows a theme file by: `dark` is `console-dark`. A name that has the prefix is left alone."""
    return name if name.startswith(PREFIX) else PREFIX + name


def builtin_themes_dir() -> Path:
    """Where the themes that come with the product are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent / "themes"


def user_themes_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where a user's own themes are. It need not exist."""
    env = os.environ if environ is None else environ
    config = env.get("XDG_CONFIG_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    base = Path(config) if config.startswith("/") else Path(env.get("HOME", "~")).expanduser() / ".config"
    return base / "webhook-console" / "themes"


def themes_dirs() -> tuple[Path, ...]:
    """The directories themes come from; a later one's file replaces an earlier one's of the same name."""
    return (builtin_themes_dir(), user_themes_dir())


def theme_files(directories: Iterable[Path]) -> dict[str, Path]:
    """Theme files by their short name, which is that of the file. A directory that cannot be read holds none."""
    found: dict[str, Path] = {}
    for directory in directories:
        try:
            found |= {path.stem: path for path in sorted(directory.iterdir()) if _is_theme_file(path)}
        except OSError:
            continue
    return found


def available_themes(directories: Iterable[Path]) -> tuple[dict[str, Theme], list[ConfigError]]:
    """Themes by Textual name, and what is wrong with the files that hold none.

    A user's broken file does not hide the theme of the same name that comes with the product.
    """
    themes: dict[str, Theme] = {}
    errors: list[ConfigError] = []
    for directory in directories:
        for path in theme_files([directory]).values():
            try:
                theme = load_theme(path)
            except ConfigError as error:
                errors.append(error)
            else:
                themes[theme.name] = theme
    return themes, errors


def load_theme(path: Path) -> Theme:
    """The theme in a file, named after the file. Raises ConfigError, `file:line: what`, on the first thing wrong."""
    return _ThemeFile(TomlFile.read(path)).theme()


def _is_theme_file(path: Path) -> bool:
    return path.suffix == ".toml" and not path.name.startswith(".")


class _ThemeFile:
    """One theme while it is read."""

    def __init__(self, file: TomlFile) -> None:
        self._file = file

    def theme(self) -> Theme:
        self._file.only("", self._file.data, ("dark", "ansi", "colors", "text", "variables"))
        dark, ansi = self._flag("dark"), self._flag("ansi", default=False)
        colours = self._file.texts("colors")
        self._file.only("colors", colours, _COLOURS)
        self._colours("colors", colours)
        if "primary" not in colours:
            raise self._file.wrong("", "colors", "[colors] needs `primary`")
        text = self._file.texts("text")
        self._file.only("text", text, _TEXT)
        self._colours("text", text)
        variables = self._file.texts("variables")
        theme = Theme(name=theme_name(self._file.path.stem), primary=colours["primary"], dark=dark, ansi=ansi)
        for key, colour in colours.items():
            setattr(theme, key, colour)
        defaults = _ANSI_VARIABLES if ansi else {}
        self._check_variables(variables, theme.to_color_system().generate() | defaults)
        theme.variables = defaults | {_TEXT[word]: colour for word, colour in text.items()} | variables
        return theme

    def _flag(self, key: str, default: bool | None = None) -> bool:
        value = self._file.data.get(key, default)
        if isinstance(value, bool):
            return value
        raise self._file.wrong("", key, f"`{key}` must be true or false")

    def _colours(self, table: str, colours: Mapping[str, str]) -> None:
        for key, value in colours.items():
            self._colour(table, key, value)

    def _colour(self, table: str, key: str, value: str) -> None:
        try:
            Color.parse(value)
        except ColorParseError:
            raise self._file.wrong(table, key, f"`{value}` is no colour") from None

    def _check_variables(self, variables: Mapping[str, str], known: Mapping[str, str]) -> None:
        for key, value in variables.items():
            if key not in known:
                raise self._file.wrong("variables", key, f"unknown variable `{key}`")
            if key.endswith("style") or "-style-" in key:
                self._text_style(key, value)
            elif not re.fullmatch(r"(auto|initial)( \d+%)?", value):
                self._colour("variables", key, re.sub(r"\s+\d+%$", "", value))

    def _text_style(self, key: str, value: str) -> None:
        known = {"none", "bold", "dim", "italic", "not", "reverse", "strike", "underline", "b", "d", "i", "r", "s", "u"}
        if not value.split() or not known.issuperset(value.split()):
            raise self._file.wrong("variables", key, f"`{value}` is no text style")


def apply_theme(app: App[Any], theme: Theme) -> None:
    """Register a theme, and when it is the one in use, repaint with it at once. On the UI thread."""
    app.register_theme(theme)
    if app.theme != theme.name:
        return
    # Setting `app.theme` to the name it has does nothing, so do what its watcher would.
    app.set_class(theme.dark, "-dark-mode", update=False)
    app.set_class(not theme.dark, "-light-mode", update=False)
    app._refresh_truecolor_filter(app.ansi_theme)
    app._invalidate_css()
    app.refresh_css(animate=False)
    app.theme_changed_signal.publish(theme)


ThemeChange = Theme | ConfigError


async def theme_changes(directories: Iterable[Path], stop: Event | None = None) -> AsyncIterator[ThemeChange]:
    """A theme each time its file is written, or what is wrong with it. See `changed_files`. A theme whose file was
    removed stays as it was."""
    async for path in changed_files(directories, _is_theme_file, stop):
        yield _outcome(path)


def _outcome(path: Path) -> ThemeChange:
    try:
        return load_theme(path)
    except ConfigError as error:
        return error


class ThemeWatcher:
    """Keeps an app's themes as their files are. Run `watch` as a worker of the app."""

    def __init__(self, app: App[Any], directories: Iterable[Path], report: Callable[[ThemeChange], None]) -> None:
        """`report` is told of every change, on the UI thread: a theme that was taken over, or an error."""
        self._app = app
        self._directories = tuple(directories)
        self._report = report

    def register(self) -> list[ConfigError]:
        """Make every theme known to the app, before it is chosen. Returns what is wrong with the other files."""
        themes, errors = available_themes(self._directories)
        for theme in themes.values():
            self._app.register_theme(theme)
        return errors

    async def watch(self, stop: Event | None = None) -> None:
        """Take over changed themes until cancelled. After an error the last good one stays in use."""
        async for change in theme_changes(self._directories, stop):
            if isinstance(change, Theme):
                apply_theme(self._app, change)
            self._report(change)
