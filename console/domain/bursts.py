"""Bursts of failures: where an incident begins and ends, found in counts by the minute."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

from console.domain.rates import MINUTE, Bucket

BEFORE = 30
"""Minutes before one minute that say what is usual."""

LONGEST = 60
"""After so many minutes a burst has become what is usual, and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Whole minutes in which more attempts failed than is usual there. Epoch seconds, the end exclusive."""

    start_s: int
    end_s: int
    failed: int


def bursts(minutes: Sequence[Bucket], *, since_s: int, until_s: int) -> list[Burst]:
    """The bursts that begin in [since, until), by time.

    A minute belongs to one when its failures are more than 2 + m + 3·√m, where m is their mean over the `BEFORE`
    minutes before that belong to none: three deviations of a Poisson process, and two failures more, so that a lone
    one is none.

    Args:
        minutes: buckets of a minute, by time; those without attempts may be absent. Some before `since_s` say what is
            usual at the beginning.
    """
    counts = {bucket.start_s: bucket.failed for bucket in minutes}
    usual: list[int] = []
    inside: list[int] = []
    found: list[Burst] = []
    for start_s in range(min((*counts, since_s)) // MINUTE * MINUTE, until_s, MINUTE):
        failed = counts.get(start_s, 0)
        mean = sum(usual[-BEFORE:]) / BEFORE
        if failed <= 2 + mean + 3 * sqrt(mean):
            usual.append(failed)
            inside = []
            continue
        inside.append(failed)
        if len(inside) == 1:
            found.append(Burst(start_s=start_s, end_s=start_s + MINUTE, failed=failed))
        else:
            found[-1] = replace(found[-1], end_s=start_s + MINUTE, failed=found[-1].failed + failed)
        if len(inside) == LONGEST:
            usual, inside = inside, []
    return [burst for burst in found if since_s <= burst.start_s]
