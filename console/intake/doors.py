"""The sources as the intake has them at hand: found by name, with their secrets opened and their limits kept."""

from dataclasses import replace
from http import HTTPStatus

from console.domain.addresses import AddressPolicy
from console.domain.clock import Clock
from console.domain.inbound import InboundRequest, Refused
from console.domain.pacing import Limiter
from console.domain.policy import RateLimit
from console.domain.sealing import Keyring
from console.domain.secret_parts import change_secrets
from console.domain.signing import Secret, active_secrets
from console.domain.source import Source, SourceId
from console.intake.rationing import limiter_of
from console.store.protocol import Store

LOOK_S = 0.1
"""How often, at most, it is looked whether sources have changed."""

BURST_S = 10.0
"""So much time's worth of a rate may come at once, no more than its whole count, one at least."""


class Door:
    """One source."""

    def __init__(self, source: Source, keys: Keyring) -> None:
        self.source = source
        self._keys = keys
        self._networks = AddressPolicy.parse(source.options.allow)
        self._limiter: Limiter | None = None
        self._opened: tuple[Secret, ...] | None = None
        self.complained = False
        """It was said that its secrets cannot be opened: once is enough, however many knock."""

    def refusal(self, request: InboundRequest, now_s: float) -> Refused | None:
        """Why a request is not even looked at."""
        if self._networks.allowed and not self._networks.holds(request.remote_address):
            return Refused(
                status=HTTPStatus.FORBIDDEN,
                reason=f"address {request.remote_address} is in none of the allowed networks "
                f"({', '.join(map(str, self._networks.allowed[:5]))})",
            )
        rate = self.source.options.rate_limit
        if rate is None:
            return None
        if self._limiter is None:
            self._limiter = limiter_of(rate.per_s, burst=burst_of(rate), now_s=now_s)
        if not self._limiter.available(now_s):
            return Refused(status=HTTPStatus.TOO_MANY_REQUESTS, reason=f"more than {rate} came in")
        self._limiter.take(1, now_s)
        return None

    def wait_s(self, now_s: float) -> float:
        """How long until its rate lets the next one in."""
        return 0.0 if self._limiter is None else max(0.0, self._limiter.next_s() - now_s)

    def secrets(self, now_ms: int) -> tuple[str, ...]:
        """Those that are valid now, opened. Raises SealedError."""
        if self._opened is None:
            id_ = self.source.id
            self._opened = change_secrets(self.source.secrets, lambda field, text: self._keys.open(text, id_, field))
        return tuple(secret.text for secret in active_secrets(self._opened, now_ms))

    def take_over(self, other: "Door") -> None:
        """Go on counting where the same source stood before it was edited."""
        if other.source.options.rate_limit == self.source.options.rate_limit:
            self._limiter = other._limiter


def burst_of(rate: RateLimit) -> int:
    """How many may come at once."""
    return max(1, min(rate.count, int(rate.per_s * BURST_S)))


class Doors:
    """All sources, read anew when one has changed.

    Args:
        reader: of the loop's own thread; asked for microseconds.
    """

    def __init__(self, reader: Store, clock: Clock, keys: Keyring) -> None:
        self._reader, self._clock, self._keys = reader, clock, keys
        self._doors: dict[str, Door] = {}
        self._version: int | None = None
        self._look_at_s = 0.0

    def find(self, name: str, now_ms: int) -> Door | None:
        """None: there is none of this name that takes anything. Raises StoreError."""
        self._refresh()
        door = self._doors.get(name)
        return door if door is not None and door.source.open_at(now_ms) else None

    def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._version is not None and now_s < self._look_at_s:
            return
        version = self._reader.intake_version()
        self._look_at_s = now_s + LOOK_S
        if version == self._version:
            return
        before: dict[SourceId, Door] = {door.source.id: door for door in self._doors.values()}
        self._doors = {source.name: self._door(source, before) for source in self._reader.sources()}
        self._version = version

    def _door(self, source: Source, before: dict[SourceId, Door]) -> Door:
        old = before.get(source.id)
        if old is not None and replace(old.source, version=source.version) == source:
            return old
        door = Door(source, self._keys)
        if old is not None:
            door.take_over(old)
        return door
