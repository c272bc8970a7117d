"""Captures: throw-away URLs under which everything that is sent is recorded, and nothing is an event."""

from random import Random

from console.domain.errors import InvalidInputError
from console.domain.policy import RateLimit
from console.domain.source import Answer, Source, SourceKind, SourceOptions, SourceSpec, new_capture_name
from console.operations.sources import add_source, remove_source
from console.store.protocol import Store

DAY_MS = 24 * 3600 * 1000
LASTS_MS = DAY_MS
LONGEST_MS = 30 * DAY_MS

RATE = RateLimit(count=50)
"""Whoever learns the URL can fill no disk with it in a night."""


def new_capture(
    store: Store,
    *,
    actor: str,
    now_ms: int,
    random: Random,
    lasts_ms: int = LASTS_MS,
    answer: Answer | None = None,
) -> Source:
    """One with a name that nobody guesses.

    Args:
        random: a cryptographic one: who knows the name may send.

    Raises:
        InvalidInputError: the answer is none, or it is to last too long.
    """
    if not 60_000 <= lasts_ms <= LONGEST_MS:
        raise InvalidInputError("for: a capture lasts from 1 minute up to 30 days")
    spec = SourceSpec(
        name=new_capture_name(random),
        kind=SourceKind.CAPTURE,
        options=SourceOptions(answer=answer or Answer(status=200), rate_limit=RATE),
        until_ms=now_ms + lasts_ms,
    )
    return add_source(store, spec, actor=actor, now_ms=now_ms, random=random)


def captures(store: Store) -> list[Source]:
    """All that were not removed, the one that lasts longest first; those that are over too."""
    found = [source for source in store.sources() if source.kind is SourceKind.CAPTURE]
    return sorted(found, key=lambda source: (-(source.until_ms or 0), source.name))


def find_capture(store: Store, reference: str) -> Source:
    """Raises UnknownReferenceError; InvalidInputError when it is a source that is no capture."""
    source = store.find_source(reference)
    if source.kind is not SourceKind.CAPTURE:
        raise InvalidInputError(f"{source.name}: is a source of kind {source.kind}: sources remove takes it away")
    return source


def remove_capture(store: Store, reference: str, *, actor: str, now_ms: int) -> Source:
    """Take nothing more. What it recorded stays in the inbox."""
    return remove_source(store, find_capture(store, reference).id, actor=actor, reason=None, now_ms=now_ms)
