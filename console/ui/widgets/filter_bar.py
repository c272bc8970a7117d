"""One line in which a filter is typed. It filters while one types, completes, and points at what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from console.domain.errors import QueryError
from console.domain.query_complete import Completion, Vocabulary, complete, while_typed
from console.ui.format import inline, one_line
from console.ui.widgets.completions import Completions
from console.ui.widgets.safe_input import SafeInput
from console.ui.widgets.text_line import TextLine

_LEFT = 2
"""Cells before what is typed."""


class FilterInput(SafeInput):
    """The line itself. At its end, Right takes what is offered."""

    def action_cursor_right(self, select: bool = False) -> None:
        bar = self.screen.query_one(FilterBar)
        if select or not self.cursor_at_end or not bar.take():
            super().action_cursor_right(select)


class FilterBar(Vertical):
    """Mount it to begin; it removes itself when Enter keeps the filter or Esc clears it.

    Args:
        check: what a text is understood as, in its own words; raises QueryError.
        vocabulary: what is offered.
        history: what was kept before, the newest last.
        parts: words without a key are parts of names, so that each letter narrows; else whole types and names.
    """

    DEFAULT_CSS = """
    FilterBar { height: auto; width: 1fr; background: $panel; }
    FilterBar > Horizontal { height: 1; }
    FilterBar > Horizontal > TextLine { width: 2; color: $text-accent; text-style: bold; }
    FilterBar FilterInput, FilterBar FilterInput:focus {
        height: 1; border: none; padding: 0; background: $panel; width: 1fr;
    }
    FilterBar > .filter-bar--said { color: $text-muted; }
    FilterBar > .filter-bar--said.-wrong { color: $text-error; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear the filter", id="filter.clear"),
        Binding("enter", "keep", "Keep it", id="filter.keep"),
        Binding("tab", "take", "Take what is offered", id="filter.take"),
        Binding("up", "step(-1)", "The one above, or what was typed before", show=False, id="filter.up"),
        Binding("down", "step(1)", "The one below", show=False, id="filter.down"),
        Binding("ctrl+s", "save", "Save it", id="filter.save"),
    ]

    class Changed(Message):
        """A filter that can be read. `closed`: no more is typed."""

        def __init__(self, text: str, *, closed: bool) -> None:
            super().__init__()
            self.text, self.closed = text, closed

    class SaveRequested(Message):
        """Keep this under a name."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(
        self,
        text: str,
        *,
        placeholder: str,
        check: Callable[[str], str],
        vocabulary: Vocabulary,
        history: Sequence[str] = (),
        parts: bool = False,
    ) -> None:
        super().__init__()
        self._text, self._placeholder, self._check = text, placeholder, check
        self._vocabulary, self._parts = vocabulary, parts
        self._history, self._back = list(history), 0
        self._good = True
        self._half_typed = False
        self._kept = False

    def compose(self) -> ComposeResult:
        yield Completions()
        with Horizontal():
            yield TextLine(" /")
            yield FilterInput(self._text, placeholder=self._placeholder, compact=True, select_on_focus=False)
        yield TextLine(classes="filter-bar--said", id="filter-place")
        yield TextLine(classes="filter-bar--said", id="filter-words")

    def on_mount(self) -> None:
        self._input.focus()
        self._input.cursor_position = len(self._text)
        self.watch(self._input, "selection", self._look, init=False)
        self._look()

    @property
    def _input(self) -> FilterInput:
        return self.query_one(FilterInput)

    @property
    def _offered(self) -> Completions:
        return self.query_one(Completions)

    def offers(self, text: str, at: int) -> list[Completion]:
        """What may stand at a place of the line. A list with a language of its own has others."""
        return complete(text, at, self._vocabulary)

    # What is typed

    @property
    def _typed(self) -> str:
        """What is asked for while one types."""
        return while_typed(self._input.value, self._input.cursor_position)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()
        if self._good and not self._half_typed and not self._kept:
            self.post_message(self.Changed(self._typed, closed=False))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    def _look(self) -> None:
        """Say what is wrong, or what the line is understood as, and offer what may stand at the cursor."""
        text = self._input.value
        at = self._input.cursor_position
        offered = self.offers(text, at)
        # A word that may become a key would be taken for a type meanwhile, and nothing would be left of the list.
        may_be_key = any(one.start < at and one.replacement.endswith(":") for one in offered)
        self._half_typed = may_be_key and not self._parts
        self._offered.show(offered)
        typed = self._typed
        try:
            understood = self._check(typed)
        except QueryError as error:
            self._good = False
            # What is half typed and can be completed is not wrong yet.
            typing = bool(offered) and bool(text) and error.end >= at >= error.start
            self._say_wrong(error, hidden=typing)
        else:
            self._good = True
            if typed != text:
                begun = understood or typed
                self._say(f"= {inline(begun)}  while it is typed; Enter looks for whole words", "", wrong=False)
                return
            same = understood == text.strip() or self._half_typed
            self._say("" if same or not understood else f"= {inline(understood)}", "", wrong=False)

    def _say_wrong(self, error: QueryError, *, hidden: bool) -> None:
        if hidden:
            self._say("", "", wrong=False)
            return
        text, width = error.text, self.size.width or self.app.size.width
        at = max(0, _cells(text[: error.start]) - self._input.scroll_offset.x)
        carets = "^" * max(1, min(_cells(text[error.start : error.end]), width - _LEFT - at))
        place = f"{' ' * at}{carets}"
        words = f"✗ {inline(str(error))}"
        if _LEFT + cell_len(place) + 1 + cell_len(words) <= width:
            self._say(f"{place} {words}", "", wrong=True)
        else:
            self._say(place, one_line(words, width - _LEFT), wrong=True)

    def _say(self, place: str, words: str, *, wrong: bool) -> None:
        for name, line in (("#filter-place", place), ("#filter-words", words)):
            widget = self.query_one(name, TextLine)
            widget.line = Content(f"{' ' * _LEFT}{line}")
            widget.set_class(wrong, "-wrong")
            widget.display = bool(line)

    def offer(self, saved: Mapping[str, str]) -> None:
        """Other filters are saved from now on."""
        self._vocabulary = replace(self._vocabulary, saved=saved)
        self._look()

    # Keys

    def take(self) -> bool:
        """Put what is chosen in its place. Returns whether anything is offered."""
        self._look()  # keys that were typed ahead come before the news of what they changed
        chosen = self._offered.current
        if chosen is None:
            return False
        self._input.value = chosen.applied(self._input.value)
        self._input.cursor_position = chosen.start + len(chosen.replacement)
        return True

    def action_take(self) -> None:
        if not self.take():
            self.app.bell()

    def action_step(self, by: int) -> None:
        """Among what is offered; from an empty line, among what was typed before."""
        self._look()
        value = self._input.value
        browsing = self._back and value == self._history[-self._back]
        if self._history and (browsing or (not value and by < 0)):
            self._back = max(0, min((self._back if browsing else 0) - by, len(self._history)))
            text = self._history[-self._back] if self._back else ""
            self._input.value = text
            self._input.cursor_position = len(text)
        else:
            self._offered.step(by)

    def action_keep(self) -> None:
        """Only what can be read is kept."""
        self._look()
        text = self._input.value
        if self._good and self._is_whole(text):
            self._close(text)
        else:
            self._look_wrong()

    def _is_whole(self, text: str) -> bool:
        """Whether it can be read as it stands, with no quote open."""
        try:
            self._check(text)
        except QueryError:
            return False
        return True

    def _look_wrong(self) -> None:
        try:
            self._check(self._input.value)
        except QueryError as error:
            self._say_wrong(error, hidden=False)
        self.app.bell()

    def action_clear(self) -> None:
        self._close("")

    def action_save(self) -> None:
        self._look()
        if self._good and self._input.value.strip() and self._is_whole(self._input.value):
            self.post_message(self.SaveRequested(self._input.value))
        else:
            self._look_wrong()

    def _close(self, text: str) -> None:
        self._kept = True
        self.post_message(self.Changed(text, closed=True))
        self.remove()


def _cells(text: str) -> int:
    return cell_len(inline(text))
