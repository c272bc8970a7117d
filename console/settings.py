"""What a user prefers of the console: flags, environment, a file and what is built in, and where each came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from console.config import config_dir
from console.domain.errors import ConfigError
from console.domain.rates import WINDOWS
from console.toml_file import TomlFile

FILE_NAME = "config.toml"
DEFAULT_WINDOW = "5m"

Notify = Literal["auto", "osc9", "osc777", "off"]
NOTIFY: tuple[Notify, ...] = ("auto", "osc9", "osc777", "off")

Value = str | bool


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be set. `name` is `key`, or `table.key`, as the file has it."""

    name: str
    default: Value
    help: str
    allowed: tuple[str, ...] = ()
    """Texts that are allowed; empty: any."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it: `alerts.bell` is WEBHOOK_CONSOLE_ALERTS_BELL."""
        return "WEBHOOK_CONSOLE_" + self.name.replace(".", "_").upper()

    def parse(self, text: str) -> Value:
        """A text of a flag or of the environment. Raises ValueError, in words."""
        if isinstance(self.default, bool):
            word = text.strip().lower()
            if word in ("1", "true", "yes", "on"):
                return True
            if word in ("0", "false", "no", "off"):
                return False
            raise ValueError("must be true or false")
        return self.check(text)

    def check(self, value: object) -> Value:
        """A value of the file. Raises ValueError, in words."""
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ValueError("must be true or false")
            return value
        if not isinstance(value, str) or (self.allowed and value not in self.allowed):
            raise ValueError(
                f"must be one of {', '.join(self.allowed)}" if self.allowed else "must be a text in quotes"
            )
        return value


OPTIONS = (
    Option("theme", "", "name of a theme; empty: dark, or ansi where colours are turned off"),
    Option("window", DEFAULT_WINDOW, "what rates are shown of at first", tuple(w.label for w in WINDOWS)),
    Option("mouse", True, "whether the mouse can be used; without it a terminal's own selection works"),
    Option("state", True, "whether the console opens as it was left"),
    Option("alerts.banner", True, "a line on every screen while an alert fires"),
    Option("alerts.bell", True, "the terminal's bell when one begins to"),
    Option(
        "alerts.notify", "auto", "a notification of the terminal's own then; auto: where it is known to work", NOTIFY
    ),
)
_BY_NAME = {option.name: option for option in OPTIONS}
_TABLES = ("alerts", "keys")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it came from: `--theme`, `$WEBHOOK_CONSOLE_THEME`, `/…/config.toml:3`, `built in`."""

    value: Value
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, in the order of OPTIONS, and keys by the id of what they do."""

    by_name: Mapping[str, Setting] = field(
        default_factory=lambda: {option.name: Setting(option.default, "built in") for option in OPTIONS}
    )
    keys: Mapping[str, str] = field(default_factory=dict)
    """`home.failures` → `F` or `F,ctrl+f`."""
    key_lines: Mapping[str, str] = field(default_factory=dict)
    """Where each of the keys is set."""

    def _text(self, name: str) -> str:
        return str(self.by_name[name].value)

    @property
    def theme(self) -> str | None:
        return self._text("theme") or None

    @property
    def window(self) -> str:
        return self._text("window")

    @property
    def mouse(self) -> bool:
        return self.by_name["mouse"].value is True

    @property
    def state(self) -> bool:
        return self.by_name["state"].value is True

    @property
    def alert_banner(self) -> bool:
        return self.by_name["alerts.banner"].value is True

    @property
    def alert_bell(self) -> bool:
        return self.by_name["alerts.bell"].value is True

    @property
    def alert_notify(self) -> Notify:
        text = self._text("alerts.notify")
        return next((word for word in NOTIFY if word == text), "off")


def settings_file(environ: Mapping[str, str]) -> Path:
    """Where a user's settings are: `$XDG_CONFIG_HOME/webhook-console/config.toml`."""
    return config_dir(environ) / FILE_NAME


def load_settings(
    environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None, *, file: bool = True
) -> Settings:
    """What is set now: a flag before the environment, before the file, before what is built in.

    Args:
        environ: of the process.
        flags: by the option's name; None: not given.
        file: whether the user's file is read.

    Raises:
        ConfigError: one line that names the place.
    """
    path = settings_file(environ)
    read = TomlFile.read(path) if file and path.exists() else None
    found = dict(Settings().by_name)
    keys: dict[str, str] = {}
    lines: dict[str, str] = {}
    if read is not None:
        found |= _of_file(read)
        keys = read.texts("keys")
        lines = {name: f"{path}:{read.line_of('keys', name)}" for name in keys}
        _check_keys(keys, read)
    for option in OPTIONS:
        if text := environ.get(option.variable, ""):
            found[option.name] = Setting(_parsed(option, text, f"${option.variable}"), f"${option.variable}")
        given = (flags or {}).get(option.name)
        if given is not None:
            found[option.name] = Setting(_parsed(option, given, f"--{option.name}"), f"--{option.name}")
    return Settings(by_name=found, keys=keys, key_lines=lines)


def _parsed(option: Option, text: str, place: str) -> Value:
    try:
        return option.parse(text)
    except ValueError as problem:
        raise ConfigError(f"{place}: {text[:40]!r}: {problem}") from None


def _of_file(file: TomlFile) -> dict[str, Setting]:
    top = [name for name in _BY_NAME if "." not in name]
    file.only("", file.data, (*top, *_TABLES))
    file.only("alerts", file.table("alerts"), [n.partition(".")[2] for n in _BY_NAME if n.startswith("alerts.")])
    found: dict[str, Setting] = {}
    for name, option in _BY_NAME.items():
        table, dot, key = name.rpartition(".")
        values = file.table(table) if dot else file.data
        if key not in values:
            continue
        try:
            value = option.check(values[key])
        except ValueError as problem:
            raise file.wrong(table, key, f"`{key}` {problem}") from None
        found[name] = Setting(value, f"{file.path}:{file.line_of(table, key)}")
    return found


def _check_keys(keys: Mapping[str, str], file: TomlFile) -> None:
    for name, text in keys.items():
        if not text.strip() or any(not key.strip() or " " in key.strip() for key in text.split(",")):
            raise file.wrong("keys", name, f'`{name}`: keys such as "F" or "F,ctrl+f", separated by commas')
