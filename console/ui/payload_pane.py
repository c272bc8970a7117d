"""The payload of an event, and the field in which one searches it."""

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from console.ui.format import inline
from console.ui.widgets.json_tree import MOST_MATCHES, JsonTree
from console.ui.widgets.safe_input import SafeInput


class PayloadTree(JsonTree):
    """A payload whose matches n and N go through."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", id="payload.search", tooltip="Search keys and values of the payload"),
        Binding("n", "match(1)", "Next", id="payload.next", tooltip="Next match"),
        Binding("N", "match(-1)", "Before", show=False, id="payload.before", tooltip="Match before"),
        Binding("escape", "end_search", "End the search", show=False, id="payload.end-search"),
    ]

    @property
    def _pane(self) -> "PayloadPane":
        pane = self.parent
        assert isinstance(pane, PayloadPane)
        return pane

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("match", "end_search"):
            return self._pane.is_searching
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        self._pane.ask()

    def action_match(self, step: int) -> None:
        self._pane.say_match(self.go_to_match(step))

    def action_end_search(self) -> None:
        self._pane.end()


class FindField(SafeInput):
    """Esc leaves it, and ends the search."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "End the search", id="payload.leave")]

    def action_leave(self) -> None:
        pane = self.parent
        assert isinstance(pane, PayloadPane)
        pane.end()


class PayloadPane(Vertical):
    """A title, the payload as a tree, and a line to search it, which comes with `/`."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")

    def __init__(self, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self._title, self._found, self._match = "Payload", 0, 0
        self._wanted = ""
        self._shown: bytes | None = None

    def compose(self) -> ComposeResult:
        yield Static("Payload", classes="pane--title")
        yield PayloadTree(id="payload")
        yield FindField(placeholder="a text in a key or a value; Enter, then n and N", id="find")

    @property
    def payload_tree(self) -> PayloadTree:
        return self.query_one(PayloadTree)

    @property
    def is_searching(self) -> bool:
        """Whether there is something to find."""
        return bool(self._wanted)

    def show(self, payload: bytes) -> None:
        """Another payload, or the same masked. A search begins anew."""
        if payload != self._shown:
            self._shown = payload
            self.payload_tree.show(payload)
            if self._wanted:
                self._search(self._wanted)

    def say_title(self, text: str) -> None:
        """What is above it, beside the matches."""
        self._title = text
        self._say()

    def ask(self) -> None:
        """Open the field."""
        field = self.query_one(FindField)
        field.display = True
        field.value = self._wanted
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.has_focus:
            self._search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value:
            self.end()
            return
        event.input.display = False
        self.payload_tree.focus()

    def _search(self, text: str) -> None:
        self._wanted = text
        self._found = self.payload_tree.find(text)
        self.say_match(1 if self._found else 0)
        self.screen.refresh_bindings()

    def say_match(self, number: int) -> None:
        """At which match one is."""
        self._match = number
        self._say()

    def end(self) -> None:
        """Search for nothing any more."""
        self._search("")
        self.query_one(FindField).display = False
        self.payload_tree.focus()

    def _say(self) -> None:
        parts: list[Content] = [Content(inline(self._title))]
        if self._wanted:
            most = "+" if self._found >= MOST_MATCHES else ""
            said = f"match {self._match:,} of {self._found:,}{most}" if self._found else "✗ no match"
            parts.insert(0, Content.styled(f"{said} for “{inline(self._wanted[:40])}”", "$text-warning"))
        self.query_one(".pane--title", Static).update(Content("  ").join(parts))
