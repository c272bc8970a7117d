"""The transform of an endpoint, edited beside what it makes of a real past event."""

from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static, TextArea

from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError, ReadInterruptedError
from console.domain.event import Event
from console.domain.filters import EventFilter
from console.domain.ids import EventId
from console.domain.matching import first_match
from console.store import Store
from console.ui import transforming
from console.ui.format import clock_time, one_line
from console.ui.layered import LayeredScreen
from console.ui.masking import mask_body
from console.ui.session import Session
from console.ui.status import crumbs_below, live_engine, past_ms, past_words, status_line
from console.ui.steering import complain, say, session_of
from console.ui.transforming import PARTS, Result, payload_lines, result_lines, shape_of, shape_typed, texts_of
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.reading_view import Line, ReadingView
from console.ui.widgets.template_edit import TemplateEdit

TRY_AFTER_S = 0.2
"""How long nothing is typed before it is tried out."""

MOST_EVENTS = 500
"""The newest events among which those are looked for that the endpoint's types want."""


class TransformScreen(LayeredScreen[None]):
    """Filter and templates on one side, what they make of an event on the other, as it is typed.

    Args:
        event_id: the event to begin with; None: the newest that its types want.
    """

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Screen declares it
        (0, "-narrow"),
        (100, "-wide"),
    ]
    AUTO_FOCUS = "#edit-body"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f2", "save", "Save", priority=True, id="transform.save"),
        Binding("ctrl+n", "event(1)", "Older event", priority=True, id="transform.older"),
        Binding("ctrl+g", "event(-1)", "Newer event", priority=True, id="transform.newer"),
        Binding(
            "ctrl+o",
            "payload",
            "Payload",
            priority=True,
            id="transform.payload",
            tooltip="The payload, or what is made of it",
        ),
        Binding("escape", "back", "Back", id="transform.back"),
    ]

    def __init__(self, endpoint: Endpoint, event_id: EventId | None = None) -> None:
        super().__init__()
        self._endpoint, self._first = endpoint, event_id
        self._base = shape_of(endpoint)
        self._events: tuple[EventId, ...] = ()
        self._at = 0
        self._event: Event | None = None
        self._result = Result()
        self._shows_payload = self._saving = False
        self._timer: Timer | None = None

    @property
    def session(self) -> Session:
        return session_of(self.app)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), f"Transform of {self._endpoint.name}")

    @property
    def _read_only(self) -> bool:
        return self.session.read_only or past_ms(self.app) is not None

    def compose(self) -> ComposeResult:
        texts = texts_of(self._base)
        yield StatusHeader()
        yield Static(id="event")
        with Horizontal(id="panes"):
            with Vertical(id="parts"):
                for part in PARTS:
                    with Horizontal(id=f"part-{part.key}", classes="part -tall" if part.tall else "part"):
                        yield Static(Content(part.label))
                        yield TemplateEdit(
                            texts[part.key],
                            placeholder=part.hint,
                            read_only=self._read_only,
                            wrap=part.tall,
                            id=f"edit-{part.key}",
                        )
            with Vertical(id="result-pane"):
                yield Static(id="result-title", classes="pane--title")
                yield ReadingView(id="result")
        yield Static(id="standing")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(1, self._say_status)
        self._say_status()
        self._say_standing()
        self.load_events()

    def on_resize(self, event: events.Resize) -> None:
        self._say_status()

    def on_screen_resume(self) -> None:
        self._say_status()
        self.query_one(KeyBar).say_keys()

    def _say_status(self) -> None:
        engine, read_at_s = live_engine(self.app)
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, engine, read_at_s, self.size.width, past=past_words(self.app)
        )

    # Events

    @work(exclusive=True, group="events", exit_on_error=False)
    async def load_events(self) -> None:
        """Find the events to try it on."""
        types, first, until_ms = self._endpoint.types, self._first, past_ms(self.app)

        def read(store: Store) -> tuple[EventId, ...]:
            rows = store.events(EventFilter(until_ms=until_ms), limit=MOST_EVENTS)
            found = [row.id for row in rows if first_match(types, row.type)]
            return tuple(dict.fromkeys([*([first] if first is not None else []), *found]))

        try:
            self._events = await self.session.read(read)
        except ConsoleError as error:
            complain(self.app, error)
            return
        self.try_out()

    def action_event(self, step: int) -> None:
        """An older event, or a newer one."""
        following = self._at + step
        if not 0 <= following < len(self._events):
            self.app.bell()
            return
        self._at = following
        self.try_out()

    @work(exclusive=True, group="trying", exit_on_error=False)
    async def try_out(self) -> None:
        """Say what the fields make of the event."""
        wanted = self._events[self._at] if self._events else None
        texts, name, url, known = self._texts, self._endpoint.name, self._endpoint.url, self._event

        def read(store: Store) -> tuple[Event | None, Result]:
            event = known if known is None or known.id == wanted else None
            if event is None and wanted is not None:
                event = store.event(wanted)
            return event, transforming.try_out(texts, event, name=name, url=url)

        try:
            self._event, self._result = await self.session.read(read, group="transform")
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            complain(self.app, error)
            return
        if self.is_mounted:
            self._show(texts)

    # Typing

    @property
    def _texts(self) -> dict[str, str]:
        """What the fields hold."""
        return {part.key: self.query_one(f"#edit-{part.key}", TemplateEdit).text for part in PARTS}

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if isinstance(event.text_area, TemplateEdit):
            event.text_area.mark(None)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(TRY_AFTER_S, self.try_out)
        self._say_standing()

    # Showing

    def _show(self, texts: dict[str, str]) -> None:
        self._say_event()
        trouble = self._result.trouble
        for part in PARTS:
            wrong = trouble is not None and trouble.part == part.key
            self.query_one(f"#part-{part.key}").set_class(wrong, "-wrong")
            place = None
            if wrong and trouble is not None and trouble.line is not None and trouble.column is not None:
                place = (trouble.line - 1, trouble.column - 1)
            self.query_one(f"#edit-{part.key}", TemplateEdit).mark(place)
        self._show_result(texts)
        self._say_standing()

    def _show_result(self, texts: dict[str, str]) -> None:
        masked = self.session.masked
        if self._shows_payload and self._event is not None:
            payload = mask_body(self._event.payload) if masked else self._event.payload
            title, lines = "The payload, as it came", list(payload_lines(payload))
        else:
            title, lines = self._result_title, result_lines(self._result, texts, masked=masked)
        self.query_one("#result-title", Static).update(Content(title))
        self.query_one("#result", ReadingView).show(lines or [Line()])

    @property
    def _result_title(self) -> str:
        if self._result.trouble is not None:
            return "✗ It fails on this event"
        if self._endpoint.dry_run:
            return "What would be logged: dry run, nothing is sent"
        return "What would be sent"

    def _say_event(self) -> None:
        event, total = self._event, len(self._events)
        if event is None:
            words = "No event of its types is kept: templates are checked, and tried on nothing."
        else:
            facts = f"{event.type}  {event.id}  {clock_time(event.accepted_at_ms)[:8]}"
            words = f"Event {self._at + 1} of {total} · {facts}"
        self.query_one("#event", Static).update(Content(one_line(words, max(20, self.size.width - 2))))

    def _say_standing(self) -> None:
        """Whether it can be saved, and what would change."""
        line = self.query_one("#standing", Static)
        if self._read_only:
            line.update(Content("⊘ only looked at: nothing is saved from here"))
            return
        changed, wrong = self._changed, self._result.trouble
        line.set_class(wrong is not None and bool(changed), "-wrong")
        if not changed:
            words = "· nothing is changed yet"
        elif wrong is not None:
            words = f"✗ it fails on this event: {wrong.words}"
        else:
            words = f"✓ ^s saves: {', '.join(changed)}"
        line.update(Content(one_line(words, max(20, self.size.width - 2))))

    @property
    def _changed(self) -> tuple[str, ...]:
        texts, before = self._texts, texts_of(self._base)
        return tuple(part.label for part in PARTS if texts[part.key].strip() != before[part.key].strip())

    def action_payload(self) -> None:
        """The payload of the event, or what is made of it."""
        self._shows_payload = not self._shows_payload
        self._show_result(self._texts)

    # Saving and leaving

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "save":
            return not self._read_only
        return super().check_action(action, parameters)

    def action_save(self) -> None:
        if not self._changed:
            say(self.app, "nothing was changed")
        elif not self._saving:
            self._saving = True
            self.app.run_worker(self._save(), group="form", exit_on_error=False)

    async def _save(self) -> None:
        from console.ui.endpoint_acts import save_shape

        try:
            after = shape_typed(self._texts)
            saved = await save_shape(self.session, self._endpoint.id, self._base, after)
        except ConsoleError as error:
            complain(self.app, error)
            return
        finally:
            self._saving = False
        self._base = shape_of(saved.endpoint)
        self._endpoint = saved.endpoint
        self._say_standing()
        if saved.done:
            say(self.app, f"{saved.endpoint.name} is changed: it counts from the next request on")
        else:
            words = "another changed it meanwhile: look it over, and save again to put yours in its place"
            say(self.app, words, warn=True)

    def action_back(self) -> None:
        if self._changed and not self._read_only:
            self.run_worker(self._ask_to_leave(), group="leave", exclusive=True)
        else:
            self.app.pop_screen()

    async def _ask_to_leave(self) -> None:
        from console.ui.widgets.confirm import ConfirmScreen

        body = [f"{', '.join(self._changed)}: not saved yet."]
        question = ConfirmScreen("Leave without saving?", body, yes="Leave", no="Go on editing")
        if await self.app.push_screen_wait(question):
            self.app.pop_screen()
