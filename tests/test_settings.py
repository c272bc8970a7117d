"""A user's settings: which place wins, and what is said of a file that is wrong."""

from pathlib import Path

import pytest

from console.domain.errors import ConfigError
from console.settings import load_settings, settings_file


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def write(environ: dict[str, str], text: str) -> Path:
    path = settings_file(environ)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_all_is_as_built_in(environ: dict[str, str]) -> None:
    settings = load_settings(environ)
    assert (settings.theme, settings.window, settings.alert_bell, settings.alert_notify) == (None, "5m", True, "auto")
    assert {setting.source for setting in settings.by_name.values()} == {"built in"}


def test_a_flag_comes_before_the_environment_before_the_file(environ: dict[str, str]) -> None:
    path = write(environ, 'theme = "light"\nwindow = "1h"\n[alerts]\nbell = false\n')
    settings = load_settings(
        environ | {"WEBHOOK_CONSOLE_WINDOW": "15m", "WEBHOOK_CONSOLE_THEME": "dark"}, {"theme": "x"}
    )
    shown = {name: (s.value, s.source) for name, s in settings.by_name.items()}
    assert shown["theme"] == ("x", "--theme")
    assert shown["window"] == ("15m", "$WEBHOOK_CONSOLE_WINDOW")
    assert shown["alerts.bell"] == (False, f"{path}:4")
    assert shown["alerts.banner"] == (True, "built in")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = 3", ":1: `theme` must be a text"),
        ('\nwindow = "7m"', ":2: `window` must be one of 1m, 5m"),
        ("[alerts]\nbell = 1", ":2: `bell` must be true or false"),
        ("[alerts]\nhorn = true", ":2: unknown key `horn`"),
        ("[keys]\n'home.failures' = ''", ":2: `home.failures`: keys such as"),
        ("colour = 1", ":1: unknown key `colour`"),
        ("theme = ", ":1: "),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(environ: dict[str, str], text: str, said: str) -> None:
    path = write(environ, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(environ)
    assert str(caught.value).startswith(f"{path}{said}")
    assert "\n" not in str(caught.value)
    assert load_settings(environ, file=False).window == "5m"


def test_a_wrong_variable_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"\$WEBHOOK_CONSOLE_MOUSE: 'perhaps': must be true or false"):
        load_settings(environ | {"WEBHOOK_CONSOLE_MOUSE": "perhaps"})


def test_keys_are_kept_with_their_lines(environ: dict[str, str]) -> None:
    path = write(environ, "[keys]\n\"home.failures\" = 'ctrl+f'\n")
    settings = load_settings(environ)
    assert settings.keys == {"home.failures": "ctrl+f"}
    assert settings.key_lines == {"home.failures": f"{path}:2"}
