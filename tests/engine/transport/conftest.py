import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from console.domain.addresses import AddressPolicy
from console.domain.clock import SystemClock
from console.engine.transport import TransportKind, make_transport
from console.engine.transport.guard import AddressGuard
from console.engine.transport.seam import Transport
from tests.certificates import Authority
from tests.receivers import Behaviour, ScriptedReceiver

MakeTransport = Callable[..., Transport]
MakeReceiver = Callable[..., Awaitable[ScriptedReceiver]]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def receiver(stack: AsyncExitStack) -> MakeReceiver:
    async def make(behaviour: Behaviour | None = None, **options: object) -> ScriptedReceiver:
        return await stack.enter_async_context(ScriptedReceiver(behaviour, **options))  # type: ignore[arg-type]  # options are passed through

    return make


@pytest.fixture
def unused_port() -> Callable[[], int]:
    """Gives ports that nothing listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture(params=["pyreqwest", "httpx"])
def kind(request: pytest.FixtureRequest) -> TransportKind:
    kind: TransportKind = request.param
    return kind


@pytest.fixture
def transport(kind: TransportKind, stack: AsyncExitStack) -> MakeTransport:
    """Makes the adapter under test; `names` says what the resolver answers."""

    def make(
        *,
        allow: tuple[str, ...] = ("127.0.0.0/8",),
        names: dict[str, list[str]] | None = None,
        extra_ca_file: Path | None = None,
    ) -> Transport:
        async def resolve(host: str) -> list[str]:
            if names is None or host not in names:
                raise OSError(-2, "Name or service not known")
            return names[host]

        clock = SystemClock()
        guard = AddressGuard(AddressPolicy.parse(allow), clock=clock, resolver=resolve)
        made = make_transport(kind, guard, clock=clock, extra_ca_file=extra_ca_file)
        stack.push_async_callback(made.aclose)
        return made

    return make
