"""What `doctor` looks at, and what it makes of it: each finding with its way out. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from shlex import quote

from console.domain.alerts import duration_words
from console.domain.retention import Retention, Space
from console.domain.searching import SearchStatus
from console.domain.status import STALE_AFTER_S, EngineStatus

MIB, GIB = 1024**2, 1024**3
_DAY_S = 24 * 3600.0
_SEARCH_LAG_S = 600.0


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was looked at, how it stands, and a command that helps (None: nothing needs help)."""

    check: str
    level: Level
    says: str
    way_out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPin:
    """A process that has been reading one state of the store all the while it was looked at: the log cannot shrink."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """An active endpoint and the oldest delivery it is owed."""

    endpoint: str
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What the store says of itself. Times are epoch ms; None: there is none."""

    space: Space
    newest_ms: int | None
    """When the newest event was accepted or the newest attempt begun."""
    overdue: Overdue | None
    sending: int
    sending_since_ms: int | None
    """When the oldest attempt that is still open was claimed."""
    pending: int
    accepted_a_day: int
    """Events in the last 24 hours."""
    event_bytes: int
    """What one event takes with all that belongs to it, on average."""
    stopped: tuple[str, ...]
    """Names of tripped and disabled endpoints, some."""

    @property
    def growth_bytes_a_day(self) -> int:
        return self.accepted_a_day * self.event_bytes


def damage(lines: list[str], *, full: bool, took_s: float) -> Finding:
    """Of the pages and rows of the file."""
    what = "integrity, references and counters" if full else "pages (--full looks at more)"
    if not lines:
        return Finding(check="integrity", level=Level.OK, says=f"{what}: sound, looked at in {duration_words(took_s)}")
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return Finding(
        check="integrity",
        level=Level.PROBLEM,
        says=f"{lines[0]}{more}",
        way_out="stop the engine, keep the file, and recover: sqlite3 STORE .recover | sqlite3 new.db",
    )


def log_size(space: Space, pins: list[LogPin]) -> Finding:
    """Of the write-ahead log, which shrinks when nobody reads an old state."""
    size = f"write-ahead log of {_size(space.wal_bytes)}"
    if space.wal_bytes < 128 * MIB:
        return Finding(check="log", level=Level.OK, says=size)
    level = Level.PROBLEM if space.wal_bytes >= max(GIB, space.file_bytes // 2) else Level.WARNING
    if not pins:
        return Finding(
            check="log", level=level, says=f"{size}, and nobody pins it: it shrinks with an engine's next checkpoint",
            way_out="webhook-console serve",
        )  # fmt: skip
    by = ", ".join(f"pid {pin.pid} ({pin.command})" for pin in pins[:3])
    return Finding(check="log", level=level, says=f"{size}, pinned by {by}", way_out=f"kill {pins[0].pid}")


def clock(newest_ms: int | None, now_ms: int) -> Finding:
    """Of rows that are newer than now."""
    ahead_s = 0.0 if newest_ms is None else (newest_ms - now_ms) / 1000
    if ahead_s <= 5:
        return Finding(check="clock", level=Level.OK, says="nothing in the store is newer than now")
    return Finding(
        check="clock",
        level=Level.WARNING,
        says=f"the newest row is {duration_words(ahead_s)} in the future: the clock was set back",
        way_out="timedatectl status",
    )


def disk(free_bytes: int, facts: StoreFacts) -> Finding:
    """Of room for what comes."""
    growth = facts.growth_bytes_a_day
    days = free_bytes / growth if growth else float("inf")
    says = f"{_size(free_bytes)} free; the store takes {_size(facts.space.file_bytes)}"
    if growth:
        says += f" and gets about {_size(growth)} a day" + (f": {days:.0f} days" if days < 365 else "")
    way_out = "webhook-console retention edit --delivered 7d --bodies 1d"
    if free_bytes < 256 * MIB or days < 1:
        return Finding(check="disk", level=Level.PROBLEM, says=says, way_out=way_out)
    if free_bytes < GIB or days < 7:
        return Finding(check="disk", level=Level.WARNING, says=says, way_out=way_out)
    return Finding(check="disk", level=Level.OK, says=says)


def modes(open_to_others: list[str]) -> Finding:
    """Of files that others may read: they hold payloads and secrets."""
    if not open_to_others:
        return Finding(check="modes", level=Level.OK, says="only their owner can read the store's files")
    return Finding(
        check="modes",
        level=Level.WARNING,
        says=f"others can read {', '.join(open_to_others)}",
        way_out=f"chmod go= {' '.join(map(quote, open_to_others))}",
    )


def library(name: str, version: str, may_write: bool) -> Finding:
    """Of the SQLite that is used."""
    if may_write:
        return Finding(check="sqlite", level=Level.OK, says=f"SQLite {version}, by {name}")
    return Finding(
        check="sqlite",
        level=Level.PROBLEM,
        says=f"SQLite {version}, by {name}, can lose committed writes and is only used for reading",
        way_out="uv python install 3.13, then uv run --python 3.13 webhook-console",
    )


def engine(status: EngineStatus | None, *, version: str, pending: int, now_ms: int) -> Finding:
    """Of whoever should deliver."""
    waiting = f"; {pending:,} deliveries wait" if pending else ""
    idle = Level.PROBLEM if pending else Level.WARNING
    if status is None:
        says = f"none has ever run on this store{waiting}"
        return Finding(check="engine", level=idle, says=says, way_out="webhook-console serve")
    ago = duration_words(max(0, now_ms - status.heartbeat_at_ms) / 1000)
    if status.stopped_at_ms is not None:
        says = f"not running: it ended in order {ago} ago{waiting}"
        return Finding(check="engine", level=idle, says=says, way_out="webhook-console serve")
    if not status.alive(now_ms):
        says = (
            f"pid {status.pid} on {status.host} has not been seen for {ago} ({STALE_AFTER_S:g}s is too long){waiting}"
        )
        way_out = "webhook-console serve (it says so if that one still holds the store; then: kill -9 its pid)"
        return Finding(check="engine", level=Level.PROBLEM, says=says, way_out=way_out)
    says = f"alive, pid {status.pid} on {status.host}, version {status.version}"
    if status.version != version:
        return Finding(
            check="engine", level=Level.WARNING, says=f"{says}; this command is {version}",
            way_out="webhook-console stop && webhook-console serve",
        )  # fmt: skip
    return Finding(check="engine", level=Level.OK, says=says)


def backlog(overdue: Overdue | None, now_ms: int) -> Finding:
    """Of what should have been sent."""
    late_s = 0.0 if overdue is None else (now_ms - overdue.due_ms) / 1000
    if overdue is None or late_s < 60:
        return Finding(check="backlog", level=Level.OK, says="nothing has been due for a minute")
    return Finding(
        check="backlog",
        level=Level.PROBLEM if late_s >= 600 else Level.WARNING,
        says=f"{overdue.endpoint}: a delivery has been due for {duration_words(late_s)}",
        way_out=f"webhook-console deliveries list --endpoint {quote(overdue.endpoint)} --state pending",
    )


def stuck(facts: StoreFacts, *, alive: bool, now_ms: int) -> Finding:
    """Of requests that should have ended long ago."""
    since_s = 0.0 if facts.sending_since_ms is None else (now_ms - facts.sending_since_ms) / 1000
    says = f"{facts.sending:,} being sent"
    if not facts.sending or since_s < 600:
        return Finding(check="sending", level=Level.OK, says=says)
    if not alive:
        says = f"{says}, left by an engine that died: the next one takes them up again"
        return Finding(check="sending", level=Level.WARNING, says=says, way_out="webhook-console serve")
    return Finding(
        check="sending",
        level=Level.PROBLEM,
        says=f"{says}, the oldest for {duration_words(since_s)}: longer than any timeout",
        way_out="webhook-console stop && webhook-console serve",
    )


def endpoints(stopped: tuple[str, ...]) -> Finding:
    """Of those that nothing is sent to."""
    if not stopped:
        return Finding(check="endpoints", level=Level.OK, says="none is tripped or disabled")
    return Finding(
        check="endpoints",
        level=Level.WARNING,
        says=f"tripped or disabled: {', '.join(stopped)}",
        way_out=f"webhook-console endpoints show {quote(stopped[0])}",
    )


def secrets(plain: int, *, key: bool) -> Finding:
    """Of signing secrets that are kept as they are."""
    if plain and key:
        return Finding(
            check="secrets",
            level=Level.WARNING,
            says=f"{plain} secrets are kept unsealed although a key is configured",
            way_out="webhook-console secrets seal",
        )
    says = "sealed" if not plain else f"{plain} kept as they are: no key is configured"
    return Finding(check="secrets", level=Level.OK, says=says)


def retention(settings: Retention, facts: StoreFacts) -> Finding:
    """Of what is never deleted."""
    over = facts.space.used_bytes - settings.max_size_bytes if settings.max_size_bytes else 0
    if over > settings.max_size_bytes // 10:
        return Finding(
            check="retention",
            level=Level.WARNING,
            says=f"the store is {_size(over)} above its limit: what is pending is never deleted, or no engine runs",
            way_out="webhook-console retention run",
        )
    if settings.deletes_nothing:
        return Finding(
            check="retention",
            level=Level.WARNING,
            says="everything is kept for ever",
            way_out="webhook-console retention edit --delivered 30d --failed 90d --cancelled 30d --inbox 30d",
        )
    return Finding(check="retention", level=Level.OK, says="old deliveries are deleted")


def search(status: SearchStatus | None, *, there: bool) -> Finding:
    """Of the file of words, which may be missing.

    Args:
        there: the file is.
    """
    if status is None:
        says = (
            "the file of words is not of this store as it is: an engine makes it anew" if there else "there is no index"
        )
        return Finding(check="search", level=Level.OK, says=f"{says}; texts are found row by row")
    if status.lag_s > _SEARCH_LAG_S:
        return Finding(
            check="search",
            level=Level.WARNING,
            says=f"the index is {status.lag_s / 60:.0f} minutes behind, {status.behind:,} rows: texts are found slowly",
            way_out="let an engine run (webhook-console serve): it catches up while little is delivered",
        )
    return Finding(check="search", level=Level.OK, says="words of payloads and responses are indexed")


def alerts(words: list[str]) -> Finding:
    """Of what fires."""
    if not words:
        return Finding(check="alerts", level=Level.OK, says="none fires")
    more = f" and {len(words) - 1} more" if len(words) > 1 else ""
    return Finding(check="alerts", level=Level.WARNING, says=f"{words[0]}{more}", way_out="webhook-console alerts list")


def _size(n_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n_bytes) < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"
