"""What the likely next keys need, loaded while nobody waits: a key that first loads its screen is answered late."""

import gc
from importlib import import_module
from threading import Event, Thread

LIKELY = (
    "console.ui.filtering",
    "console.ui.widgets.filter_bar",
    "console.ui.pane_filters",
    "console.ui.failure_reading",
    "console.ui.widgets.group_table",
    "console.ui.screens.groups",
    "console.ui.tail_pages",
    "console.ui.inspection",
    "console.ui.screens.inspector",
    "console.ui.widgets.confirm",
    "console.ui.pausing",
    "console.ui.failure_search",
    "console.ui.screens.failures",
    "console.ui.screens.help",
    "console.ui.palette",
)
"""In the order in which they are likely to be asked for."""

PAUSE_S = 0.05
"""Between two of them, which is when keys that came meanwhile are answered."""


class LikelyNext(Thread):
    """Loads them one by one. `stop` ends it after the one that it is at; nothing waits for it."""

    def __init__(self) -> None:
        super().__init__(name="likely-next", daemon=True)
        self._stopping = Event()

    def stop(self) -> None:
        """Load no more."""
        self._stopping.set()

    def run(self) -> None:
        for module in LIKELY:
            if self._stopping.wait(PAUSE_S):
                return
            import_module(module)
        if gc.isenabled():
            gc.freeze()  # it stays: looking at it again and again would only make keys wait
