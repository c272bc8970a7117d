"""Attempts that go by faster than a person reads: what a tail needs to know of each, and what it shows of them all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from console.domain.ids import AttemptId


class Glimpse(NamedTuple):
    """The least of an attempt. A plain tuple, since a thousand of them come in a second."""

    id: AttemptId
    endpoint_name: str
    started_at_ms: int
    ended: bool
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Successes of one endpoint that began in one second of the clock."""

    second: int
    """Epoch seconds."""
    endpoint_name: str
    count: int
    first_id: AttemptId
    last_id: AttemptId

    def with_more(self, other: "Passed") -> "Passed":
        """Both together; they are of the same second and endpoint."""
        return Passed(
            second=self.second,
            endpoint_name=self.endpoint_name,
            count=self.count + other.count,
            first_id=min(self.first_id, other.first_id),
            last_id=max(self.last_id, other.last_id),
        )


def count_passed(glimpses: Iterable[Glimpse]) -> list[Passed]:
    """The successes among them, by second and endpoint, in the order in which they first come."""
    found: dict[tuple[int, str], list[int]] = {}
    for id_, name, started_at_ms, ended, failed in glimpses:
        if ended and not failed:
            key = (started_at_ms // 1000, name)
            known = found.get(key)
            if known is None:
                found[key] = [1, id_, id_]
            else:
                known[0] += 1
                known[1], known[2] = min(known[1], id_), max(known[2], id_)
    return [
        Passed(second=second, endpoint_name=name, count=n, first_id=AttemptId(first), last_id=AttemptId(last))
        for (second, name), (n, first, last) in found.items()
    ]
