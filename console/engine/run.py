"""One engine in this process, from lock to drain."""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from structlog.typing import FilteringBoundLogger

from console import __version__
from console.config import EngineSettings
from console.domain.addresses import AddressPolicy
from console.domain.clock import Clock, SystemClock
from console.domain.errors import ConfigError, EngineRunningError
from console.engine.chores import chores
from console.engine.dispatcher import Dispatcher
from console.engine.lock import EngineLock
from console.engine.logs import LogFormat, make_log
from console.engine.process import loop_factory, prepare
from console.engine.schedule import Schedule
from console.engine.sealed import refuse_sealed
from console.engine.services import Service, Surroundings
from console.engine.signals import Signals
from console.engine.supervisor import Chore, Supervisor
from console.engine.transport import kind_of, make_transport
from console.engine.transport.apart import ApartTransport, start_of
from console.engine.transport.guard import AddressGuard
from console.engine.transport.seam import Transport
from console.engine.writer import Writer
from console.store import Store, open_store


def run_engine(
    settings: EngineSettings, *, log_format: LogFormat | None = None, services: Sequence[Service] = ()
) -> int:
    """Deliver in the foreground until SIGTERM, SIGINT or `stop`. Returns 0 after a drain in order.

    Args:
        services: run beside it, in the same loop.

    Raises:
        EngineRunningError: another engine holds the store; the message has its PID and start time.
        ConfigError: a setting is wrong, or no key opens the secrets of an endpoint.
        StoreError: the store cannot be opened or written.
    """
    kind_of(settings.transport)
    policy = AddressPolicy.parse(settings.allow_addresses)
    store = open_store(settings.store)  # made, migrated or refused before anything is locked
    try:
        refuse_sealed(store, settings.keys)
    finally:
        store.close()
    lock = EngineLock(settings.store)
    with Signals() as signals:
        try:
            lock.acquire()
        except EngineRunningError:
            raise _already_running(settings) from None
        prepare()
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_serve(settings, policy, make_log(log_format), services, signals))
        finally:
            lock.release()
    return 0


def _already_running(settings: EngineSettings) -> EngineRunningError:
    store = open_store(settings.store, read_only=True)
    try:
        status = store.engine_status()
    finally:
        store.close()
    if status is None:
        return EngineRunningError(f"{settings.store}: another engine is just starting on this store")
    since = datetime.fromtimestamp(status.started_at_ms / 1000, UTC).isoformat(timespec="seconds")
    return EngineRunningError(
        f"{settings.store}: an engine runs already, pid {status.pid} since {since}: "
        "stop it with `webhook-console stop`, or choose another --store"
    )


async def _serve(
    settings: EngineSettings,
    policy: AddressPolicy,
    log: FilteringBoundLogger,
    services: Sequence[Service],
    signals: Signals,
) -> None:
    clock = SystemClock()
    writer = Writer(
        lambda: _open_settled(settings.store),
        on_trouble=lambda error: log.error("log cannot be put back into the store", error=str(error)),
    )
    await writer.start()
    guard = AddressGuard(policy, clock=clock)
    transport = _make_transport(settings, guard, clock)
    reader = open_store(settings.store, read_only=True)
    try:
        # Before this engine takes over: the last one's heartbeat tells for how long there was none.
        before = reader.engine_status()
        with chores(
            settings.store,
            before=before,
            reader=reader,
            writer=writer,
            clock=clock,
            log=log,
            search_index=settings.search_index,
        ) as beside:
            await _deliver(settings, writer, reader, transport, clock, log, beside, services, signals)
    finally:
        reader.close()
        await transport.aclose()
        await writer.close()


def _open_settled(path: Path) -> Store:
    store = open_store(path, any_thread=True)
    try:
        store.settle_log()
    except BaseException:
        store.close()
        raise
    return store


def _stop_at_eof(supervisor: Supervisor) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        supervisor.stop("standard input closed")


def _check_authority(file: Path | None) -> None:
    """Raises OSError or ValueError as making a transport does: one that is made elsewhere cannot say so here."""
    if file is not None:
        try:
            ssl.create_default_context(cafile=file)
        except ssl.SSLError as error:
            raise ValueError(str(error)) from None


def _make_transport(settings: EngineSettings, guard: AddressGuard, clock: Clock) -> Transport:
    kind = kind_of(settings.transport)
    try:
        if settings.send_apart:
            _check_authority(settings.extra_ca_file)
            start = start_of(settings.transport, settings.allow_addresses, settings.extra_ca_file)
            return ApartTransport(start, clock=clock)
        return make_transport(kind, guard, clock=clock, extra_ca_file=settings.extra_ca_file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{settings.extra_ca_file}: no usable CA certificate in it: {error}") from None


@asynccontextmanager
async def _running(services: Sequence[Service], lent: Surroundings) -> AsyncIterator[None]:
    async with AsyncExitStack() as running:
        for service in services:
            await running.enter_async_context(service(lent))
        yield


async def _deliver(
    settings: EngineSettings,
    writer: Writer,
    reader: Store,
    transport: Transport,
    clock: Clock,
    log: FilteringBoundLogger,
    beside: Sequence[Chore],
    services: Sequence[Service],
    signals: Signals,
) -> None:
    epoch = await writer.do(
        lambda store: store.take_over(
            pid=os.getpid(), host=socket.gethostname(), version=__version__, now_ms=clock.now_ms()
        )
    )
    recovered = await writer.do(lambda store: store.recover(epoch=epoch, now_ms=clock.now_ms()))
    supervisor = Supervisor(
        reader=reader,
        writer=writer,
        dispatcher=Dispatcher(transport, clock=clock, random=Random(), keys=settings.keys, instance=reader.instance()),
        schedule=Schedule(settings.max_in_flight, clock),
        clock=clock,
        epoch=epoch,
        drain_s=settings.drain_s,
        log=log,
        chores=beside,
    )
    if settings.stop_on_eof:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_eof, supervisor)
    lent = Surroundings(
        writer=writer,
        open_reader=lambda: open_store(settings.store, read_only=True, any_thread=True),
        open_operator=lambda: open_store(settings.store, any_thread=True),
        clock=clock,
        log=log,
        stopping=supervisor.stopping,
    )
    try:
        with signals.telling(supervisor.stop):
            async with _running(services, lent):
                log.info(
                    "started",
                    store=str(settings.store),
                    pid=os.getpid(),
                    epoch=epoch,
                    transport=settings.transport,
                    recovered=recovered.pending + recovered.failed,
                )
                await supervisor.run()
    except ConfigError:
        await writer.do(lambda store: store.release(epoch=epoch, now_ms=clock.now_ms()))
        raise
    await writer.do(lambda store: store.release(epoch=epoch, now_ms=clock.now_ms()))
    log.info("stopped", epoch=epoch)
