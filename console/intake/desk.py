"""What the routes work with: the store to read and to write, the clock, and who asks."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.token import Token
from console.intake.acceptor import Acceptor
from console.intake.backlog import Backlog
from console.intake.checks import StoreChecks
from console.intake.gate import Gate
from console.intake.inbound import Inbound
from console.intake.readers import Readers
from console.intake.seam import Host
from console.intake.settings import IntakeSettings
from console.store.protocol import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One for a server."""

    settings: IntakeSettings
    host: Host
    gate: Gate
    readers: Readers
    operator: Readers
    acceptor: Acceptor
    backlog: Backlog
    checks: StoreChecks
    inbound: Inbound
    random: Random
    answered: Counter[int] = field(default_factory=Counter)
    """Requests by the status of their answer."""

    @property
    def clock(self) -> Clock:
        return self.host.clock

    @property
    def log(self) -> FilteringBoundLogger:
        return self.host.log

    async def read(self, work: Callable[[Store], T]) -> T:
        """Beside the loop. Raises StoreError."""
        return await self.readers.do(work)

    async def operate(self, work: Callable[[Store], T]) -> T:
        """Do what an operator may do, beside the connection on which events are accepted. Raises ConsoleError."""
        return await self.operator.do(work)


def actor_of(token: Token) -> str:
    """Who a token is in the audit log."""
    return f"token:{token.name}"
