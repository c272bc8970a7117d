"""Failures by what they have in common: on the hot path which group one belongs to, and for screens what there is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from console.domain.delivery import Delivered
from console.domain.failure_group import GROUPS_OF_A_KIND, UNTOLD
from console.domain.fingerprint import OTHERS, OTHERS_WORDS, Fingerprint, fingerprint
from console.domain.ids import AttemptId
from console.domain.outcome import Cause
from console.domain.rates import MINUTE
from console.domain.work import Completed
from console.store.sqlite.connection import Connection

_OF_A_KIND = """
SELECT fingerprint, id, last_at FROM failure_groups WHERE endpoint = ? AND cause = ? AND status = ?
"""
_BEGIN_GROUP = """
INSERT INTO failure_groups (endpoint, cause, status, fingerprint, words, first_at, last_at, example)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""
_SEEN = "UPDATE failure_groups SET last_at = column1, example = column2 FROM (VALUES {rows}) WHERE id = column3"
_ADD_RATES = """
INSERT INTO group_rates (bucket, failure_group, count) VALUES {rows}
ON CONFLICT (bucket, failure_group) DO UPDATE SET count = count + excluded.count
"""

_KINDS_REMEMBERED = 5_000
_TRUSTED_MS = 24 * 3600 * 1000
"""A group that was used so lately is still there: only what is much older is ever dropped."""

_NO_GROUP = 0
"""Of a failure that is not recorded."""

Kind = tuple[int, str, int]
"""Endpoint, cause and status (0: no answer)."""


class FailureGroups:
    """Finds or begins the groups of failures, and counts them. Inside transactions of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[Kind, dict[int, tuple[int, int]]] = {}
        """By kind and fingerprint: the group, and when it was last used."""

    def of_failures(self, completed: Sequence[Completed], counts: Callable[[Completed], bool]) -> dict[AttemptId, int]:
        """The group of each that failed.

        Args:
            counts: whether one is recorded at all; asked only of the first of its group.
        """
        found = {}
        for c in completed:
            v = c.verdict
            if not isinstance(v, Delivered):
                body = c.exchange.response_body if c.exchange is not None else b""
                kind = c.claimed.endpoint_seq, v.cause.value, v.status or 0
                attempt, at_ms = c.claimed.attempt_id, c.ended_at_ms
                error, group = self._find(kind, fingerprint(body, v.detail), at_ms)
                if group is None:
                    group = self._begin(kind, error, at_ms, attempt) if counts(c) else _NO_GROUP
                found[attempt] = group
        return found

    def group_of(self, kind: Kind, error: Fingerprint, at_ms: int, attempt: int) -> int:
        """The group of an error of this kind; it is begun with this attempt when there is none."""
        error, group = self._find(kind, error, at_ms)
        return self._begin(kind, error, at_ms, attempt) if group is None else group

    def _find(self, kind: Kind, error: Fingerprint, at_ms: int) -> tuple[Fingerprint, int | None]:
        """The group of an error, and what it is taken for: of too many kinds of errors, all others."""
        known = self._known.get(kind)
        if known is None:
            known = self._load(kind)
        group = known.get(error.key)
        if group is not None and at_ms - group[1] > _TRUSTED_MS:
            known = self._load(kind)
            group = known.get(error.key)
        if group is None and len(known) - (UNTOLD in known) - (OTHERS in known) >= GROUPS_OF_A_KIND:
            error = Fingerprint(key=OTHERS, words=OTHERS_WORDS)
            group = known.get(OTHERS)
        if group is None:
            return error, None
        known[error.key] = group[0], at_ms
        return error, group[0]

    def _begin(self, kind: Kind, error: Fingerprint, at_ms: int, attempt: int) -> int:
        group: int = self._connection.value(_BEGIN_GROUP, (*kind, error.key, error.words, at_ms, at_ms, attempt))
        self._known[kind][error.key] = group, at_ms
        return group

    def _load(self, kind: Kind) -> dict[int, tuple[int, int]]:
        if len(self._known) >= _KINDS_REMEMBERED:
            self._known.clear()
        rows = self._connection.rows(_OF_A_KIND, kind)
        known = self._known[kind] = {key: (id_, last_at) for key, id_, last_at in rows}
        return known

    def count(self, failures: Iterable[tuple[int, int, int]]) -> None:
        """Count attempts that failed: group, when it ended (epoch ms), number of the attempt."""
        rates: dict[tuple[int, int], int] = defaultdict(int)
        last: dict[int, tuple[int, int]] = {}
        for group, at_ms, attempt in failures:
            second = at_ms // 1000
            rates[second - second % MINUTE, group] += 1
            last[group] = at_ms, attempt
        if last:
            self._connection.run_rows(_ADD_RATES, [(*key, count) for key, count in rates.items()])
            self._connection.run_rows(_SEEN, [(*seen, group) for group, seen in last.items()])


def kind_of(endpoint: int, cause: Cause, status: int | None = None) -> Kind:
    return endpoint, cause.value, status or 0
