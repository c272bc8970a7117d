"""Messages that cross screens and widgets."""

from textual.message import Message
from textual.message_pump import MessagePump

from console.domain.moment import Moment
from console.domain.rates import Window


class FeedChanged(Message):
    """The live feed has something to take. One is under way at a time, so a stalled screen piles nothing up."""

    def can_replace(self, message: MessagePump | Message) -> bool:
        return isinstance(message, FeedChanged)


class WindowChosen(Message):
    """Rates are wanted over another stretch of time."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window


class MomentChanged(Message):
    """The screens show another moment of the past, or what is now: each of them is told, and reads anew."""

    def __init__(self, moment: Moment | None) -> None:
        super().__init__()
        self.moment = moment


class EndAsked(Message):
    """A signal asks the console to end."""
