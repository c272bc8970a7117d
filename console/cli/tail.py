"""`attempts tail`: the log as it grows."""

import time
from collections.abc import Iterator

import click

from console.cli.attempts import FAILED
from console.cli.commands import ConsoleCommand
from console.cli.filters import CAUSES, ENDPOINTS, FILTER_LINE, SINCE, TYPE, endpoint_ids, names_of
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, flush, say
from console.cli.records import ATTEMPT_FIELDS, attempt_record
from console.domain.delivery import Attempt
from console.domain.errors import UnknownReferenceError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId
from console.domain.outcome import Cause
from console.domain.query import Query
from console.domain.query_rows import attempt_matches, while_open
from console.store import Store

LOOK_S = 0.1
_PAGE = 1000
_LOOK_BACK = 4000
"""Where attempts under way at the start are looked for: several times what an engine has on the wire at once."""


class Follower:
    """Yields each matching attempt once, when it has ended.

    Rows are written before their requests are sent, so an attempt that is seen may not have ended yet: those are kept
    and looked at again.

    Args:
        where: of which attempts; what depends on how they end is decided when they have.
        from_start: begin with all that match and have ended already; else with what ends from now on.
    """

    def __init__(self, store: Store, where: AttemptFilter, *, from_start: bool) -> None:
        self._store, self._wants, self._where = store, where, while_open(where)
        self._version = -1
        self._open: set[AttemptId] = set()
        self._after = AttemptId(0)
        if not from_start:
            newest = store.attempts(AttemptFilter(), AttemptPage(limit=1))
            self._after = newest[-1].id if newest else AttemptId(0)
            recent = store.attempts(self._where, AttemptPage(limit=_LOOK_BACK))
            self._open = {a.id for a in recent if a.ended_at_ms is None and a.id <= self._after}

    def last(self, n: int) -> list[Attempt]:
        """The newest `n` that had ended before the start, oldest first."""
        found: list[Attempt] = []
        before = AttemptId(self._after + 1)
        while len(found) < n:
            page = self._store.attempts(self._where, AttemptPage(limit=_PAGE, before=before))
            wanted = [a for a in reversed(page) if a.id not in self._open and self._wanted(a)]
            found += wanted[: n - len(found)]
            if len(page) < _PAGE:
                break
            before = page[0].id
        return found[::-1]

    def poll(self) -> Iterator[Attempt]:
        """What ended since the last poll, in the order in which it ended."""
        version = self._store.data_version()
        if version == self._version:
            return
        # Read before the rows are: what is written meanwhile changes it again.
        self._version = version
        ended = self._reread()
        while True:
            page = self._store.attempts(self._where, AttemptPage(limit=_PAGE, after=self._after))
            for attempt in page:
                self._after = attempt.id
                if attempt.ended_at_ms is None:
                    self._open.add(attempt.id)
                else:
                    ended.append(attempt)
            yield from sorted((a for a in ended if self._wanted(a)), key=lambda a: (a.ended_at_ms or 0, a.id))
            ended = []
            if len(page) < _PAGE:
                return

    def _reread(self) -> list[Attempt]:
        ended: list[Attempt] = []
        for attempt_id in sorted(self._open):
            try:
                attempt = self._store.attempt(attempt_id)
            except UnknownReferenceError:  # taken away by retention
                self._open.discard(attempt_id)
                continue
            if attempt.ended_at_ms is not None:
                self._open.discard(attempt_id)
                ended.append(attempt)
        return ended

    def _wanted(self, attempt: Attempt) -> bool:
        if attempt.ended_at_ms is None or not attempt_matches(self._wants, attempt):
            return False
        if not self._wants.texts:
            return True
        said = AttemptFilter(delivery_id=attempt.delivery_id, texts=self._wants.texts)
        just_it = AttemptPage(limit=1, before=AttemptId(attempt.id + 1))
        return [found.id for found in self._store.attempts(said, just_it)] == [attempt.id]


@click.command(
    cls=ConsoleCommand,
    json_fields=ATTEMPT_FIELDS,
    examples=(
        "attempts tail",
        "attempts tail --failed -n 20",
        "attempts tail --endpoint billing --since 10m --json",
    ),
)
@FILTER_LINE
@ENDPOINTS
@TYPE
@CAUSES
@FAILED
@SINCE
@click.option("-n", "--lines", type=click.IntRange(min=0), default=0, metavar="N", help="Begin with the last N.")
@pass_invocation
def tail(
    invocation: Invocation,
    query: Query | None,
    endpoints: tuple[str, ...],
    type_pattern: str | None,
    causes: tuple[Cause, ...],
    failed: bool,
    since_ms: int | None,
    lines: int,
) -> int:
    """Follow the log: one line for each attempt when it has ended, until Ctrl-C.

    Begins now, or with what --since or -n name.
    """
    if since_ms is not None and lines:
        raise click.UsageError("give either --since or -n, not both")
    with invocation.reading() as store:
        where = AttemptFilter(
            endpoints=endpoint_ids(store, endpoints),
            type_pattern=type_pattern,
            causes=causes,
            failed_only=failed,
            since_ms=since_ms,
        )
        if query is not None:
            where = query.attempts(names_of(store), where)
        if where.since_ms is not None and lines:
            raise click.UsageError("give either since or -n, not both")
        follower = Follower(store, where, from_start=where.since_ms is not None)
        for attempt in follower.last(lines) if lines else ():
            _print(invocation, attempt)
        while True:
            for attempt in follower.poll():
                _print(invocation, attempt)
            flush()
            time.sleep(LOOK_S)


def _print(invocation: Invocation, attempt: Attempt) -> None:
    if invocation.json:
        emit(attempt_record(attempt))
        return
    from console.cli.attempt_views import tail_line

    say(tail_line(attempt))
