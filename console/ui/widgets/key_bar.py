"""The line at the bottom: the keys that matter here."""

from textual import events
from textual.content import Content

from console.ui.keys import footer_keys
from console.ui.widgets.text_line import TextLine


class KeyBar(TextLine):
    """Keys of the screen and of what has the focus, as many as fit; help comes last and always fits."""

    DEFAULT_CSS = """
    KeyBar { background: $panel; color: $foreground; height: 1; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.say_keys())
        # Textual tells of other bindings a frame after the focus has moved, and they would be painted a frame later.
        self.watch(self.screen, "focused", self.say_keys, init=False)
        self.say_keys()

    def on_resize(self, event: events.Resize) -> None:
        self.say_keys()

    def say_keys(self) -> None:
        """Say the keys as they are now."""
        if not self.screen.is_current or not self.size.width:
            return
        keys = footer_keys(self.screen)
        last = [key for key in keys if key.action == "help"]
        room = self.size.width - 1 - sum(key.width for key in last)
        fitting = []
        for key in keys:
            if key in last:
                continue
            if key.width > room:
                break
            room -= key.width
            fitting.append(key)
        parts: list[str | tuple[str, str]] = [" "]
        for key in [*fitting, *last]:
            parts += [(key.shown, "bold $text-accent"), f" {key.description}  "]
        self.line = Content.assemble(*parts)
