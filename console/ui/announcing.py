"""Alerts that reach a person who does not look: the terminal's bell, and a notification of the terminal's own."""

from collections.abc import Callable, Mapping, Sequence

from console.domain.alerts import Alert, AlertRuleId
from console.settings import Notify, Settings
from console.ui.format import one_line

BELL = "\a"
_TITLE = "webhook-console"
_OSC_9 = ("iterm", "wezterm", "ghostty", "kitty", "foot")
_OSC_777 = ("rxvt", "vte")
_MOST_CELLS = 160


class Announcer:
    """Says what begins to fire, once, through `write` (the driver's way to the terminal)."""

    def __init__(self, write: Callable[[str], object], environ: Mapping[str, str]) -> None:
        self._write, self._environ = write, environ
        self._known: set[tuple[AlertRuleId, str | None]] | None = None

    def take(self, alerts: Sequence[Alert], settings: Settings) -> None:
        """What fires now. What did so when the console opened is on the screen, and was announced by others."""
        keys = {(alert.rule.id, alert.endpoint_name) for alert in alerts}
        fresh = [a for a in alerts if self._known is not None and (a.rule.id, a.endpoint_name) not in self._known]
        self._known = keys
        if not fresh:
            return
        if settings.alert_bell:
            self._write(BELL)
        newest = max(fresh, key=lambda alert: alert.fired_at_ms)
        more = f" and {len(fresh) - 1} more" if len(fresh) > 1 else ""
        if said := notification(newest.words + more, settings, self._environ):
            self._write(said)


def notification(words: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """The control sequence that makes a terminal notify; empty when it is turned off or the terminal is not known.

    OSC 9 is iTerm2's (also kitty, WezTerm, Ghostty, foot), OSC 777 is rxvt-unicode's (also terminals on VTE). Inside
    tmux it is passed on to the terminal outside (`allow-passthrough`).
    """
    asked = settings.alert_notify
    kind = _known_kind(environ) if asked == "auto" else asked
    # A title and a body are parted by semicolons, and a terminal obeys what is not plain text.
    text = one_line(words, _MOST_CELLS).replace(";", ",")
    if kind == "osc9":
        plain = f"\x1b]9;{_TITLE}: {text}\x07"
    elif kind == "osc777":
        plain = f"\x1b]777;notify;{_TITLE};{text}\x07"
    else:
        return ""
    if environ.get("TMUX"):
        return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return plain


def _known_kind(environ: Mapping[str, str]) -> Notify:
    # Over SSH only TERM comes along; TERM_PROGRAM is there when the console runs where the terminal is.
    names = f"{environ.get('TERM_PROGRAM', '')} {environ.get('TERM', '')} {environ.get('LC_TERMINAL', '')}".lower()
    if any(name in names for name in _OSC_9):
        return "osc9"
    return "osc777" if any(name in names for name in _OSC_777) or environ.get("VTE_VERSION") else "off"
