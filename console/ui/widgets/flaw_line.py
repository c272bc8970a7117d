"""One line under a list of deliveries: where the payload of the one under the cursor does not match its schema, or at
which place of its endpoint's transform it failed."""

from textual import work
from textual.content import Content
from textual.timer import Timer

from console.domain.delivery import Delivery
from console.domain.errors import ConsoleError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.outcome import Cause
from console.store import Store
from console.ui.format import inline
from console.ui.steering import session_of
from console.ui.widgets.text_line import TextLine

LOOK_AFTER_S = 0.1
"""How long the cursor rests on a row before it is looked up."""


class FlawLine(TextLine):
    """There while there is something to say."""

    DEFAULT_CSS = "FlawLine { display: none; color: $text-warning; padding: 0 1; &.-said { display: block; } }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._delivery: Delivery | None = None
        self._timer: Timer | None = None

    def look(self, delivery: Delivery | None) -> None:
        """Speak of this delivery from now on."""
        if delivery == self._delivery:
            return
        self._delivery = delivery
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(LOOK_AFTER_S, self._read)

    @work(exclusive=True, group="flaw", exit_on_error=False)
    async def _read(self) -> None:
        delivery = self._delivery
        try:
            words = (
                "" if delivery is None else await session_of(self.app).read(lambda store: flaw_words(store, delivery))
            )
        except ConsoleError:
            return  # the list says what is wrong with the store
        if delivery == self._delivery:
            self.line = Content(inline(words))
            self.set_class(bool(words), "-said")


def flaw_words(store: Store, delivery: Delivery) -> str:
    """What is to be said of a delivery; mostly nothing."""
    parts = []
    if (flaw := store.event(delivery.event_id).flaw) is not None:
        parts.append(f"⚑ schema: {flaw}")
    if delivery.last_cause is Cause.TRANSFORM_ERROR:
        attempts = store.attempts(AttemptFilter(delivery_id=delivery.id), AttemptPage(limit=1))
        parts += [f"✗ {attempt.detail}" for attempt in attempts if attempt.detail]
    return "   ".join(parts)
