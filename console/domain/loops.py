"""Loops: events that come back to where they were, and endpoints that would send them there.

Every delivery says how many senders like this one its event has passed, `webhook-hops: 2`, and which ones under what
id, oldest first, `webhook-via: <instance>/<event id>, …`. Senders that know neither leave both out, and never pass them
on: what they send is at its first hop. Whatever in these fields makes no sense is as if it were not there; nobody is
refused for it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from posixpath import normpath
from socket import inet_aton
from urllib.parse import quote, unquote, urlsplit

from console.domain.ids import EventId
from console.domain.outcome import Headers

HOPS_HEADER = "webhook-hops"
VIA_HEADER = "webhook-via"
HOPS_MOST = 5
"""So many senders an event may have passed when it comes in."""

_KEPT_MOST = 8
"""Of a long `webhook-via`, so many of the newest are passed on."""
_SHOWN_CAP = 60
_DOORS = ("/in", "/v1/events")
_HERE = "localhost"
_NUMBER = re.compile(r"[0-9]{1,6}")
_STATION = re.compile(r"([A-Za-z0-9_-]{1,64})/([A-Za-z0-9_.~%-]{1,400})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What a request says of the way of its event: as NewEvent has it."""

    hops: int = 0
    via: str | None = None


class LoopKind(StrEnum):
    TOO_FAR = "too_far"
    """It has passed more senders than are allowed."""
    ROUND = "round"
    """It has been here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Why an event that comes in is not taken."""

    kind: LoopKind
    reason: str
    """One line, beginning with `loop: `."""


def parse_hops(headers: Headers) -> Passage:
    """How far an event has come. Each of the fields may come several times, and one may be without the other."""
    numbers, stations = [0], []
    for name, value in headers:
        match name.lower():
            case "webhook-hops":
                numbers += [int(value)] if _NUMBER.fullmatch(value := value.strip()) else []
            case "webhook-via":
                stations += [one for part in value.split(",") if _STATION.fullmatch(one := part.strip())]
    return Passage(hops=max(*numbers, len(stations)), via=", ".join(stations[-_KEPT_MOST:]) if stations else None)


def check_loop(headers: Headers, instance: str, limit: int = HOPS_MOST) -> Loop | None:
    """Why an event that came with these headers is not to be taken; None when it may be.

    Args:
        instance: this store's own name in `webhook-via`.
    """
    passage = parse_hops(headers)
    for station in (passage.via or "").split(", "):
        before, _, event_id = station.partition("/")
        if before == instance:
            return Loop(
                kind=LoopKind.ROUND,
                reason=f"loop: event {_shown(unquote(event_id))} was sent from here and comes back ({VIA_HEADER})",
            )
    if passage.hops > limit:
        return Loop(
            kind=LoopKind.TOO_FAR,
            reason=f"loop: it has passed {passage.hops:,} senders, at most {limit} are allowed ({HOPS_HEADER})",
        )
    return None


def outgoing_headers(*, instance: str, event_id: EventId, hops: int, via: str | None) -> Headers:
    """What a delivery says of the way of its event.

    Args:
        hops: of the event, as is `via`.
    """
    # Our own ids are letters, digits and `_`: every delivery passes here, and quoting costs more than all the rest.
    station = f"{instance}/{event_id if event_id.isidentifier() else quote(event_id, safe='')}"
    return ((HOPS_HEADER, str(hops + 1)), (VIA_HEADER, station if via is None else f"{via}, {station}"))


def points_at_us(url: str, listening: Iterable[str]) -> str | None:
    """Why an endpoint's URL would send events back to the engine that delivers them; None when it does not.

    Args:
        listening: base URLs under which the engine takes events in: where it listens, wildcards too
            (`http://0.0.0.0:8400`), and what it is called from outside (`https://hooks.example.com`).
    """
    target = _Place.of(url)
    if target is None:
        return None
    for base in listening:
        here = _Place.of(base)
        if here is not None and target.is_at(here):
            return (
                f"{_bare(url)} is this engine's own intake (it listens on {base}): what is sent there would come"
                " back; use the URL of another receiver"
            )
    return None


def _bare(url: str) -> str:
    """Without what may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a URL leads, its host and path written in one way."""

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "_Place | None":
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return None
        # Servers take `/x/../in/a`, `//in/a` and `/%69n/a` for the same path.
        path = normpath("/" + unquote(parts.path).lstrip("/"))
        return cls(host=_one_host(parts.hostname or ""), port=port, path=path)

    def is_at(self, base: "_Place") -> bool:
        """Whether it is a door of what listens at a base URL."""
        if self.port != base.port and {self.port, base.port} != {80, 443}:
            return False
        below = self.path.removeprefix(base.path.rstrip("/"))
        if below == self.path and base.path != "/":
            return False
        if not any(below == door or below.startswith(f"{door}/") for door in _DOORS):
            return False
        return self.host == base.host


def _one_host(host: str) -> str:
    """One name for all that leads to this machine; others in lower case."""
    host = host.lower().rstrip(".").partition("%")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return _HERE
    try:
        # `127.1`, `0x7f000001` and `2130706433` are addresses to whoever connects.
        address = ip_address(host) if ":" in host else ip_address(inet_aton(host))
    except (ValueError, OSError):
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return _HERE if address.is_loopback or address.is_unspecified else str(address)


def _shown(event_id: str) -> str:
    text = "".join(char for char in event_id if char.isprintable())
    return text if len(text) <= _SHOWN_CAP else text[:_SHOWN_CAP] + "…"
