"""What each finding makes of what was found."""

from dataclasses import replace

import pytest

from console.domain import diagnosis
from console.domain.diagnosis import Finding, Level, LogPin, Overdue, StoreFacts
from console.domain.retention import Retention, Space
from console.domain.status import EngineStatus

NOW_MS = 1_700_000_000_000
GIB, MIB = 2**30, 2**20
SPACE = Space(file_bytes=10 * GIB, free_bytes=0, wal_bytes=4 * MIB, page_bytes=4096)
FACTS = StoreFacts(
    space=SPACE, newest_ms=NOW_MS, overdue=None, sending=0, sending_since_ms=None, pending=0,
    accepted_a_day=100_000, event_bytes=5000, stopped=(),
)  # fmt: skip
ENGINE = EngineStatus(
    epoch=1, pid=42, host="box", version="1", started_at_ms=0, heartbeat_at_ms=NOW_MS - 500, stopped_at_ms=None,
    stop_requested=False, in_flight=0,
)  # fmt: skip
OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM
PIN = [LogPin(pid=7, command="less")]


def engine(status: EngineStatus | None, pending: int = 0) -> Finding:
    return diagnosis.engine(status, version="1", pending=pending, now_ms=NOW_MS)


def wal(size: int, pins: list[LogPin]) -> Finding:
    return diagnosis.log_size(replace(SPACE, wal_bytes=size), pins)


CASES: dict[str, tuple[Finding, Level, str]] = {
    "sound": (diagnosis.damage([], full=False, took_s=1), OK, "sound"),
    "damaged": (diagnosis.damage(["page 4: bad", "page 5: bad"], full=True, took_s=1), PROBLEM, "bad and 1 more"),
    "a small log": (wal(4 * MIB, []), OK, "4.0 MiB"),
    "a large log": (wal(200 * MIB, []), WARNING, "nobody pins it"),
    "a pinned log": (wal(200 * MIB, PIN), WARNING, "pinned by pid 7 (less)"),
    "a huge log": (wal(6 * GIB, PIN), PROBLEM, "6.0 GiB, pinned by pid 7"),
    "a clock": (diagnosis.clock(NOW_MS + 5000, NOW_MS), OK, "nothing"),
    "an empty store": (diagnosis.clock(None, NOW_MS), OK, "nothing"),
    "a clock set back": (diagnosis.clock(NOW_MS + 3_600_000, NOW_MS), WARNING, "1h in the future"),
    "room": (diagnosis.disk(100 * GIB, FACTS), OK, "100.0 GiB free"),
    "room for days": (diagnosis.disk(2 * GIB, FACTS), WARNING, "476.8 MiB a day: 4 days"),
    "room for hours": (diagnosis.disk(300 * MIB, FACTS), PROBLEM, "a day: 1 days"),
    "hardly room": (diagnosis.disk(100 * MIB, replace(FACTS, accepted_a_day=0)), PROBLEM, "100.0 MiB free"),
    "modes": (diagnosis.modes([]), OK, "only their owner"),
    "open modes": (diagnosis.modes(["/a", "/b"]), WARNING, "/a, /b"),
    "sqlite": (diagnosis.library("pysqlite3", "3.53.4", True), OK, "3.53.4"),
    "an old sqlite": (diagnosis.library("sqlite3", "3.40.1", False), PROBLEM, "lose committed writes"),
    "an engine": (engine(ENGINE), OK, "alive, pid 42"),
    "an engine of another version": (engine(replace(ENGINE, version="2")), WARNING, "this command is 1"),
    "no engine ever": (engine(None), WARNING, "none has ever run"),
    "no engine, and work": (engine(None, 3), PROBLEM, "3 deliveries wait"),
    "an engine that ended": (engine(replace(ENGINE, stopped_at_ms=NOW_MS)), WARNING, "ended in order"),
    "an engine that died": (engine(replace(ENGINE, heartbeat_at_ms=NOW_MS - 60_000)), PROBLEM, "not been seen for 1m"),
    "no backlog": (diagnosis.backlog(None, NOW_MS), OK, "nothing"),
    "some backlog": (diagnosis.backlog(Overdue(endpoint="crm", due_ms=NOW_MS - 120_000), NOW_MS), WARNING, "crm: "),
    "old backlog": (diagnosis.backlog(Overdue(endpoint="crm", due_ms=NOW_MS - 900_000), NOW_MS), PROBLEM, "15m"),
    "sending": (
        diagnosis.stuck(replace(FACTS, sending=3, sending_since_ms=NOW_MS - 9000), alive=True, now_ms=NOW_MS),
        OK,
        "3 being sent",
    ),
    "stuck": (
        diagnosis.stuck(replace(FACTS, sending=3, sending_since_ms=NOW_MS - 900_000), alive=True, now_ms=NOW_MS),
        PROBLEM,
        "for 15m",
    ),
    "left": (
        diagnosis.stuck(replace(FACTS, sending=3, sending_since_ms=NOW_MS - 900_000), alive=False, now_ms=NOW_MS),
        WARNING,
        "left by an engine that died",
    ),
    "endpoints": (diagnosis.endpoints(()), OK, "none"),
    "stopped endpoints": (diagnosis.endpoints(("crm",)), WARNING, "crm"),
    "plain secrets": (diagnosis.secrets(3, key=True), WARNING, "3 secrets"),
    "plain secrets, no key": (diagnosis.secrets(3, key=False), OK, "no key is configured"),
    "sealed secrets": (diagnosis.secrets(0, key=True), OK, "sealed"),
    "retention": (diagnosis.retention(Retention(), FACTS), OK, "deleted"),
    "no retention": (
        diagnosis.retention(Retention(delivered_s=0, failed_s=0, cancelled_s=0, inbox_s=0), FACTS),
        WARNING,
        "for ever",
    ),
    "above the limit": (diagnosis.retention(Retention(max_size_bytes=8 * GIB), FACTS), WARNING, "2.0 GiB above"),
    "alerts": (diagnosis.alerts([]), OK, "none"),
    "an alert": (diagnosis.alerts(["crm: tripped", "x"]), WARNING, "crm: tripped and 1 more"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_finding_has_its_level_and_its_way_out(name: str) -> None:
    finding, level, words = CASES[name]
    assert finding.level is level
    assert words in finding.says
    assert (finding.way_out is None) == (level is OK)
    assert finding.says.isprintable()
