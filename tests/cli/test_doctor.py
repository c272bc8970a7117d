"""`doctor`: findings, levels and ways out."""

from console.store import Store
from tests.cli.support import CommandLine, EngineHand, make_endpoint, make_events

CHECKS = {
    "engine", "log", "backlog", "sending", "endpoints", "alerts", "retention", "secrets", "disk", "clock", "modes",
    "sqlite", "versions", "integrity", "search",
}  # fmt: skip


def levels(console: CommandLine, *arguments: str) -> tuple[int, dict[str, str]]:
    result = console("doctor", "--json", *arguments)
    return result.code, {record["check"]: record["level"] for record in result.records}


def test_a_sound_store_with_its_engine_has_no_problem(console: CommandLine, store: Store) -> None:
    EngineHand(store)
    code, found = levels(console, "--full")
    assert found.keys() == CHECKS
    assert (code, found["integrity"], found["sqlite"]) == (0, "ok", "ok")
    assert "problem" not in found.values()
    assert found["engine"] == "warning", "an engine of another version"


def test_work_that_nobody_does_is_a_problem_with_a_way_out(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    make_events(store, 2)
    result = console("doctor")
    assert result.code == 1
    assert "problem  engine     none has ever run on this store; 2 deliveries wait" in result.out
    assert "→ webhook-console serve" in result.out


def test_files_that_others_can_read(console: CommandLine, store: Store) -> None:
    store.path.chmod(0o644)
    code, found = levels(console)
    assert found["modes"] == "warning"
    (record,) = [r for r in console("doctor", "--json").records if r["check"] == "modes"]
    assert record["way_out"].startswith(f"chmod go= {store.path}")
    assert code == 0


def test_a_store_that_is_not_there(console: CommandLine) -> None:
    result = console("doctor")
    assert (result.code, result.out) == (1, "")
    assert "there is no store" in result.err


def test_damage_is_a_problem_in_one_line(console: CommandLine, store: Store) -> None:
    store.close()
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        file.seek(size // 8192 * 4096)
        file.write(b"\xa5" * 8192)
    result = console("doctor")
    assert result.code == 1
    assert "problem  integrity" in result.out
    assert "sqlite3 STORE .recover" in result.out
    assert result.err == ""
