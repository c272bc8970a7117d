"""The power goes: what was promised before is in the store, whatever the disk did with what was not synced yet."""

import os
from pathlib import Path
from random import Random

import pytest

from console.store import open_store
from tests.faults.interposed import unsupported
from tests.faults.power import Disk
from tests.faults.power_loss import lose_power, record_engine, record_work
from tests.faults.recording import Record

if why := unsupported():
    pytest.skip(why, allow_module_level=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_promise_is_lost_with_the_power(tmp_path: Path, seed: int) -> None:
    records = record_work(tmp_path, seed)
    found = lose_power(tmp_path, records, seed, moments=25)
    assert found.promises > 1000
    assert (found.lost, found.broken) == ([], [])


def test_a_real_engine_beside_a_producer_keeps_its_promises(tmp_path: Path) -> None:
    records = record_engine(tmp_path, 7, seconds=2.5)
    assert {"accepted", "posted"} <= {record.name for record in records if record.kind == "mark"}
    found = lose_power(tmp_path, records, 7, moments=20)
    assert (found.lost, found.broken) == ([], [])


def test_with_less_syncing_this_finds_losses(tmp_path: Path) -> None:
    """What is told to the disk only now and then is lost: these tests would see it."""
    found = lose_power(tmp_path, record_work(tmp_path, 1, "--synchronous=NORMAL"), 1, moments=20)
    assert any("event" in lost for lost in found.lost)
    assert any("attempt" in lost for lost in found.lost)
    assert found.broken == []


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_failing_disk_refused_was_not_promised(tmp_path: Path, seed: int) -> None:
    """Writes cut short and syncs that fail: what is promised all the same is there when the power has gone too."""
    found = lose_power(tmp_path, record_work(tmp_path, seed, "--failures=0.01"), seed, moments=20)
    assert found.promises > 500
    assert (found.lost, found.broken) == ([], [])


@pytest.mark.parametrize("seed", [7, 8])
def test_what_a_failed_checkpoint_forgot_is_written_again(tmp_path: Path, seed: int) -> None:
    """Syncs of the store's own file fail too, some of them after a checkpoint that a reader had cut short."""
    found = lose_power(tmp_path, record_work(tmp_path, seed, "--failures=0.01", "--everywhere"), seed, moments=60)
    assert found.promises > 500
    assert (found.lost, found.broken) == ([], [])


def test_a_checkpoint_that_was_cut_short_before_one_that_failed_is_written_again(tmp_path: Path) -> None:
    records = record_work(tmp_path, 1, "--cut-short")
    assert [record.kind for record in records].count("failed") == 1
    found = lose_power(tmp_path, records, 1, moments=20)
    assert (found.lost, found.broken) == ([], [])


def test_trusting_the_count_after_a_failed_checkpoint_breaks_stores(tmp_path: Path) -> None:
    """What SQLite does of itself: the count of what need not be written again stays."""
    found = lose_power(tmp_path, record_work(tmp_path, 1, "--cut-short", "--trusting"), 1, moments=20)
    assert len(found.broken) >= 5, "from the failure on the store is broken, not at one moment only"


def test_a_failed_sync_that_is_not_heeded_is_found_out(tmp_path: Path) -> None:
    records = record_work(tmp_path, 1, "--failures=0.01", "--unheeded")
    assert any(record.kind == "failed" for record in records)
    found = lose_power(tmp_path, records, 1, moments=20)
    assert found.lost or found.broken


def test_without_syncing_this_finds_broken_stores(tmp_path: Path) -> None:
    found = lose_power(tmp_path, record_work(tmp_path, 1, "--synchronous=OFF"), 1, moments=20)
    assert found.broken


def test_the_same_seed_makes_the_same_changes(tmp_path: Path) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    for folder in (one, two):
        folder.mkdir()
    kinds = [[(r.kind, r.at, len(r.data)) for r in record_work(f, 4, steps=60)] for f in (one, two)]
    pids = [[(kind, at, size) for kind, at, size in each if kind != "sync"] for each in kinds]
    assert pids[0] == pids[1]


def test_what_a_disk_may_lose() -> None:
    disk = Disk()
    changes = [
        Record("file", 5, name="a"),
        Record("write", 5, 0, data=b"1" * 1024),
        Record("sync", 5, 1, "p"),
        Record("write", 5, 0, data=b"2" * 1024),
        Record("synced", 5, 1, "p"),
    ]
    for at, change in enumerate(changes):
        disk.follow(at, change)
    assert {bool(disk.lose_power(Random(seed))) for seed in range(50)} == {False, True}, "its name is not synced"
    disk.follow(5, Record("sync", 0, 2, "p"))
    disk.follow(6, Record("synced", 0, 2, "p"))
    left = {disk.lose_power(Random(seed))["a"] for seed in range(200)}
    ones, twos = b"1" * 512, b"2" * 512
    assert left == {a + b for a in (ones, twos) for b in (ones, twos)}, "the second write came after its sync had begun"
    disk.follow(7, Record("unlink", name="a"))
    assert {len(disk.lose_power(Random(seed))) for seed in range(50)} == {0, 1}


def test_the_folders_of_a_new_store_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    sync = os.fsync

    def noted(fd: int) -> None:
        sync(fd)
        synced.append(Path(f"/proc/self/fd/{fd}").readlink())

    monkeypatch.setattr(os, "fsync", noted)
    open_store(tmp_path / "share" / "webhook-console" / "store.db").close()
    assert set(synced) == {tmp_path, tmp_path / "share"}
    synced.clear()
    open_store(tmp_path / "share" / "webhook-console" / "other.db").close()
    assert synced == []
