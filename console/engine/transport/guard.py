"""The address guard: from a host name to addresses that may be connected to, or the reason for a refusal."""

import asyncio
import re
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from weakref import WeakValueDictionary

from console.domain.addresses import AddressPolicy
from console.domain.clock import Clock
from console.domain.outcome import Cause, Outcome, Parts

POSITIVE_TTL_S = 10.0
"""How long checked addresses serve without another look-up."""

NEGATIVE_TTL_S = 1.0
"""How long a refusal or a failed look-up serves: long enough that a burst to a dead name asks once."""

_MAX_HOSTS = 4096
_NAME = re.compile(r"[A-Za-z0-9._-]+")

Resolver = Callable[[str], Awaitable[list[str]]]
"""From a host name to its addresses. Raises OSError when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No address to connect to: DNS or BLOCKED_ADDRESS, and one line for an operator."""

    cause: Cause
    detail: str


Addresses = tuple[str, ...]
"""Checked addresses in the order of preference; never empty."""


async def system_resolver(host: str) -> list[str]:
    """The addresses that the machine's resolver gives, in its order, without repeats."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class AddressGuard:
    """Resolves and checks. One denied address refuses the whole name: a mixed answer is the mark of DNS rebinding.

    Answers are kept for POSITIVE_TTL_S, so that a busy endpoint costs a dictionary look-up. Callers connect to what
    was returned and never resolve the name again.
    """

    def __init__(self, policy: AddressPolicy, *, clock: Clock, resolver: Resolver = system_resolver) -> None:
        self._policy = policy
        self._now_s = clock.monotonic_s
        self._resolver = resolver
        self._answers: OrderedDict[str, tuple[float, Addresses | Refusal]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def cached(self, host: str) -> Addresses | Refusal | None:
        """The answer for a host when it is still fresh. Costs no await."""
        entry = self._answers.get(host)
        return entry[1] if entry is not None and self._now_s() < entry[0] else None

    async def check(self, host: str, *, timeout_s: float) -> Addresses | Refusal:
        """The addresses to connect to, or why there are none. Literal addresses (brackets allowed) need no DNS."""
        answer = self.cached(host)
        if answer is not None:
            return answer
        lock = self._locks.get(host)
        if lock is None:
            lock = self._locks[host] = asyncio.Lock()
        try:
            async with asyncio.timeout(timeout_s), lock:
                answer = self.cached(host)
                if answer is not None:
                    return answer
                answer = self._judge(host, await self._resolve(host))
        except TimeoutError:
            answer = Refusal(cause=Cause.DNS, detail=f"{host} did not resolve in {timeout_s:g} s")
        except (OSError, UnicodeError) as error:
            # The idna codec raises UnicodeError for labels that are empty or too long.
            reason = getattr(error, "strerror", None) or str(error)
            answer = Refusal(cause=Cause.DNS, detail=f"{host} did not resolve: {reason}")
        self._keep(host, answer)
        return answer

    def check_unresolved(self, host: str) -> Refusal | None:
        """Why a receiver that a proxy resolves is refused; None when nothing speaks against it.

        Behind a proxy the guard vouches for the proxy's address alone: which address the proxy connects to for a name
        only the proxy knows, so it must have rules of its own. What can be told here is refused here: a host that is
        itself a denied address, in any spelling that a resolver would take for one, and `localhost`.
        """
        if not host.startswith("[") and ":" not in host and _NAME.fullmatch(host) is None:
            # Who knows what the proxy makes of an escape or of a letter that looks like a digit.
            return Refusal(cause=Cause.BLOCKED_ADDRESS, detail=f"{host} is no plain host name, which a proxy must have")
        address = _spelled_address(host)
        reason = None if address is None else self._policy.refusal(address)
        if reason is None:
            return None
        place = host if host.strip("[]") == address else f"{host} is {address}"
        return Refusal(cause=Cause.BLOCKED_ADDRESS, detail=f"{place}: {reason}, behind a proxy too")

    async def _resolve(self, host: str) -> list[str]:
        address = _literal(host)
        return await self._resolver(host) if address is None else [address]

    def _judge(self, host: str, addresses: list[str]) -> Addresses | Refusal:
        if not addresses:
            return Refusal(cause=Cause.DNS, detail=f"{host} has no address")
        for address in addresses:
            reason = self._policy.refusal(address)
            if reason is not None:
                place = address if host.strip("[]") == address else f"{host} resolves to {address}"
                return Refusal(cause=Cause.BLOCKED_ADDRESS, detail=f"{place}: {reason}")
        return tuple(addresses)

    def _keep(self, host: str, answer: Addresses | Refusal) -> None:
        ttl_s = NEGATIVE_TTL_S if isinstance(answer, Refusal) else POSITIVE_TTL_S
        self._answers[host] = (self._now_s() + ttl_s, answer)
        self._answers.move_to_end(host)
        if len(self._answers) > _MAX_HOSTS:
            self._answers.popitem(last=False)


def resolved(outcome: Outcome, host: str, took_ms: float) -> Outcome:
    """The outcome of a send that had to wait for the look-up of its host, knowing how long."""
    if _literal(host) is not None:
        return outcome
    return replace(outcome, parts=replace(outcome.parts or Parts(), resolve_ms=took_ms))


def _literal(host: str) -> str | None:
    """The address that a host is, in its usual spelling, so that nobody need be asked."""
    try:
        return str(ip_address(host[1:-1] if host.startswith("[") else host))
    except ValueError:
        return None


def _spelled_address(host: str) -> str | None:
    """The address that a host is without asking anyone; None when it is a name."""
    text = host.strip("[]").rstrip(".").lower()
    if text == "localhost" or text.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    try:
        # 127.1, 0x7f.1, 2130706433: what the C library takes for an address.
        return socket.inet_ntoa(socket.inet_aton(text))
    except (OSError, UnicodeError, ValueError):
        return None
