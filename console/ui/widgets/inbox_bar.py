"""The line in which the inbox is filtered."""

from collections.abc import Sequence

from console.domain.inbox_query import Names, complete_inbox, format_inbox, parse_inbox
from console.domain.query_complete import Completion, Vocabulary
from console.ui.widgets.filter_bar import FilterBar

PLACEHOLDER = "source:stripe fate:rejected since:1h"


class InboxBar(FilterBar):
    """A FilterBar in the language of the inbox. Nothing of it is saved under a name: those are filters of
    deliveries."""

    def __init__(self, text: str, *, names: Names, now_ms: int, history: Sequence[str]) -> None:
        def check(text: str) -> str:
            return format_inbox(parse_inbox(text, names, now_ms), names)

        super().__init__(text, placeholder=PLACEHOLDER, check=check, vocabulary=Vocabulary(keys=()), history=history)
        self._names = names

    def offers(self, text: str, at: int) -> list[Completion]:
        return complete_inbox(text, at, self._names)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action == "save" else super().check_action(action, parameters)
