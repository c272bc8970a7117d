"""Asking before something happens: a question with a preview, and a line of text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from console.domain.errors import InvalidInputError
from console.ui.format import inline, one_line, sanitise
from console.ui.widgets.dialog import Dialog
from console.ui.widgets.safe_input import SafeInput

DANGER_SIGN = "‼ "
"""Said before the title of what cannot be taken back; the border's colour alone would not be enough."""

_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")


class ConfirmScreen(Dialog[bool]):
    """Yes or no, with a preview of what yes will do. No comes first and has the focus; Esc is no."""

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no"),
        Binding("left,h,right,l", "other_button", "Other button", show=False, id="confirm.other"),
        Binding("j,down", "scroll_body(1)", "Down", show=False, id="confirm.down"),
        Binding("k,up", "scroll_body(-1)", "Up", show=False, id="confirm.up"),
    ]

    def __init__(
        self,
        title: str,
        body: Sequence[str] = (),
        *,
        danger: bool = False,
        yes: str = "Yes",
        no: str = "No",
    ) -> None:
        super().__init__(classes="-danger" if danger else None)
        self._title = (DANGER_SIGN if danger else "") + inline(title)
        self._body = sanitise("\n".join(body))
        self._labels = (inline(no), inline(yes))

    def compose(self) -> ComposeResult:
        no, yes = self._labels
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                yield Static(Content(self._body))
            with Horizontal(classes="dialog--buttons"):
                yield Button(Content(f"{no} (n)"), id="no")
                yield Button(Content(f"{yes} (y)"), id="yes")

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_other_button(self) -> None:
        self.focus_next(Button)

    def action_scroll_body(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


_PROMPT_HINT = "Enter accepts   Esc cancels"


class PromptScreen(Dialog[str | None]):
    """One line of text, of at most `max_length` characters (0: any). Enter accepts it, trimmed; Esc gives None.

    Args:
        check: called with a text that is not empty; what it refuses with InvalidInputError is said, and asked again.
    """

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", id="prompt.cancel")]

    def __init__(
        self,
        title: str,
        body: Sequence[str] = (),
        *,
        value: str = "",
        placeholder: str = "",
        required: bool = False,
        max_length: int = 0,
        check: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self._title = inline(title)
        self._body = sanitise("\n".join(body))
        self._value = value
        self._placeholder = inline(placeholder)
        self._required = required
        self._max_length = max_length
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog--title")
            if self._body:
                with VerticalScroll(classes="dialog--body", can_focus=False):
                    yield Static(Content(self._body))
            yield SafeInput(self._value, placeholder=self._placeholder, max_length=self._max_length)
            yield Static(Content(_PROMPT_HINT), classes="dialog--hint")

    def on_mount(self) -> None:
        self.query_one(SafeInput).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if not text and self._required:
            return
        try:
            if text and self._check is not None:
                self._check(text)
        except InvalidInputError as error:
            self._say(f"✗ {one_line(str(error), 200)}", wrong=True)
            return
        self.dismiss(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._say(_PROMPT_HINT, wrong=False)

    def _say(self, words: str, *, wrong: bool) -> None:
        hint = self.query_one(".dialog--hint", Static)
        if str(hint.content) == words:
            return  # it would be laid out anew, and with it all that is below the dialog be painted
        hint.update(Content(words))
        hint.set_class(wrong, "-wrong")

    def action_cancel(self) -> None:
        self.dismiss(None)


def _is_as_high(shown: Static, words: Content) -> bool:
    """Whether other words take as many lines: then nothing else moves, and only they are painted."""
    before, width = shown.content, shown.content_size.width
    if not isinstance(before, Content) or not width:
        return False
    rules = shown.styles.get_rules()
    return before.get_height(rules, width) == words.get_height(rules, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One line of a FieldsScreen. `check` is called with a text that is not empty; see PromptScreen."""

    label: str
    placeholder: str = ""
    value: str = ""
    required: bool = False
    max_length: int = 0
    check: Callable[[str], object] | None = None


_FIELDS_HINT = "Enter accepts   Tab next line   Esc cancels"


class FieldsScreen(Dialog[tuple[str, ...] | None]):
    """Some lines of text. Enter accepts them all, trimmed, from any of them; Esc gives None.

    Args:
        also: called with the texts as they are typed: lines that say what they mean. It may raise InvalidInputError.
    """

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", id="fields.cancel")]

    def __init__(
        self,
        title: str,
        body: Sequence[str],
        fields: Sequence[Field],
        *,
        also: Callable[[tuple[str, ...]], Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._body, self._fields, self._also = inline(title), tuple(body), tuple(fields), also

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                yield Static(id="fields-body")
            for number, field in enumerate(self._fields):
                yield Static(Content(inline(field.label)), classes="dialog--label")
                yield SafeInput(
                    field.value,
                    placeholder=inline(field.placeholder),
                    max_length=field.max_length,
                    id=f"field-{number}",
                )
            yield Static(Content(_FIELDS_HINT), classes="dialog--hint")

    def on_mount(self) -> None:
        self._say_body()
        self.query_one("#field-0", SafeInput).focus()

    @property
    def texts(self) -> tuple[str, ...]:
        """What is written, trimmed."""
        return tuple(self.query_one(f"#field-{n}", SafeInput).value.strip() for n in range(len(self._fields)))

    def _say_body(self) -> None:
        lines = [*self._body]
        try:
            lines += self._also(self.texts) if self._also else ()
        except InvalidInputError:
            return
        words = Content(sanitise("\n".join(lines)))
        body = self.query_one("#fields-body", Static)
        if str(body.content) != words.plain:
            body.update(words, layout=not _is_as_high(body, words))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._say_body()
        self._say(_FIELDS_HINT, wrong=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        for number, (field, text) in enumerate(zip(self._fields, self.texts, strict=True)):
            try:
                if text and field.check is not None:
                    field.check(text)
                if field.required and not text:
                    raise InvalidInputError(f"{field.label}: is needed")
            except InvalidInputError as error:
                self._say(f"✗ {one_line(str(error), 200)}", wrong=True)
                self.query_one(f"#field-{number}", SafeInput).focus()
                return
        self.dismiss(self.texts)

    def _say(self, words: str, *, wrong: bool) -> None:
        hint = self.query_one(".dialog--hint", Static)
        if str(hint.content) == words:
            return  # it would be laid out anew, and with it all that is below the dialog be painted
        hint.update(Content(words))
        hint.set_class(wrong, "-wrong")

    def action_cancel(self) -> None:
        self.dismiss(None)
