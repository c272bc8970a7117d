"""The console: one app over one store. It wires; screens show, and `console.operations` acts."""

import gc
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from console.domain.endpoint import Endpoint
from console.domain.errors import ConfigError, ConsoleError
from console.domain.ids import AttemptId, DeliveryId, EndpointId
from console.domain.moment import Moment
from console.domain.rates import Window
from console.settings import Settings
from console.ui.live import (
    READ_EVERY_BUSY_OVER_SSH_S,
    READ_EVERY_BUSY_S,
    READ_EVERY_OVER_SSH_S,
    READ_EVERY_S,
    LiveFeed,
    Snapshot,
    Taken,
)
from console.ui.session import Session
from console.ui.terminal import TerminalGuard, prepare_environment, require_terminal, wants_no_colour

prepare_environment(os.environ)
# Textual reads its environment when it is imported: nothing of it may come before the line above.
from textual.app import App  # noqa: E402
from textual.binding import Binding, BindingType  # noqa: E402
from textual.command import Provider  # noqa: E402
from textual.events import Event, Key, Paste  # noqa: E402
from textual.screen import Screen  # noqa: E402

from console.ui import themes  # noqa: E402
from console.ui.format import counted, inline, one_line  # noqa: E402
from console.ui.memory import Memory  # noqa: E402
from console.ui.messages import EndAsked, FeedChanged, MomentChanged  # noqa: E402
from console.ui.preferences import Preferences, Reload  # noqa: E402
from console.ui.screens.home import HomeScreen  # noqa: E402
from console.ui.screens.live_screen import LiveScreen  # noqa: E402
from console.ui.state import StateFile  # noqa: E402
from console.ui.typed_ahead import TypedAhead  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.actions import ActionParseResult
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.theme import Theme

    from console.ui.filtering import FilterDesk
    from console.ui.likely import LikelyNext
    from console.ui.presence import Presence
    from console.ui.travel import Travel
    from console.ui.view import View

AFTER_FIRST_DATA_S = 0.5
"""When what the first frame does not need is begun: watching theme files."""

LIKELY_AFTER_S = 1.0
"""When what the next keys are likely to need is loaded."""

FIRST_READ_S = 0.3
"""How long the first frame waits for the first data: a store that is slow to read shows an empty frame first."""


def _commands() -> type[Provider]:
    from console.ui.palette import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(App[int]):
    """Raises ConfigError when the theme that was asked for cannot be used.

    Args:
        session: the store; the app closes nothing of it.
        theme: name of a theme file, or None for what the settings say.
        notice: something to say once the screen is there.
        started_engine: this console started the engine, so quitting asks whether it should stop too.
        settings: what the user prefers.
        reload: reads the settings again when their file has changed; None: it is not looked at.
        state: what is remembered from one console to the next; None: nothing is.
        view: what is shown first.
    """

    TITLE = "webhook-console"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", id="app.help"),
        Binding("a", "open_operations", "Audit log", show=False, id="app.operations"),
        Binding("A", "open_alerts", "Alerts", show=False, id="app.alerts"),
        Binding("F", "app.open_groups", "Failures", show=False, id="app.failures"),
        Binding("C", "open_charts", "Charts", show=False, id="app.charts"),
        Binding("I", "open_inbox", "Inbox", show=False, id="app.inbox"),
        Binding("V", "open_signature", "Signature debugger", show=False, id="app.signature"),
        Binding("u", "undo_last", "Undo my last action", show=False, id="app.undo"),
        Binding("T", "time_travel", "Time travel", show=False, id="app.time"),
        Binding("comma", "step_time(-1)", "A window back in time", show=False, id="app.time-back"),
        Binding("full_stop", "step_time(1)", "A window on in time", show=False, id="app.time-on"),
        Binding("less_than_sign", "to_burst(-1)", "Burst of failures before", show=False, id="app.burst-before"),
        Binding("greater_than_sign", "to_burst(1)", "Burst of failures after", show=False, id="app.burst-after"),
        Binding("L", "go_live", "Back to live", id="app.live"),
        Binding("at", "copy_view", "Command of this view", show=False, id="app.view"),
        Binding("colon,ctrl+p", "command_palette", "Commands", show=False, id="app.commands"),
        Binding("q", "back_or_quit", "Quit", id="app.quit"),
        Binding("ctrl+q", "ask_to_quit", "Quit at once", show=False, priority=True, id="app.quit-now"),
    ]

    def __init__(
        self,
        session: Session,
        *,
        theme: str | None,
        notice: str | None,
        started_engine: bool,
        settings: Settings | None = None,
        reload: Reload | None = None,
        state: StateFile | None = None,
        view: "View | None" = None,
    ) -> None:
        super().__init__(ansi_color=True if wants_no_colour(os.environ) else None)
        self.preferences = Preferences(self, settings or Settings(), reload)
        self.session = session
        self.snapshot: Snapshot | None = None
        self.trouble = ""
        self.memory = Memory(
            self,
            state,
            theme_given=theme is not None or wants_no_colour(os.environ),
            settings_theme=self.preferences.settings.theme,
        )
        self.window: Window = self.memory.window or self.preferences.window
        self.focus_on: EndpointId | None = self.memory.endpoint
        """The one endpoint that the screens speak of; None for all."""
        self._view = view
        self._travel: Travel | None = None
        self._presence: Presence | None = None
        self._likely: LikelyNext | None = None
        over_ssh = bool(os.environ.get("SSH_CONNECTION"))
        self.feed = LiveFeed(
            session.path,
            clock=session.clock,
            window=self.window,
            changed=self._feed_changed,
            read_every_s=READ_EVERY_OVER_SSH_S if over_ssh else READ_EVERY_S,
            read_busy_every_s=READ_EVERY_BUSY_OVER_SSH_S if over_ssh else READ_EVERY_BUSY_S,
        )
        if self.focus_on is not None:
            self.feed.look_at(window=self.window, focus=self.focus_on)
        self._notice, self._started_engine = notice, started_engine
        self._quitting = self._listening = False
        self._typed_ahead = TypedAhead(self)
        self.register_theme(chosen := _theme(theme, self.memory.theme or self.preferences.settings.theme))
        self._begin_with(chosen)
        self.preferences.bind_keys()

    @cached_property
    def filters(self) -> "FilterDesk":
        """What the screens share of filters; made when it is first asked for."""
        from console.ui.filtering import FilterDesk

        return FilterDesk(os.environ)

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed from here: what is shown of the past is no longer what it would change."""
        return self.session.read_only or self.moment is not None

    # Starting and ending

    def _begin_with(self, theme: "Theme") -> None:
        """Wear a theme before anything is shown: setting `theme` would have every style be parsed twice."""
        self.set_reactive(App.theme, theme.name)
        dark = theme.dark
        self.update_classes({f"-theme-{theme.name}": True, "-dark-mode": dark, "-light-mode": not dark}, update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())

    def get_driver_class(self) -> "type[Driver]":
        from textual.drivers.linux_driver import LinuxDriver

        from console.ui.slow_link import PacedDriver

        driver = super().get_driver_class()
        return PacedDriver if driver is LinuxDriver else driver

    @property
    def link_words(self) -> str:
        """`▼ slow link, 2/s` while the terminal takes less than there is to paint; else empty."""
        link = getattr(self._driver, "link", None)
        return "" if link is None else str(link.words)

    def get_default_screen(self) -> HomeScreen:
        """Home, with what was read while the program started."""
        taken = self.feed.first(FIRST_READ_S) if self.feed.is_alive() else None
        if taken is not None:
            self.snapshot, self.trouble = taken.snapshot, taken.trouble or ""
        return HomeScreen(taken)

    def on_mount(self) -> None:
        self._listening = True
        if self.feed.is_alive():
            self._feed_changed()  # what came before anybody listened
        elif self.session.copy is None:
            self.feed.start()  # a copy has no present: it is looked at as of its end
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if not gc.isenabled():
            # What was loaded by now stays: looking at it again and again would only make keys wait.
            gc.freeze()
            gc.enable()
        if self._view is not None or self.session.copy is not None:
            from console.ui.view import open_view

            open_view(self, self._view)
        if self._notice:
            self.say(self._notice)
        self.memory.begin()
        self.set_timer(AFTER_FIRST_DATA_S, self._watch_files)
        self.set_timer(LIKELY_AFTER_S, self._load_likely)

    def _watch_files(self) -> None:
        from console.ui.presence import Presence

        self._presence = Presence(self, self.session)
        self._presence.begin()
        self.preferences.check_keys()
        self.run_worker(self.preferences.watch(), group="settings", exit_on_error=False)
        watcher = themes.ThemeWatcher(self, themes.themes_dirs(), self._theme_changed)
        for error in watcher.register():
            self.complain(error)
        self.run_worker(watcher.watch(), group="themes", exit_on_error=False)

    def _load_likely(self) -> None:
        from console.ui.likely import LikelyNext

        self._likely = LikelyNext()
        self._likely.start()

    def exit(self, *args: Any, **kwargs: Any) -> None:
        self.memory.note()  # while the screens are there
        super().exit(*args, **kwargs)

    async def on_unmount(self) -> None:
        self._typed_ahead.end()
        self.feed.stop()
        if self._likely is not None:
            self._likely.stop()
        if self._presence is not None:
            await self._presence.leave()

    def on_end_asked(self, message: EndAsked) -> None:
        self.exit(0)

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        # Textual takes the screen right below for visible, and paints it, even where nothing of it can be seen.
        return [] if self._screen_stack and self.screen.styles.background.a == 1 else super()._background_screens

    # Data

    def _feed_changed(self) -> None:
        if self._listening:
            self.post_message(FeedChanged())

    def on_feed_changed(self, message: FeedChanged) -> None:
        if self.moment is not None:
            return  # the past is shown, and the feed rests
        taken = self.feed.take()
        if taken.snapshot is not None:
            self.preferences.announce(taken.snapshot)
        self.show_taken(taken)

    def show_taken(self, taken: Taken) -> None:
        """Hand what was read, of now or of the past, to every screen."""
        if taken.snapshot is not None:
            self.snapshot = taken.snapshot
            self.memory.check()
        self.trouble = taken.trouble or ""
        with self.batch_update():
            for screen in self.screen_stack:
                if isinstance(screen, LiveScreen):
                    screen.take(taken)
            if isinstance(self.screen, LiveScreen):
                self.screen.say_status()

    def look_at(self, *, focus: EndpointId | None) -> None:
        """Let the screens speak of one endpoint, or of all."""
        self.focus_on = focus
        self._look_anew()

    def choose_window(self, window: Window) -> None:
        """Show rates over another stretch of time."""
        self.window = window
        self._look_anew()
        if isinstance(self.screen, LiveScreen):
            self.screen.say_status()

    def _look_anew(self) -> None:
        if self.moment is None:
            self.feed.look_at(window=self.window, focus=self.focus_on)
        else:
            self.travel.read()

    # Time

    @property
    def travel(self) -> "Travel":
        """What moves the screens through time; made when it is first asked for."""
        if self._travel is None:
            from console.ui.travel import Travel

            self._travel = Travel(self)
        return self._travel

    @property
    def moment(self) -> Moment | None:
        """The moment of the past that every screen shows; None: what is now. Screens get MomentChanged."""
        return None if self._travel is None else self._travel.moment

    @property
    def now_ms(self) -> int:
        """The present as the screens see it, epoch ms: the end of the moment that is shown, else the clock's."""
        return self.session.clock.now_ms() if self._travel is None else self._travel.now_ms

    def show_moment(self, moment: Moment | None) -> None:
        """Let every screen show a moment of the past; None: what is now."""
        self.travel.show(moment)

    def tell_moment(self, moment: Moment | None) -> None:
        """Tell every screen that another moment is shown from now on."""
        self.refresh_bindings()
        for screen in self.screen_stack:
            if hasattr(screen, "on_moment_changed"):
                screen.post_message(MomentChanged(moment))

    def action_undo_last(self) -> None:
        """Take back my last operation that can be, after asking."""
        from console.ui.taking_back import undo_last

        self.run_worker(undo_last(self), group="undo", exclusive=True, exit_on_error=False)

    def action_time_travel(self) -> None:
        """Ask for a moment of the past, and go there."""
        self.run_worker(self.travel.ask(), group="travel", exclusive=True)

    def action_step_time(self, direction: int) -> None:
        """One window back or on."""
        self.travel.step(direction)

    def action_to_burst(self, direction: int) -> None:
        """To the burst of failures before or after."""
        self.run_worker(self.travel.to_burst(direction), group="burst", exclusive=True)

    def action_go_live(self) -> None:
        """Back to what is now; of a copy, to its end."""
        self.travel.show(None)

    def action_copy_view(self) -> None:
        """Show and copy the command line that opens this same view."""
        from console.ui.clipboard import send_from
        from console.ui.view import name_of, text_of
        from console.ui.widgets.facts import FactsScreen
        from console.ui.widgets.reading_view import Line

        command = self.travel.command(screen=name_of(self.screen), filter_text=text_of(self.screen))
        sent = send_from(self, command, "the command of this view")
        lines = [Line(spans=((command, "strong"),)), Line(), Line(spans=((sent.words, "muted"),), prose=True)]
        self.push_screen(FactsScreen[None]("The command that opens this view", lines))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "undo_last":
            return not self.read_only
        if action == "go_live":
            return self.moment is not None and self.moment != self.travel.home
        return super().check_action(action, parameters)

    def endpoint(self, endpoint_id: EndpointId) -> Endpoint | None:
        """An endpoint as it was last read."""
        endpoints = self.snapshot.endpoints if self.snapshot else ()
        return next((endpoint for endpoint in endpoints if endpoint.id == endpoint_id), None)

    # Saying

    def say(self, words: str, *, warn: bool = False) -> None:
        """A toast; what comes from outside is shown as it is, cleaned."""
        self.notify(one_line(words, 400), severity="warning" if warn else "information", markup=False)

    def complain(self, error: ConsoleError) -> None:
        """Say what went wrong, in its one line."""
        self.notify(one_line(str(error), 400), severity="error", markup=False, timeout=8)

    def _theme_changed(self, change: "Theme | ConfigError") -> None:
        if isinstance(change, ConfigError):
            self.complain(change)
        else:
            self.say(f"theme {change.name.removeprefix(themes.PREFIX)} was read again")

    # Keys

    def inspect(self, delivery_id: DeliveryId, attempt_id: AttemptId | None = None) -> None:
        """Open one delivery."""
        from console.ui.screens.inspector import InspectorScreen

        self.push_screen(InspectorScreen(delivery_id, attempt_id))

    @property
    def opening(self) -> bool:
        """Whether a key has not been answered yet, as when what it opens is not there."""
        return self._typed_ahead.waits

    async def on_event(self, event: Event) -> None:
        if isinstance(event, (Key, Paste)) and not event.is_forwarded and not self._typed_ahead.lets_through(event):
            return
        await super().on_event(event)

    def _handle_exception(self, error: Exception) -> None:
        from console.ui.too_late import is_too_late

        if not is_too_late(self, error):
            super()._handle_exception(error)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: "DOMNode | None" = None,
        namespaces: "Mapping[str, DOMNode] | None" = None,
    ) -> bool:
        # A key that was typed ahead is handled by the screen that is on top by then, composed or not.
        if isinstance(default_namespace, Screen) and not default_namespace.is_mounted:
            return False
        return await super().run_action(action, default_namespace, namespaces)

    def action_open_home(self) -> None:
        """Back to the root, whatever is open."""
        while not isinstance(self.screen, HomeScreen) and len(self.screen_stack) > 1:
            self.pop_screen()

    def action_open_failures(self) -> None:
        """The failures one by one, above home."""
        from console.ui.screens.failures import FailuresScreen

        self.action_open_home()
        self.push_screen(FailuresScreen(self._focus_text))

    def action_open_groups(self) -> None:
        """The failures by cause."""
        from console.ui.screens.groups import GroupsScreen

        if not isinstance(self.screen, GroupsScreen):
            self.push_screen(GroupsScreen(self._focus_text))

    def action_open_charts(self) -> None:
        """Rates, failures and latencies over the window."""
        from console.ui.screens.charts import ChartsScreen

        if not isinstance(self.screen, ChartsScreen):
            self.push_screen(ChartsScreen())

    def action_open_inbox(self) -> None:
        """What comes in, and at which URLs."""
        from console.ui.screens.inbox import InboxScreen

        if not isinstance(self.screen, InboxScreen):
            self.push_screen(InboxScreen())

    @property
    def _focus_text(self) -> str:
        """The filter of the one endpoint that the screens speak of."""
        from console.domain.filters import DeliveryFilter
        from console.domain.query import format_query

        endpoint = None if self.focus_on is None else self.endpoint(self.focus_on)
        if endpoint is None:
            return ""
        return format_query(DeliveryFilter(endpoints=(endpoint.id,)), {endpoint.id: endpoint.name})

    def action_open_operations(self) -> None:
        """The audit log."""
        from console.ui.screens.operations import OperationsScreen

        if not isinstance(self.screen, OperationsScreen):
            self.push_screen(OperationsScreen())

    def action_open_alerts(self) -> None:
        """What fires, and the rules."""
        from console.ui.screens.alerts import AlertsScreen

        if not isinstance(self.screen, AlertsScreen):
            self.push_screen(AlertsScreen())

    def action_open_signature(self) -> None:
        """What is wrong with a signature that a receiver refuses."""
        from console.ui.screens.signature import SignatureScreen

        if not isinstance(self.screen, SignatureScreen):
            self.push_screen(SignatureScreen())

    def action_help(self) -> None:
        from console.ui.keys import keys_here
        from console.ui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            crumbs: tuple[str, ...] = getattr(self.screen, "crumbs", ())
            self.push_screen(HelpScreen(inline(" › ".join(crumbs)), keys_here(self.screen)))

    async def action_back_or_quit(self) -> None:
        """Back, as Esc does; quit where there is nothing to go back from."""
        if isinstance(self.screen, HomeScreen):
            if self.screen.can_go_back:
                self.screen.action_back()
            else:
                self.action_ask_to_quit()
        elif len(self.screen_stack) > 1:
            await self.screen.run_action("back") if hasattr(self.screen, "action_back") else self.pop_screen()

    def action_ask_to_quit(self) -> None:
        """Quit; first ask about an engine that was started from here."""
        if not self._quitting:
            self._quitting = True
            self.run_worker(self._quit(), group="quit")

    async def _quit(self) -> None:
        if self._may_stop_engine():
            from console.operations.engine import stop_engine
            from console.ui.widgets.confirm import ConfirmScreen

            pending = self.snapshot.pending if self.snapshot else 0
            body = [
                "This console started it. Left running, it goes on delivering without a console.",
                f"{counted(pending, 'delivery is', 'deliveries are')} pending." if pending else "Nothing is pending.",
            ]
            question = ConfirmScreen("Stop the engine too?", body, yes="Stop it", no="Leave it running")
            if await self.push_screen_wait(question):
                actor, now_ms = self.session.actor, self.session.clock.now_ms()
                try:
                    await self.session.write(
                        lambda store: stop_engine(store, actor=actor, reason="console closed", now_ms=now_ms)
                    )
                except ConsoleError as error:
                    self._quitting = False
                    self.complain(error)
                    return
        self.exit(0)

    def _may_stop_engine(self) -> bool:
        if not self._started_engine or self.session.read_only or self.snapshot is None:
            return False
        engine = self.snapshot.engine
        return engine is not None and engine.alive(self.session.clock.now_ms())


def _theme(name: str | None, preferred: str | None) -> "Theme":
    """The theme to begin with. Raises ConfigError when `name` was asked for and is unknown or broken."""
    directories = themes.themes_dirs()
    built_in = "ansi" if wants_no_colour(os.environ) else themes.DEFAULT
    files = themes.theme_files(directories)
    wanted = (name or preferred or built_in).removeprefix(themes.PREFIX)
    if name is None and wanted not in files:
        wanted = built_in
    if name is not None and wanted not in files:
        raise ConfigError(f"no theme {name!r}: there are {', '.join(sorted(files))}")
    try:
        return themes.load_theme(files[wanted])
    except ConfigError:
        if name is not None:
            raise
        # A broken file of the user's own: what comes with the product is shown, and the file is complained of later.
        return themes.load_theme(themes.builtin_themes_dir() / f"{wanted}.toml")


def run_console(
    session: Session,
    *,
    theme: str | None,
    notice: str | None,
    started_engine: bool,
    settings: Settings | None = None,
    reload: Reload | None = None,
    state: StateFile | None = None,
    view: "View | None" = None,
) -> int:
    """Show the console until it is left. Returns the exit status: 0 also when a signal or a hang-up ended it.

    Raises:
        ConfigError: the theme cannot be used.
        ConsoleError: this is no terminal that can show screens.
    """
    require_terminal(os.environ)
    app = ConsoleApp(
        session,
        theme=theme,
        notice=notice,
        started_engine=started_engine,
        settings=settings,
        reload=reload,
        state=state,
        view=view,
    )
    with TerminalGuard(lambda: app.post_message(EndAsked())) as guard:
        try:
            if session.copy is None:
                app.feed.start()  # reads while Textual starts
            status = app.run(mouse=app.preferences.settings.mouse)
        finally:
            app.feed.stop()
            app.memory.close()
    if guard.received:
        return 0
    return status if status is not None else (app.return_code or 0)
