"""The spool folder: what is dropped is accepted once, whole or not at all, whoever dies in between."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.clock import ManualClock
from console.domain.errors import ConfigError
from console.domain.event_schema import SchemaMode
from console.domain.filters import EventFilter
from console.domain.ids import EventId
from console.intake.spool import SpoolSettings, spool
from console.intake.spool_folder import DONE, REJECTED, TAKEN, SpoolFolder, nobody_writes
from console.store import Store, open_store
from tests.intake.hosts import DirectWriter, LentHost
from tests.intake.spool_rig import (
    KilledError,
    MortalDisk,
    MortalWriter,
    Rig,
    entries,
    line,
    names,
    numbers,
    pieces_of,
)

T = TypeVar("T")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


async def test_files_are_accepted_and_moved(store: Store, folder: Path) -> None:
    (folder / "one.json").write_text(json.dumps({"type": "lead.new", "data": {"n": 1}, "id": "lead-1"}, indent=2))
    (folder / "list.json").write_text(f"[{line(2)}, {line(3)}]")
    (folder / "many.NDJSON").write_text(f"{line(4)}\n\n{line(5)}")
    rig = Rig(store, folder)
    await rig.settle()
    assert numbers(store) == dict.fromkeys(range(1, 6), 1)
    assert store.event(EventId("lead-1")).source == "spool"
    assert names(folder, DONE) == ["list.json", "many.NDJSON", "one.json"]
    assert entries(folder) == [".lock", DONE, REJECTED, TAKEN]
    assert {entry["events"] for entry in rig.host.logged} == {1, 2}


async def test_the_same_file_dropped_again_is_accepted_again(store: Store, folder: Path) -> None:
    rig = Rig(store, folder)
    for _ in range(2):
        (folder / "a.json").write_text(line("once-more"))
        (folder / "b.json").write_text(line("own-id", id="lead-7"))
        await rig.settle()
    assert numbers(store) == {"once-more": 2, "own-id": 1}, "whose id is its own is accepted once"
    assert names(folder, DONE) == ["a.json", "a.json", "b.json", "b.json"]


@pytest.mark.parametrize(
    ("name", "text", "reasons"),
    [
        ("bad.ndjson", f"{line(1)}\nno\n{line(2)}\n{{}}\n", ["line 2: not JSON: ", "line 4: Object missing required"]),
        ("bad.json", f"[{line(1)}, 5]", ["event 2: Expected `object`"]),
        ("torn.json", '{"type": "a"', ["event 1: not JSON: "]),
        ("torn-list.json", "[1, ", ["event 1: not JSON: "]),
        ("blank.json", " \n", ["event 1: is empty"]),
        ("empty-list.json", "[]", ["event 1: is empty"]),
        ("many.ndjson", "x\n" * 100, [*(f"line {n}: not JSON" for n in range(1, 21)), "and 80 more"]),
        ("not-text.json", "\udcff", ["event 1: not JSON: not UTF-8"]),
        ("huge-line.ndjson", '"' + "x" * 2_000_000 + '"', ["line 1: line of 2,000,002 bytes"]),
    ],
)
async def test_what_is_wrong_is_rejected_whole_with_its_lines(
    store: Store, folder: Path, name: str, text: str, reasons: list[str]
) -> None:
    (folder / name).write_text(text, errors="surrogateescape")
    rig = Rig(store, folder)
    await rig.settle()
    assert numbers(store) == {}
    assert names(folder, REJECTED) == [name, f"{name}.reason.txt"]
    (why,) = (folder / REJECTED).glob("*.reason.txt")
    said = why.read_text().splitlines()
    assert len(said) == len(reasons)
    assert all(words.startswith(reason) for words, reason in zip(said, reasons, strict=True))
    assert [entry["event"] for entry in rig.host.logged] == ["spool file rejected: nothing of it was accepted"]


async def test_schemas_are_asked_before_anything_is_accepted(store: Store, folder: Path) -> None:
    schema = b'{"properties": {"n": {"type": "integer"}}}'
    store.add_schema("lead.*", SchemaMode.REJECT, schema, 1)
    store.add_schema("lead.new", SchemaMode.FLAG, schema, 1)
    (folder / "flagged.ndjson").write_text(f"{line(1)}\n{line('x')}\n")
    (folder / "refused.ndjson").write_text(f"{line(2)}\n{line('y', type='lead.old')}\n")
    await Rig(store, folder).settle()
    assert numbers(store) == {1: 1, "x": 1}
    flaws = [store.event(row.id).flaw for row in store.events(EventFilter(), limit=9)]
    assert [flaw is None for flaw in flaws] == [False, True], "newest first"
    (why,) = (folder / REJECTED).glob("*.reason.txt")
    assert why.read_text().startswith("line 2: n: ")


async def test_what_is_not_whole_is_left_alone(store: Store, folder: Path) -> None:
    for name in (".hidden.json", "a.json.tmp", "b.ndjson.part", "notes.txt"):
        (folder / name).write_text(line(0))
    (folder / "empty.json").touch()
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    (folder / "link.json").symlink_to(folder / "notes.txt")
    before = entries(folder)
    rig = Rig(store, folder)
    await rig.settle()
    await rig.settle()
    assert [name for name in entries(folder) if name not in (TAKEN, DONE, REJECTED, ".lock")] == before
    assert numbers(store) == {}
    assert [(entry["file"], entry["why"][:18]) for entry in rig.host.logged] == [("link.json", "is a symbolic link")]


async def test_a_file_that_is_being_written_waits_until_it_is_closed(store: Store, folder: Path) -> None:
    leases_or_skip(folder)
    rig = Rig(store, folder)
    with (folder / "slow.ndjson").open("w") as file:
        file.write(line(1) + "\n")
        file.flush()
        await rig.settle()
        assert numbers(store) == {}, "however long nothing changes"
        assert (folder / "slow.ndjson").exists()
        file.write(line(2))
    await rig.settle()
    assert numbers(store) == {1: 1, 2: 1}


async def test_where_writers_cannot_be_told_a_file_that_changes_waits(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.intake.spool_folder.nobody_writes", lambda path: None)
    rig = Rig(store, folder)
    rig.spool.folder.open()
    for number in range(1, 4):
        with (folder / "slow.ndjson").open("a") as file:
            file.write(line(number) + "\n")
        await rig.spool._round()
        rig.clock.advance(0.4)
    assert numbers(store) == {}
    rig.clock.advance(0.4)
    await rig.spool._round()
    assert numbers(store) == {1: 1, 2: 1, 3: 1}
    rig.spool.folder.close()


async def test_what_is_written_to_a_file_that_is_taken_is_not_lost(store: Store, folder: Path) -> None:
    (folder / "a.ndjson").write_text(line(1) + "\n")
    rig = Rig(store, folder)
    with (folder / "a.ndjson").open("a") as late:
        writer = rig.host.writer

        class Interfering(DirectWriter):
            async def do(self, work: Callable[[Store], T]) -> T:
                if not late.closed:
                    late.write(line(2) + "\n")
                    late.close()
                return await writer.do(work)

        rig.host.writer = Interfering(store)
        rig.spool.folder.open()
        rig.spool.folder._leases = False  # as on a file system that cannot tell who writes
        for _ in range(3):
            await rig.spool._round()
            rig.clock.advance(1)
        rig.spool.folder.close()
    assert numbers(store) == {1: 1, 2: 1}
    assert names(folder, DONE) == ["a.ndjson"]


def leases_or_skip(folder: Path) -> None:
    probe = folder / ".probe"
    with probe.open("w"):
        told = nobody_writes(probe) is False
    if not told or nobody_writes(probe) is not True:
        pytest.skip("this file system does not say who writes")


def test_leases_tell_who_writes(folder: Path) -> None:
    leases_or_skip(folder)
    file = folder / "a.json"
    file.write_text("x")
    assert nobody_writes(file)
    with file.open("a"):
        assert nobody_writes(file) is False
    with file.open("r"):
        assert nobody_writes(file)


async def test_a_file_that_cannot_be_read_is_reported_once(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "secret.json").write_text(line(1))
    (folder / "other.json").write_text(line(2))
    real = nobody_writes

    def refused(path: Path) -> bool | None:
        if path.name == "secret.json" and forbidden:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    forbidden = True
    monkeypatch.setattr("console.intake.spool_folder.nobody_writes", refused)
    rig = Rig(store, folder)
    for _ in range(3):
        await rig.settle()
    assert numbers(store) == {2: 1}
    told = [entry for entry in rig.host.logged if entry["level"] == "warning"]
    assert [(entry["file"], entry["why"]) for entry in told] == [("secret.json", "cannot be read: Permission denied")]
    forbidden = False
    (folder / "secret.json").chmod(0o640)
    await rig.settle()
    assert numbers(store) == {1: 1, 2: 1}


def test_one_engine_at_a_time_takes_from_a_folder(folder: Path) -> None:
    one, other = (SpoolFolder(folder, clock=ManualClock(), random=Random(1)) for _ in range(2))
    one.open()
    with pytest.raises(ConfigError, match="another engine takes files from this folder"):
        other.open()
    one.close()
    other.open()
    other.close()
    (folder / DONE).rmdir()
    (folder / DONE).symlink_to(folder.parent)
    with pytest.raises(ConfigError, match="done is a symbolic link"):
        other.open()
    (folder / "file").touch()
    with pytest.raises(ConfigError, match=r"--spool .*/file: "):
        SpoolFolder(folder / "file", clock=ManualClock(), random=Random(1)).open()


async def test_what_fails_for_a_while_is_tried_again_and_not_doubled(store: Store, folder: Path) -> None:
    (folder / "a.ndjson").write_text("\n".join(map(line, range(5))))
    (folder / "b.json").write_text(line("b"))
    rig = Rig(store, folder)
    writer, calls = rig.host.writer, iter(range(100))

    class Failing(DirectWriter):
        async def do(self, work: Callable[[Store], T]) -> T:
            if next(calls) == 1:
                raise OSError("no space left")
            return await writer.do(work)

    rig.host.writer = Failing(store)
    with pieces_of(2):
        await rig.settle()
        assert numbers(store) == {0: 1, 1: 1, "b": 1}, "the others need not wait"
        await rig.settle()
    assert numbers(store) == Counter([*range(5), "b"])
    assert [e["error"] for e in rig.host.logged if e["level"] == "error"] == ["no space left"]


_FILES = st.lists(
    st.tuples(st.sampled_from([".json", ".ndjson"]), st.integers(1, 5), st.booleans()), min_size=1, max_size=4
)


@settings(max_examples=40)
@given(_FILES, st.lists(st.integers(1, 14), max_size=5))
def test_whoever_dies_at_whatever_step_nothing_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, int, bool]], deaths: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    expected: Counter[object] = Counter()
    for number, (suffix, count, good) in enumerate(files):
        wanted = [f"{number}-{n}" for n in range(count)]
        lines = [*map(line, wanted), *([] if good else ["[]"])]
        text = "\n".join(lines) if suffix == ".ndjson" else f"[{','.join(lines)}]"
        (folder / f"{number}{suffix}").write_text(text)
        expected.update(wanted if good else ())
    with closing(open_store(folder / "store.db")) as store, pieces_of(2):
        for at in [*deaths, 10_000]:
            disk = MortalDisk(at)
            rig = Rig(store, folder, disk)
            rig.host.writer = MortalWriter(store, disk)
            try:
                asyncio.run(rig.settle())
            except KilledError:
                continue
        assert numbers(store) == expected
    right = sum(good for _, _, good in files)
    assert len(names(folder, DONE)) == right
    assert len(names(folder, REJECTED)) == 2 * (len(files) - right)
    assert names(folder, TAKEN) == []


_DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from console.store import open_store
from tests.intake import spool_rig as t

class Disk(t.MortalDisk):
    def die(self): os.kill(os.getpid(), signal.SIGKILL)

store, folder, at = open_store(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
disk = Disk(at)
rig = t.Rig(store, folder, disk)
rig.host.writer = t.MortalWriter(store, disk)
with t.pieces_of(2):
    asyncio.run(rig.settle())
"""


def test_kill_9_at_each_step(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "store.db"
    open_store(path).close()
    (folder / "a.ndjson").write_text("\n".join(map(line, range(5))))
    (folder / "b.json").write_text("no")
    # Each of them dies a step further than what the ones before it have left undone.
    codes = [
        subprocess.run([sys.executable, "-c", _DYING, str(path), str(folder), str(at)], check=False).returncode
        for at in (3, 6, 5, 99)
    ]
    assert codes.count(-signal.SIGKILL) == 3
    assert codes[-1] == 0
    with closing(open_store(path)) as store:
        assert numbers(store) == dict.fromkeys(range(5), 1)
    assert (names(folder, DONE), names(folder, REJECTED)) == (["a.ndjson"], ["b.json", "b.json.reason.txt"])


@pytest.mark.parametrize("poll", [False, True])
async def test_what_is_dropped_while_it_runs_is_seen(store: Store, folder: Path, poll: bool) -> None:
    host = LentHost(store)
    async with spool(SpoolSettings(folder=folder, poll=poll))(host):
        (folder / "a.json.tmp").write_text(line(1))
        (folder / "a.json.tmp").rename(folder / "a.json")
        await host.says("spool file accepted")
        host.stopping.set()
    assert numbers(store) == {1: 1}


async def test_a_stop_in_the_middle_of_a_large_file_is_heeded(store: Store, folder: Path) -> None:
    (folder / "large.ndjson").write_text("\n".join(map(line, range(10))))
    rig = Rig(store, folder)
    writer = rig.host.writer

    class Stopping(DirectWriter):
        async def do(self, work: Callable[[Store], T]) -> T:
            rig.host.stopping.set()
            return await writer.do(work)

    rig.host.writer = Stopping(store)
    with pieces_of(3):
        await rig.settle()
    assert sum(numbers(store).values()) == 3
    assert names(folder, TAKEN) == ["large.ndjson"]
    again = Rig(store, folder)
    await again.settle()
    assert numbers(store) == dict.fromkeys(range(10), 1)
