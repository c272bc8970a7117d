"""Signing secrets on the screen: one that was just made, shown once, and the question of how to change to another."""

import os
import shlex
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError, InvalidInputError
from console.ui.clipboard import file_name, save, save_folder, send_from
from console.ui.endpoint_acts import DEFAULT_OVERLAP, Rotation, parse_overlap
from console.ui.format import inline, one_line, sanitise
from console.ui.widgets.dialog import Dialog
from console.ui.widgets.safe_input import SafeInput

_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")


class SecretScreen(Dialog[None]):
    """A secret that is shown this once. Esc asks again while it was neither copied nor saved.

    Args:
        title: whose it is.
        secret: `whsec_…`, or a public key `whpk_…`, which is no secret.
        again: where it can be read later; empty for nowhere.
    """

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", id="secret.copy"),
        Binding("w", "save", "Save to a file", id="secret.save"),
        Binding("escape,q,enter", "close", "Close", id="secret.close"),
    ]

    def __init__(self, title: str, secret: str, *, lines: tuple[str, ...] = (), again: str = "") -> None:
        super().__init__(classes="-plain" if again else "-once")
        self._title, self._secret, self._again = inline(title), secret, again
        self._lines = sanitise("\n".join(lines))
        self._taken = bool(again)

    def compose(self) -> ComposeResult:
        warning = self._again or "‼ Give it to the receiver now: it is not shown again."
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                if self._lines:
                    yield Static(Content(self._lines + "\n"))
                yield Static(Content(self._secret), classes="secret")
                yield Static(Content(f"\n{warning}"), classes="warning")
            yield Static(Content("y copies it   w saves it to a file   Esc closes"), classes="dialog--hint")

    def _say(self, words: str, *, wrong: bool = False) -> None:
        hint = self.query_one(".dialog--hint", Static)
        hint.update(Content(one_line(words, 300)))
        hint.set_class(wrong, "-wrong")

    def action_copy(self) -> None:
        sent = send_from(self.app, self._secret, "it was")
        self._taken = self._taken or sent.ok
        self._say(f"{sent.words}; terminals never answer: look whether it is there", wrong=not sent.ok)

    def action_save(self) -> None:
        path = save_folder(os.environ) / (file_name(self._title) + ".secret")
        try:
            where = save(path, f"{self._secret}\n".encode())
        except ConsoleError as error:
            self._say(f"✗ {error}", wrong=True)
        else:
            self._taken = True
            self._say(f"saved to {where}, which only you may read")

    def action_close(self) -> None:
        if self._taken:
            self.dismiss()
            return
        self._taken = True
        self._say("‼ it was neither copied nor saved: Esc again closes, and it is not shown again", wrong=True)


class RotateScreen(Dialog["Rotation | None"]):
    """Asks how to change an endpoint's signing secret. Enter goes on; Esc leaves everything as it is."""

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,shift+tab,up,down", "other_kind", "Other kind", id="rotate.kind"),
        Binding("escape", "cancel", "Cancel", id="rotate.cancel"),
    ]

    def __init__(self, endpoint: Endpoint, signing: int) -> None:
        """`signing`: how many secrets sign now."""
        super().__init__()
        self._endpoint, self._signing = endpoint, signing
        self._ed25519 = False

    def compose(self) -> ComposeResult:
        old = "does the old one" if self._signing == 1 else f"do the {self._signing} old ones"
        with Vertical(classes="dialog"):
            yield Static(Content(f"Rotate the secret of {inline(self._endpoint.name)}"), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                words = f"A new secret signs from now on. How long {old} sign too (0: not at all)?"
                yield Static(Content(words))
            yield SafeInput(DEFAULT_OVERLAP, placeholder="24h, 7d, 0", select_on_focus=False)
            yield Static(classes="kinds")
            yield Static(classes="same")
            yield Static(classes="dialog--hint")

    def on_mount(self) -> None:
        self.query_one(SafeInput).focus()
        self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show()

    def action_other_kind(self) -> None:
        self._ed25519 = not self._ed25519
        self._show()

    def action_cancel(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if (rotation := self._rotation()) is not None:
            self.dismiss(rotation)

    def _rotation(self) -> Rotation | None:
        try:
            overlap_s = parse_overlap(self.query_one(SafeInput).value)
        except InvalidInputError:
            return None
        return Rotation(overlap_s=overlap_s, ed25519=self._ed25519)

    def _show(self) -> None:
        text = self.query_one(SafeInput).value.strip()
        marks = ("( )", "(●)")
        self.query_one(".kinds", Static).update(
            Content(
                f"{marks[not self._ed25519]} a secret that both sides know (whsec_…)\n"
                f"{marks[self._ed25519]} an ed25519 key: receivers verify with its public key (whpk_…)"
            )
        )
        words = ["webhook-console", "endpoints", "rotate-secret", self._endpoint.name, "--overlap", text or "…"]
        line = shlex.join([*words, "--ed25519"] if self._ed25519 else words)
        self.query_one(".same", Static).update(Content(f"the same: {inline(line)}"))
        hint = self.query_one(".dialog--hint", Static)
        try:
            parse_overlap(text)
        except InvalidInputError as error:
            hint.update(Content(f"✗ {one_line(str(error), 200)}"))
            hint.add_class("-wrong")
        else:
            hint.update(Content("Enter rotates   Tab other kind   Esc cancels"))
            hint.remove_class("-wrong")
