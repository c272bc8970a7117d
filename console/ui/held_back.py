"""What comes while a view is paused or covered: kept, so that nothing is missing when it goes on."""

from collections import deque

from console.domain.delivery import Attempt
from console.domain.passing import Passed
from console.ui.live import Taken

HELD_BACK = 5_000
"""Attempts kept for a paused view; older ones are only counted."""


class HeldBack:
    """Of one generation of the feed at a time: what came of another endpoint before is of no use."""

    def __init__(self) -> None:
        self.count = 0
        """Attempts that ended meanwhile; whoever pauses sets it to 0."""
        self.forget()

    def forget(self) -> None:
        """Nothing was held back."""
        self._attempts: deque[Attempt] = deque()
        self._passed: dict[tuple[int, str], Passed] = {}
        self._skipped = 0
        self._generation = 0

    def hold(self, taken: Taken) -> None:
        """Keep what came."""
        if taken.generation != self._generation:
            self.forget()
            self._generation = taken.generation
        self._attempts.extend(taken.attempts)
        self._skipped += taken.skipped
        for part in taken.passed:
            key = (part.second, part.endpoint_name)
            known = self._passed.get(key)
            self._passed[key] = part if known is None else known.with_more(part)
        self.count += (
            taken.skipped
            + sum(attempt.ended_at_ms is not None for attempt in taken.attempts)
            + sum(part.count for part in taken.passed)
        )
        while len(self._attempts) > HELD_BACK:
            self._attempts.popleft()
            self._skipped += 1

    def let_go(self) -> Taken | None:
        """All that was kept, and keep nothing of it; None: nothing came."""
        if not self._attempts and not self._skipped and not self._passed:
            return None
        taken = Taken(
            snapshot=None,
            trouble=None,
            attempts=tuple(self._attempts),
            skipped=self._skipped,
            passed=tuple(self._passed.values()),
            generation=self._generation,
        )
        generation = self._generation
        self.forget()
        self._generation = generation
        return taken
