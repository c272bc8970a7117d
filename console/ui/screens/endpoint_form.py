"""The form of an endpoint, and of the defaults of all: every field is checked as it is typed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.ids import EndpointId
from console.ui import endpoint_acts as acts
from console.ui.endpoint_draft import (
    HEADER,
    Base,
    Draft,
    DraftKind,
    Field,
    base_of,
    fields_of,
    header_field,
    placeholder,
    rebased,
    same_base,
    start,
)
from console.ui.endpoint_reading import Reading, read, types_preview
from console.ui.format import inline, one_line
from console.ui.live import Taken
from console.ui.screens.live_screen import LiveScreen
from console.ui.widgets.form_field import FormField
from console.ui.widgets.text_line import TextLine

MOST_NAMED = 4


class EndpointForm(LiveScreen):
    """Add an endpoint, edit one, or edit the defaults: which of them is the base's `kind`."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "FormField"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f2", "save", "Save", id="form.save"),
        Binding("escape", "back", "Leave", id="form.back"),
        Binding("ctrl+t", "transform", "Transform", id="form.transform", tooltip="What is sent of an event, tried out"),
        Binding("ctrl+r", "remove", "Remove it", id="form.remove"),
    ]

    def __init__(self, base: Base, endpoint: EndpointId | None) -> None:
        """`endpoint`: the one that is edited."""
        super().__init__()
        self._draft: Draft = start(base)
        self._endpoint = endpoint
        self._types: Mapping[str, int] | None = None
        self._both: dict[str, str] = {}
        """What another wrote meanwhile into fields that were typed into."""
        self._meanwhile = ""
        self._saving = self._tried = False
        self._reading: Reading = read(self._draft)

    @property
    def crumbs(self) -> tuple[str, ...]:
        match self._draft.base.kind:
            case DraftKind.ADD:
                return ("Home", "New endpoint")
            case DraftKind.EDIT:
                return ("Home", self._draft.base.name, "Edit")
            case DraftKind.DEFAULTS:
                return ("Home", "Defaults of all endpoints")

    def body(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            group = ""
            for field in fields_of(self._draft):
                if field.group != group:
                    group = field.group
                    yield TextLine(f" {group}", classes="group")
                yield self._make(field)
        yield Static(id="help", markup=False)
        yield Static(id="same", markup=False)
        yield TextLine(id="standing")

    def _make(self, field: Field) -> FormField:
        base = self._draft.base
        return FormField(
            field.key,
            field.label,
            self._draft.texts.get(field.key, ""),
            placeholder=placeholder(base, field.key),
            masked=field.masked,
        )

    def on_mount(self) -> None:
        super().on_mount()
        self._show()
        self.watch(self, "focused", self._say_help)
        self.call_after_refresh(self.query_one("#form").scroll_home, animate=False)
        if self._draft.base.kind is not DraftKind.DEFAULTS:
            self.run_worker(self._read_types(), group="types", exit_on_error=False)

    async def _read_types(self) -> None:
        try:
            self._types = await self.console.session.read(acts.recent_types)
        except ConsoleError as error:
            self.console.complain(error)
        else:
            self._show()

    # Typing

    @property
    def _fields(self) -> list[FormField]:
        return list(self.query(FormField))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        field = event.input
        if not isinstance(field, FormField) or self._draft.texts.get(field.key) == event.value:
            return
        self._draft = replace(self._draft, texts={**self._draft.texts, field.key: event.value})
        self._both.pop(field.key, None)
        if field.key.startswith(HEADER) and self._draft.headers[-1]:
            self._add_header()
        self._reading = read(self._draft)
        self._show()

    def _add_header(self) -> None:
        """Room for one more."""
        field = header_field(len(self._draft.headers))
        self._draft = replace(self._draft, texts={**self._draft.texts, field.key: ""})
        self.query_one("#form", VerticalScroll).mount(self._make(field))

    def _show(self) -> None:
        reading = self._reading
        # Nobody is told what is wrong with a form before they began to fill it in.
        errors = reading.errors if self._draft.touched or self._tried else {}
        for field in self._fields:
            if wrong := errors.get(field.key):
                field.say(wrong, "wrong")
            elif field.key in self._both:
                field.say(f"meanwhile another wrote {self._both[field.key]}: saving puts yours in its place")
            else:
                field.say(self._note(field.key))
        self.query_one("#same", Static).update(Content(f"the same: {inline(acts.command_line(reading))}"))
        self._say_standing()

    def _note(self, key: str) -> str:
        if key == "types" and self._types is not None:
            return types_preview(self._reading.types, self._types)
        return self._reading.notes.get(key, "")

    def _say_standing(self) -> None:
        """Whether it can be saved, and what keeps it from being."""
        errors, changed = self._reading.errors, self._reading.changed
        line = self.query_one("#standing", TextLine)
        untouched = not (self._draft.touched or self._tried)
        if errors and untouched:
            words = "· a URL is needed; everything else may stay as it is"
        elif errors:
            labels = [field.label for field in fields_of(self._draft) if field.key in errors]
            named = ", ".join(labels[:MOST_NAMED]) + (", …" if len(labels) > MOST_NAMED else "")
            general = errors.get("", "")
            words = f"✗ cannot be saved: {named or one_line(general, 200)}"
        elif self._draft.base.kind is not DraftKind.ADD and not changed:
            words = "· nothing is changed yet"
        else:
            words = (
                f"✓ ^s saves: {', '.join(changed) if self._draft.base.kind is not DraftKind.ADD else 'all is right'}"
            )
        line.line = Content(f" {inline(words)}")
        line.set_class(bool(errors) and not untouched, "-wrong")

    def _say_help(self, focused: Widget | None) -> None:
        if isinstance(focused, FormField):
            text = next((f.help for f in fields_of(self._draft) if f.key == focused.key), "")
            self.query_one("#help", Static).update(Content(text))

    def action_move(self, fields: int) -> None:
        """Some fields further, not beyond the first and the last."""
        all_of_them, focused = self._fields, self.focused
        at = all_of_them.index(focused) if isinstance(focused, FormField) else 0
        all_of_them[max(0, min(len(all_of_them) - 1, at + fields))].focus()

    # What others do meanwhile

    @property
    def warning(self) -> str:
        return self._meanwhile

    def take(self, taken: Taken) -> None:
        if self._endpoint is None or self.console.snapshot is None:
            return
        base, now = self._draft.base, self.console.endpoint(self._endpoint)
        if now is None:
            self._meanwhile = f"‼ {base.name} was removed meanwhile: this cannot be saved"
        elif not same_base(base, base_of(now, base.defaults, base.taken)):
            self._meanwhile = f"‼ {base.name} was changed by another meanwhile: ^s takes that over before it saves"
        else:
            self._meanwhile = ""

    async def _take_over(self, base: Base) -> None:
        """Lay what was typed upon what is there now, and let it be looked at."""
        self._draft, self._both = rebased(self._draft, base)
        self._reading, self._meanwhile = read(self._draft), ""
        form = self.query_one("#form", VerticalScroll)
        shown = {field.key: field for field in self._fields}
        with self.prevent(Input.Changed):
            for key, text in self._draft.texts.items():
                if key in shown:
                    shown[key].value = text
                    shown[key].hint(placeholder(base, key))
                else:
                    await form.mount(self._make(header_field(int(key.removeprefix(HEADER)))))
            for key in shown.keys() - self._draft.texts.keys():
                await shown[key].remove()
        self._show()
        self.say_warning()
        both = f", and wrote into {len(self._both)} of your fields too" if self._both else ""
        self.console.say(f"another changed it meanwhile{both}: look it over and save again", warn=True)

    # Saving and leaving

    def _gather(self) -> None:
        """Take what the fields hold at this moment: what was typed last may not have been told yet."""
        texts = {field.key: field.value for field in self._fields}
        self._draft = replace(self._draft, texts={**self._draft.texts, **texts})
        self._reading = read(self._draft)

    def action_save(self) -> None:
        self._tried = True
        self._gather()
        self._show()
        if self._reading.errors:
            wrong = next((field for field in self._fields if field.key in self._reading.errors), None)
            if wrong is not None:
                wrong.focus()
            self.console.say("it is not saved: what is wrong is said under its field", warn=True)
        elif self._draft.base.kind is not DraftKind.ADD and not self._reading.changed:
            self.console.say("nothing was changed")
            self.dismiss(None)
        elif not self._saving:
            self._saving = True
            # Of the app: the screen may be gone before the last word is said.
            self.app.run_worker(self._save(), group="form", exit_on_error=False)

    async def _save(self) -> None:
        session, base, reading = self.console.session, self._draft.base, self._reading
        try:
            if base.kind is DraftKind.ADD:
                saved = await acts.save_new(session, reading)
            elif self._endpoint is not None:
                saved = await acts.save_edit(session, self._endpoint, base, reading)
            else:
                saved = await acts.save_defaults(session, base, reading)
        except InvalidInputError as error:
            self._refused(error)
            return
        except ConsoleError as error:
            self.console.complain(error)
            return
        finally:
            self._saving = False
        if saved.changed is not None:
            await self._take_over(saved.changed)
            return
        await self._end(saved)

    def _refused(self, error: InvalidInputError) -> None:
        """Refused by the store: a name that is taken by now."""
        words = str(error).replace("--", "")
        key = "name" if words.startswith("name") else ""
        self._reading = replace(self._reading, errors={key: words})
        self._show()
        self.console.complain(error)

    async def _end(self, saved: acts.Saved) -> None:
        console, name = self.console, saved.endpoint.name if saved.endpoint else "the defaults"
        console.feed.look_now()
        await self.dismiss(None)
        verb = "added" if self._draft.base.kind is DraftKind.ADD else "changed"
        console.say(f"{name} {'were' if saved.endpoint is None else 'is'} {verb}")
        if saved.made and saved.endpoint:
            from console.ui.screens.secret import SecretScreen

            lines = ("Every request to it is signed with this secret, by which its receiver verifies it.",)
            await console.push_screen(SecretScreen(f"{name}: its signing secret", saved.made, lines=lines))

    def action_back(self) -> None:
        self._gather()
        if self._draft.touched:
            self.run_worker(self._ask_to_leave(), group="leave", exclusive=True)
        else:
            self.dismiss(None)

    async def _ask_to_leave(self) -> None:
        from console.ui.widgets.confirm import ConfirmScreen

        body = [f"{', '.join(self._reading.changed) or 'What you typed'}: not saved yet."]
        question = ConfirmScreen("Leave without saving?", body, yes="Leave", no="Go on editing")
        if await self.app.push_screen_wait(question):
            self.dismiss(None)

    def action_remove(self) -> None:
        self.run_worker(self._remove(), group="remove", exclusive=True)

    async def _remove(self) -> None:
        endpoint = self.console.endpoint(self._endpoint) if self._endpoint else None
        if endpoint is not None and await acts.remove_endpoint(self.app, endpoint):
            self.console.feed.look_now()
            self.dismiss(None)

    def action_transform(self) -> None:
        """What its transform makes of a past event. What is typed here is kept, and its filter is not that one yet."""
        from console.ui.endpoint_acts import shape_endpoint

        endpoint = self.console.endpoint(self._endpoint) if self._endpoint else None
        if endpoint is not None:
            self.run_worker(shape_endpoint(self.app, endpoint), group="transform", exclusive=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("remove", "transform"):
            return self._endpoint is not None
        return super().check_action(action, parameters)

    def on_resize(self, event: events.Resize | None = None) -> None:
        super().on_resize()
        if self.focused is not None:
            self.call_after_refresh(self.focused.scroll_visible, animate=False)
