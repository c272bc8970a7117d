"""`retention`: what it shows, changes and deletes."""

import pytest

from console.domain.filters import DeliveryFilter
from console.domain.retention import Retention
from console.store import Store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events


def test_it_shows_what_is_built_in(console: CommandLine, store: Store) -> None:
    result = console("retention", "show")
    assert result.code == 0
    assert "delivered         30d" in result.out
    assert "failed            90d" in result.out
    assert "no limit" in result.out
    record = console("retention", "show", "--json").record
    assert (record["delivered_s"], record["max_size_bytes"]) == (30 * 86400, 0)
    assert record["used_bytes"] == record["file_bytes"] - record["free_bytes"] > 0


def test_editing_is_kept_audited_and_shown(console: CommandLine, store: Store) -> None:
    result = console("retention", "edit", "--failed", "0", "--bodies", "3d", "--max-size", "20G", "--yes")
    assert (result.code, result.out) == (0, "retention: changed failed, bodies, max-size\n")
    assert store.retention() == Retention(failed_s=0, bodies_s=3 * 86400, max_size_bytes=20 * 2**30)
    assert "20.0 GiB" in console("retention", "show").out
    assert "retention_edit" in console("operations", "list", "--json").out


def test_keeping_less_asks(console: CommandLine, store: Store) -> None:
    result = console("retention", "edit", "--delivered", "7d")
    assert result.code == 2
    assert "keep less than now (delivered)?" in result.err
    assert "--yes" in result.err
    assert store.retention() == Retention()
    assert console("retention", "edit", "--delivered", "60d").code == 0, "keeping more does not"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to change"),
        (("--delivered", "5s"), "1m to 36500d"),
        (("--max-size", "3"), "at least 16M"),
        (("--max-size", "much"), "write it as 512M"),
        (("--delivered", "soon"), "duration"),
    ],
)
def test_what_cannot_be(console: CommandLine, store: Store, arguments: tuple[str, ...], words: str) -> None:
    result = console("retention", "edit", *arguments)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
    assert store.retention() == Retention()


def test_run_deletes_what_is_old_and_says_so(console: CommandLine, store: Store) -> None:
    endpoint, hand = make_endpoint(store), EngineHand(store)
    make_events(store, 3)
    hand.run(endpoint, OK)
    make_events(store, 1)
    hand.run(endpoint, BROKEN)
    store.set_retention(Retention(delivered_s=60, failed_s=0), 0)
    assert "would be deleted: nothing" in console("retention", "run", "--dry-run").out
    _age_everything(store, 120)
    dry = console("retention", "run", "--dry-run", "--json").record
    assert (dry["deliveries"], dry["dry_run"]) == (3, True)
    assert len(store.deliveries(DeliveryFilter(), limit=9)) == 4
    asked = console("retention", "run")
    assert (asked.code, "delete 3 deliveries?" in asked.err) == (2, True)
    done = console("retention", "run", "--yes")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "3 deliveries, 3 attempts, 3 events, 3 bodies and 0 inbound requests deleted",
    )
    assert [d.state for d in store.deliveries(DeliveryFilter(), limit=9)] == ["failed"]


def _age_everything(store: Store, seconds: int) -> None:
    """As if all this had been so long ago."""
    from console.store.sqlite.library import sqlite3

    connection = sqlite3.connect(store.path)
    with connection:
        connection.execute("UPDATE deliveries SET updated_at = updated_at - ?", (seconds * 1000,))
        connection.execute("UPDATE deliveries SET created_at = created_at - ?", (seconds * 1000,))
    connection.close()
