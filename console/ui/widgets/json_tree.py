"""A payload as a tree that folds; what is no JSON as its text."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from console.ui.format import fit, inline, sanitise_bytes, wrapped
from console.ui.widgets import json_value
from console.ui.widgets.json_value import Json
from console.ui.widgets.line_view import LineView

MOST_BYTES = 2 * 1024 * 1024
"""A larger payload is not parsed: its beginning is shown as text."""

MOST_CHARACTERS = 64 * 1024
"""Of a text, or of one long string, no more is laid out on the screen."""

AT_ONCE = 500
"""Members of one object or array that are laid out at a time; the rest waits behind a line that says how many."""

MOST_MATCHES = 10_000
"""Matches of a search that are counted and gone through."""

OPEN_AT_FIRST = 60
"""Values are unfolded at first, level by level, while there are fewer lines than this."""

LONG_STRING = 60
"""A string of more characters, or of several lines, unfolds into its text."""

CURSOR_GLYPH, FOLDED, UNFOLDED = "►", "▸", "▾"


@dataclass(slots=True, kw_only=True, eq=False)
class _Line:
    """A line of the tree. `rest_from` ≥ 0 makes it stand for the members of `value` from there on."""

    depth: int
    label: str
    path: str
    value: Json
    is_text: bool = False
    rest_from: int = -1
    unfolded: bool = False

    @property
    def foldable(self) -> bool:
        if self.is_text or self.rest_from >= 0:
            return False
        if isinstance(self.value, str) and not isinstance(self.value, json_value.Number):
            return len(self.value) > LONG_STRING or "\n" in self.value
        return json_value.is_foldable(self.value)


class JsonTree(LineView):
    """A payload, folded and unfolded with Enter, h and l. Only lines that were unfolded exist, however large it is."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "json-tree--cursor",
        "json-tree--key",
        "json-tree--normal",
        "json-tree--muted",
        "json-tree--accent",
        "json-tree--ok",
        "json-tree--warning",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l,right", "unfold", "Unfold", show=False, id="tree.unfold"),
        Binding("h,left", "fold", "Fold", show=False, id="tree.fold"),
        Binding("space", "choose", "Fold or unfold", show=False, id="tree.toggle"),
    ]

    def __init__(
        self,
        payload: bytes | str = b"",
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._text: str | None = None
        self._root: Json = None
        self._matches: list[tuple[int, ...]] = []
        self._match = -1
        self._lines: list[_Line] = []
        self._wrapped_at = 0
        self._read(payload)

    def show(self, payload: bytes | str) -> None:
        """Another payload, from its first line."""
        self._read(payload)
        self.cursor = 0
        self._lines_changed()
        self.place_scroll(0)

    @property
    def is_json(self) -> bool:
        """False when the payload is shown as text."""
        return self._text is None

    @property
    def current_path(self) -> str:
        """Where the cursor is: `data.items[3].id`; empty in a text."""
        return self._lines[self.cursor].path if self._lines else ""

    @property
    def current_text(self) -> str:
        """The value under the cursor as it came, not sanitised: for copying and saving, never for the screen."""
        if not self._lines:
            return ""
        try:
            return json_value.written(self._lines[self.cursor].value)
        except RecursionError:
            return json_value.preview(self._lines[self.cursor].value)

    # Content

    def _read(self, payload: bytes | str) -> None:
        data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
        self._text, self._lines, self._wrapped_at = None, [], 0
        self._matches, self._match = [], -1
        try:
            if len(data) > MOST_BYTES:
                raise ValueError("too large to be parsed")
            value = json_value.parse(data.decode("utf-8"))
        except ValueError:
            self._text = sanitise_bytes(data, MOST_CHARACTERS)
            self._wrap_text()
            return
        self._root = value
        root = _Line(depth=-1, label="", path="", value=value)
        if json_value.is_foldable(value):
            self._lines = self._members(root, 0)
            self._open_levels()
        else:
            root.depth = 0
            self._lines = [root]

    def _wrap_text(self) -> None:
        width = self.content_width - 2
        if self._text is None or width == self._wrapped_at or width <= 0:
            return
        self._wrapped_at = width
        parts = wrapped(self._text, width, 2 * MOST_CHARACTERS)
        self._lines = [_Line(depth=0, label="", path="", value=part, is_text=True) for part in parts]

    def _members(self, line: _Line, start: int) -> list[_Line]:
        """Lines of the members of an object or array from `start` on, or of the text of a long string."""
        value, depth = line.value, line.depth + 1
        if isinstance(value, str):
            parts = wrapped(value, max(8, self.content_width - 2 * depth - 4), MOST_CHARACTERS)
            return [_Line(depth=depth, label="", path=line.path, value=part, is_text=True) for part in parts]
        lines = [
            _Line(depth=depth, label=str(key), path=_path(line.path, key), value=item)
            for key, item in json_value.children(value, start, start + AT_ONCE)
        ]
        if isinstance(value, list) and len(value) > start + AT_ONCE:
            rest = _Line(depth=depth, label="", path=line.path, value=value, rest_from=start + AT_ONCE)
            lines.append(rest)
        return lines

    def _open_levels(self) -> None:
        depth = 0
        while len(self._lines) < OPEN_AT_FIRST:
            folded = [line for line in self._lines if line.depth == depth and isinstance(line.value, list)]
            folded = [line for line in folded if line.foldable]
            grown = sum(min(len(line.value), AT_ONCE) for line in folded if isinstance(line.value, list))
            if not folded or len(self._lines) + grown > OPEN_AT_FIRST:
                return
            for line in folded:
                self._unfold(self._lines.index(line))
            depth += 1

    def _unfold(self, index: int) -> None:
        line = self._lines[index]
        line.unfolded = True
        self._lines[index + 1 : index + 1] = self._members(line, 0)

    # Searching

    def find(self, text: str) -> int:
        """Search keys and values for a text, however it is written, and go to the first match. Returns how many there
        are, of at most MOST_MATCHES; an empty text ends the search."""
        wanted = text.casefold()
        self._matches, self._match = [], -1
        if wanted and self._text is not None:
            self._matches = [(n,) for n, line in enumerate(self._lines) if wanted in str(line.value).casefold()]
        elif wanted:
            self._matches = list(islice(json_value.find(self._root, wanted), MOST_MATCHES))
        self.go_to_match(1)
        return len(self._matches)

    def go_to_match(self, step: int) -> int:
        """Go `step` matches on, round the end, unfolding down to it. Returns its number from 1; 0: there is none."""
        if not self._matches:
            return 0
        self._match = (self._match + step) % len(self._matches)
        self.move_cursor(self._reveal(self._matches[self._match]))
        return self._match + 1

    def _reveal(self, path: tuple[int, ...]) -> int:
        """The line of what is at a path of positions, unfolding what hides it."""
        if self._text is not None or not json_value.is_foldable(self._root):
            return path[0] if self._text is not None else 0
        owner = -1
        for position in path:
            if owner >= 0 and not self._lines[owner].unfolded:
                self._unfold(owner)
            owner = self._member_line(owner, position)
        self._lines_changed()
        return owner

    def _member_line(self, owner: int, position: int) -> int:
        """The line of the member at a position, laying out more of them when it is not there yet."""
        depth, seen, index = (-1 if owner < 0 else self._lines[owner].depth) + 1, 0, owner + 1
        while True:
            line = self._lines[index]
            if line.depth == depth and line.rest_from >= 0:
                holder = _Line(depth=depth - 1, label="", path=line.path, value=line.value)
                self._lines[index : index + 1] = self._members(holder, line.rest_from)
                continue
            if line.depth == depth:
                if seen == position:
                    return index
                seen += 1
            index += 1

    def _lines_changed(self) -> None:
        self.update_extent()
        self.cursor = self.cursor
        self.refresh()

    # Keys

    def action_choose(self) -> None:
        if self._lines and self._lines[self.cursor].unfolded:
            self.action_fold()
        else:
            self.action_unfold()

    def action_unfold(self) -> None:
        """Show what the value under the cursor holds, or more of what did not fit at once."""
        if not self._lines:
            return
        index, line = self.cursor, self._lines[self.cursor]
        if line.rest_from >= 0:
            owner = _Line(depth=line.depth - 1, label="", path=line.path, value=line.value)
            self._lines[index : index + 1] = self._members(owner, line.rest_from)
        elif line.foldable and not line.unfolded:
            self._unfold(index)
        self._lines_changed()

    def action_fold(self) -> None:
        """Fold the value under the cursor; when it is folded, go to what holds it."""
        if not self._lines:
            return
        index, line = self.cursor, self._lines[self.cursor]
        if line.unfolded:
            end = index + 1
            while end < len(self._lines) and self._lines[end].depth > line.depth:
                end += 1
            del self._lines[index + 1 : end]
            line.unfolded = False
            self._lines_changed()
            return
        while index > 0 and self._lines[index].depth >= line.depth:
            index -= 1
        if self._lines[index].depth < line.depth:
            self.move_cursor(index)

    def on_resize(self, event: events.Resize) -> None:
        self._wrap_text()
        self._lines_changed()
        super().on_resize(event)

    # Drawing

    @property
    def line_count(self) -> int:
        return len(self._lines)

    def draw_line(self, index: int) -> Strip:
        line, is_cursor = self._lines[index], index == self.cursor
        under = ("json-tree--cursor",) if is_cursor else ()
        base = self.component_style(*under)
        fold = (UNFOLDED if line.unfolded else FOLDED) if line.foldable else " "
        indent = "" if self._text is not None else "  " * line.depth + fold + " "
        lead = (CURSOR_GLYPH if is_cursor else " ") + " " + indent
        segments = [Segment(lead, base)]
        if line.label:
            segments.append(Segment(inline(line.label[:200]), self.component_style(*under, "json-tree--key")))
            segments.append(Segment(": ", base))
        width = max(0, self.content_width - sum(segment.cell_length for segment in segments))
        text, meaning = self._value_of(line)
        segments.append(Segment(fit(text, width), self.component_style(*under, f"json-tree--{meaning}")))
        return Strip(segments).adjust_cell_length(self.content_width, base)

    def _value_of(self, line: _Line) -> tuple[str, str]:
        value = line.value
        if line.is_text:
            return str(value), "normal"
        if isinstance(value, list):
            if line.rest_from >= 0:
                return f"… {len(value) - line.rest_from:,} more", "muted"
            if line.unfolded:
                return json_value.count_of(value), "muted"
            return f"{json_value.preview(value)}  {json_value.count_of(value) if value else ''}", "muted"
        return json_value.preview(value), json_value.meaning_of(value)


def _path(parent: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{parent}[{key}]"
    if key.isidentifier():
        return f"{parent}.{key}" if parent else key
    return f"{parent}[{json_value.quoted(key)}]"
