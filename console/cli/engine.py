"""`serve`, `status` and `stop`: the engine of a store."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from console.cli.commands import ConsoleCommand
from console.cli.intake_flags import intake_options
from console.cli.invocation import Invocation, key_file_option, pass_invocation
from console.cli.output import emit, note, say
from console.cli.parameters import CIDR, DURATION, TEXT
from console.cli.records import ENGINE_FIELDS, Record, engine_record, path_text, search_record
from console.config import ALLOW_VARIABLE, TRANSPORT_VARIABLE, EngineSettings, allowed_addresses
from console.domain.errors import ConsoleError
from console.domain.searching import SearchStatus
from console.domain.status import EngineStatus
from console.store import Store

if TYPE_CHECKING:
    from console.engine.services import Service
    from console.intake.settings import IntakeSettings

_LOOK_S = 0.05
_STATUS_FIELDS = (
    "alive", "engine", "store", "size_bytes", "pending", "sending", "failed", "endpoints", "endpoints_not_active",
    "search",
)  # fmt: skip


@click.command(
    cls=ConsoleCommand,
    short_help="Run the engine in the foreground.",
    examples=(
        "serve",
        "serve --allow-address 10.0.0.0/8 --drain 30s",
        "serve --listen 127.0.0.1:8400",
        "serve --config webhooks.toml --spool /var/spool/webhooks",
        "serve --store /var/lib/hooks/store.db",
    ),
)
@click.option(
    "--allow-address",
    "allow_addresses",
    type=CIDR,
    multiple=True,
    metavar="CIDR",
    help=f"A private network that endpoints may be in. Repeatable; also ${ALLOW_VARIABLE}.",
)
@click.option(
    "--drain",
    "drain_s",
    type=DURATION,
    default="10s",
    show_default=True,
    metavar="10s",
    help="To end in-flight requests.",
)
@click.option(
    "--max-in-flight",
    type=click.IntRange(1, 10_000),
    default=1024,
    show_default=True,
    metavar="N",
    help="Requests on the wire at once, all endpoints together.",
)
@click.option(
    "--transport",
    type=click.Choice(["pyreqwest", "httpx"]),
    default="pyreqwest",
    envvar=TRANSPORT_VARIABLE,
    help=f"The HTTP client. Default: ${TRANSPORT_VARIABLE}, else pyreqwest.",
)
@click.option("--one-process", is_flag=True, help="Send from the engine's own process, not from one beside it.")
@click.option(
    "--log-format",
    type=click.Choice(["json", "console"]),
    help="Of the log on stderr. Default: console on a terminal, else json.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    metavar="PEM",
    help="Certificate authorities to trust beside this machine's own.",
)
@click.option("--no-search-index", is_flag=True, help="Keep no words beside the store: texts are found more slowly.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Apply this file now, and whenever it changes; see 'apply'.",
)
@click.option(
    "--spool",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Accept .json and .ndjson files that are dropped in this folder.",
)
@click.option("--spool-poll", is_flag=True, help="Look for files instead of being told: for network file systems.")
@click.option("--stop-on-eof", is_flag=True, help="End when standard input closes, that is with the parent process.")
@intake_options
@key_file_option
@pass_invocation
def serve(
    invocation: Invocation,
    allow_addresses: tuple[str, ...],
    drain_s: float,
    max_in_flight: int,
    transport: str,
    one_process: bool,
    log_format: Literal["json", "console"] | None,
    ca_file: Path | None,
    no_search_index: bool,
    config_file: Path | None,
    spool: Path | None,
    spool_poll: bool,
    stop_on_eof: bool,
    intake: "IntakeSettings | None",
) -> int:
    """Run the engine in the foreground, until SIGTERM or Ctrl-C: systemd, a container, a terminal.

    Logs go to stderr. Only one engine runs on a store: a second one is refused with the first one's pid.
    """
    if invocation.json:
        raise click.UsageError("serve prints no result: --log-format json is what its log on stderr takes")
    if spool_poll and spool is None:
        raise click.UsageError("--spool-poll belongs to --spool")
    from console.engine.run import run_engine

    settings = EngineSettings(
        store=invocation.store_path,
        allow_addresses=allowed_addresses(allow_addresses, invocation.environ),
        drain_s=drain_s,
        max_in_flight=max_in_flight,
        transport=transport,
        send_apart=not one_process,
        extra_ca_file=ca_file,
        search_index=not no_search_index,
        stop_on_eof=stop_on_eof,
        keys=invocation.keys,
    )
    return run_engine(
        settings, log_format=log_format, services=_services(invocation, intake, config_file, spool, spool_poll)
    )


def _services(
    invocation: Invocation,
    intake: "IntakeSettings | None",
    config_file: Path | None,
    spool_folder: Path | None,
    spool_poll: bool,
) -> "list[Service]":
    """What runs beside the engine: what a file says before anything comes in, and goes out last. The HTTP API costs a
    second to load, which who does not want it need not pay."""
    services: list[Service] = []
    if config_file is not None:
        from console.intake.configuring import ConfiguringSettings, configuring

        file = config_file.expanduser().absolute()
        services.append(configuring(ConfiguringSettings(file=file, environ=invocation.environ, keys=invocation.keys)))
    if spool_folder is not None:
        from console.intake.spool import SpoolSettings, spool

        folder = spool_folder.expanduser().absolute()
        services.append(spool(SpoolSettings(folder=folder, poll=spool_poll)))
    if intake is not None:
        from console.intake.server import intake as http_api

        services.append(http_api(replace(intake, keys=invocation.keys)))
    return services


@click.command(cls=ConsoleCommand, json_fields=_STATUS_FIELDS, examples=("status", "status --json"))
@pass_invocation
def status(invocation: Invocation) -> int:
    """Say whether an engine is running, and what is owed.

    The exit code is 0 when an engine is alive, else 1.
    """
    now_ms = invocation.clock.now_ms()
    with invocation.reading() as store:
        engine = store.engine_status()
        gauges = store.gauges().values()
        endpoints = store.endpoints()
        search = store.search_status(now_ms)
    alive = engine is not None and engine.alive(now_ms)
    record: Record = {
        "alive": alive,
        "engine": None if engine is None else engine_record(engine),
        "store": path_text(invocation.store_path),
        "size_bytes": _size_bytes(invocation),
        "pending": sum(gauge.pending for gauge in gauges),
        "sending": sum(gauge.sending for gauge in gauges),
        "failed": sum(gauge.failed for gauge in gauges),
        "endpoints": len(endpoints),
        "endpoints_not_active": sum(endpoint.state != "active" for endpoint in endpoints),
        "search": None if search is None else search_record(search),
    }
    if invocation.json:
        emit(record)
    else:
        _print_status(record, engine, search, now_ms)
    return 0 if alive else 1


assert status.help is not None
status.help += (
    f"\n\nWith --json, engine is null or an object with {', '.join(ENGINE_FIELDS)}; search, how far words are indexed, "
    "is null or one with indexed_event, newest_event, indexed_attempt, newest_attempt, lag_s."
)


def _size_bytes(invocation: Invocation) -> int:
    """The store with its write-ahead log."""
    path = invocation.store_path
    return sum(p.stat().st_size for p in (path, path.with_name(path.name + "-wal")) if p.exists())


def _print_status(record: Record, engine: EngineStatus | None, search: SearchStatus | None, now_ms: int) -> None:
    from console.cli.table import Cell, print_facts
    from console.ui.format import size

    facts: list[tuple[str, Cell]] = [
        ("engine", _engine_in_words(engine, now_ms)),
        ("store", f"{record['store']}  {size(record['size_bytes'])}"),
        ("endpoints", f"{record['endpoints']:,} ({record['endpoints_not_active']:,} not active)"),
        ("pending", f"{record['pending']:,}"),
        ("sending", f"{record['sending']:,}"),
        ("failed", (f"{record['failed']:,}", "error" if record["failed"] else None)),
        ("search", _search_in_words(search)),
    ]
    print_facts(facts)


def _search_in_words(search: SearchStatus | None) -> str:
    from console.ui.format import duration

    if search is None:
        return "texts are found without an index, slowly"
    if not search.lag_s:
        return "texts are found at once"
    behind = duration(round(search.lag_s * 1000))
    return f"the index is {behind} behind, {search.behind:,} rows: in those, texts are found more slowly"


def _engine_in_words(engine: EngineStatus | None, now_ms: int) -> tuple[str, str]:
    from console.ui.format import age, date_time, duration

    if engine is None:
        return "none has ever run on this store", "warning"
    if engine.alive(now_ms):
        heartbeat = duration(max(0, now_ms - engine.heartbeat_at_ms))
        ending = ", ending" if engine.stop_requested else ""
        since = f"since {date_time(engine.started_at_ms)}, heartbeat {heartbeat} old"
        return f"alive: pid {engine.pid} on {engine.host}, {since}, version {engine.version}{ending}", "ok"
    if engine.stopped_at_ms is not None:
        return f"not running: ended in order {age(now_ms, engine.stopped_at_ms)}", "warning"
    last = age(now_ms, engine.heartbeat_at_ms)
    return f"NOT RUNNING: pid {engine.pid} was last seen {last} and did not end in order", "error"


@click.command(
    cls=ConsoleCommand,
    short_help="Stop the engine, and wait until it has.",
    json_fields=("stopped", "pid", "was_running"),
    examples=("stop", "stop --wait 60s"),
)
@click.option("--wait", "wait_s", type=DURATION, default="15s", show_default=True, metavar="15s")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def stop(invocation: Invocation, wait_s: float, reason: str | None) -> int:
    """Ask the engine to end its in-flight requests and stop, and wait until it has.

    The exit code is 1 when it did not stop in time, and 0 when none was running.
    """
    from console.operations.actor import current_actor
    from console.operations.engine import stop_engine

    with invocation.writing() as store:
        engine = store.engine_status()
        running = engine is not None and engine.alive(invocation.clock.now_ms())
        if engine is None or not running:
            stopped = True
        else:
            stop_engine(store, actor=current_actor(), reason=reason, now_ms=invocation.clock.now_ms())
            stopped = _wait_for_end(store, engine, invocation, wait_s)
    pid = engine.pid if engine is not None and running else None
    if invocation.json:
        emit({"stopped": stopped, "pid": pid, "was_running": running})
    elif not running:
        note("no engine is running")
    elif stopped:
        say(f"engine stopped (pid {pid})")
    if not stopped:
        raise ConsoleError(f"the engine (pid {pid}) was asked to stop and is still running after {wait_s:g} s")
    return 0


def _wait_for_end(store: Store, engine: EngineStatus, invocation: Invocation, wait_s: float) -> bool:
    until_s = invocation.clock.monotonic_s() + wait_s
    while True:
        now = store.engine_status()
        if now is None or now.epoch != engine.epoch or not now.alive(invocation.clock.now_ms()):
            return True
        if invocation.clock.monotonic_s() >= until_s:
            return False
        time.sleep(_LOOK_S)
