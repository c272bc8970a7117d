"""The seam to HTTP, its two adapters and the address guard. Importing this package imports no HTTP library."""

from pathlib import Path
from typing import Literal, assert_never, get_args

from console.domain.clock import Clock
from console.domain.errors import ConfigError
from console.engine.transport.guard import AddressGuard
from console.engine.transport.seam import Transport

TransportKind = Literal["pyreqwest", "httpx"]
TRANSPORTS: tuple[TransportKind, ...] = get_args(TransportKind)


def kind_of(name: str) -> TransportKind:
    """Raises ConfigError when there is no such transport."""
    for kind in TRANSPORTS:
        if kind == name:
            return kind
    raise ConfigError(f"transport {name!r}: is none of {', '.join(TRANSPORTS)}")


def make_transport(
    kind: TransportKind, guard: AddressGuard, *, clock: Clock, extra_ca_file: Path | None = None
) -> Transport:
    """The adapter that configuration names. `extra_ca_file` (PEM) adds to the machine's trusted roots.

    Raises OSError when that file cannot be read, ValueError when it holds no certificate.
    """
    match kind:
        case "pyreqwest":
            from console.engine.transport.pyreqwest_adapter import PyreqwestTransport

            return PyreqwestTransport(guard, clock=clock, extra_ca_file=extra_ca_file)
        case "httpx":
            from console.engine.transport.httpx_adapter import HttpxTransport

            return HttpxTransport(guard, clock=clock, extra_ca_file=extra_ca_file)
        case _:
            assert_never(kind)
