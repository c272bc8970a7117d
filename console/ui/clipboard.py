"""Text out of the console: to the clipboard of the operator's terminal, or into a file of theirs."""

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.config import APP
from console.domain.errors import ConsoleError
from console.ui.format import size

if TYPE_CHECKING:
    from textual.app import App

CAP_BYTES = 74_994
"""What fits, in base64, into the 100,000 bytes that terminals take as one sequence."""

_SCREEN_CHUNK = 76
"""Bytes of one passthrough string: GNU screen prints what does not fit its buffer onto the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a copy, in words for the operator. A terminal never answers, so success is not known."""

    ok: bool
    words: str


class SaveError(ConsoleError):
    """A file could not be written."""


def osc52(text: str, environ: Mapping[str, str]) -> str:
    """The control sequence that asks a terminal to take `text` as its clipboard, wrapped for tmux and GNU screen.

    Inside tmux it is sent twice, plain and wrapped: which one tmux heeds depends on its settings (`set-clipboard`,
    `allow-passthrough`).
    """
    encoded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
    plain = f"\x1b]52;c;{encoded}\x07"
    if environ.get("TMUX"):
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environ.get("STY") or environ.get("TERM", "").startswith("screen"):
        chunks = [encoded[i : i + _SCREEN_CHUNK] for i in range(0, len(encoded), _SCREEN_CHUNK)] or [""]
        return "\x1bP\x1b]52;c;" + "\x1b\\\x1bP".join(chunks) + "\x07\x1b\\"
    return plain


def send(text: str, what: str, write: Callable[[str], object], environ: Mapping[str, str]) -> Sent:
    """Hand `text` to the terminal through `write`. `what` names it for the operator: `the event's id`."""
    n_bytes = len(text.encode("utf-8", "surrogateescape"))
    if n_bytes > CAP_BYTES:
        return Sent(ok=False, words=f"{what}: {size(n_bytes)} is more than terminals take ({size(CAP_BYTES)})")
    write(osc52(text, environ))
    through = " through tmux" if environ.get("TMUX") else ""
    return Sent(ok=True, words=f"{what} sent to the terminal's clipboard{through}")


def send_from(app: "App[Any]", text: str, what: str) -> Sent:
    """As `send`, to the terminal that the app runs in."""
    # App.copy_to_clipboard knows no passthrough and no cap; its driver is the only way out that is in step with frames.
    driver = app._driver
    return send(text, what, driver.write if driver is not None else (lambda _: None), os.environ)


def file_name(*parts: str) -> str:
    """A harmless file name from ids and words: nothing but letters, digits, `.`, `_` and `-`, and never hidden."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(part for part in parts if part)).strip(".-")[:120] or "saved"


def save_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The current folder when it can be written, else `$XDG_STATE_HOME/webhook-console`."""
    here = Path.cwd()
    if os.access(here, os.W_OK):
        return here
    base = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / APP


def save(path: Path, data: bytes) -> Path:
    """Write a new file that only its owner may read; nothing that is there is ever overwritten. Returns where it is.

    Raises:
        SaveError: one line that names the file and why.
    """
    path = path.expanduser().absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(data)
    except (OSError, ValueError) as error:
        if isinstance(error, FileExistsError) and os.path.lexists(path):
            raise SaveError(f"{path} is there already: choose another name") from None
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SaveError(f"{path} cannot be written: {reason}") from None
    return path
