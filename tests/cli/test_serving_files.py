"""`serve --config` and `serve --spool`, in a process of its own."""

import json
import subprocess
from pathlib import Path

from console.domain.filters import EventFilter
from console.store import Store
from tests.cli.support import CommandLine
from tests.served import Served, command, serving

ENDPOINT = '[[endpoints]]\nname = "{}"\nurl = "http://127.0.0.1:9/"\n'


def put(file: Path, text: str) -> None:
    """In one step, as an editor does."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.replace(file)


def wait_for(served: Served, event: str, times: int) -> dict[str, object]:
    with served._came:
        assert served._came.wait_for(lambda: len(served.named(event)) >= times or not served._thread.is_alive(), 20)
    return served.named(event)[times - 1]


def test_a_file_is_followed_and_the_last_good_one_stays_in_force(
    console: CommandLine, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "webhooks.toml"
    file.write_text(ENDPOINT.format("a"))
    with serving(console.store_path, f"--config={file}") as served:
        assert [endpoint.name for endpoint in store.endpoints()] == ["a"], "before it says that it has started"
        put(file, ENDPOINT.format("a") + ENDPOINT.format("b"))
        assert wait_for(served, "configuration applied", 2)["done"] == "1 added"
        put(file, ENDPOINT.format("a") + "nonsense = 1\n")
        refused = wait_for(served, "configuration refused, the last one stays in force", 1)
        assert str(refused["error"]).startswith(f"{file}:4: endpoints[0].nonsense: unknown")
        assert [endpoint.name for endpoint in store.endpoints()] == ["a", "b"]
        (operation, *_) = store.operations(limit=1)
        assert (operation.actor, operation.target) == ("engine", "webhooks.toml")
        assert (operation.result or "").startswith(f"refused: {file}:4: endpoints[0].nonsense: unknown")
        put(file, ENDPOINT.format("a") + ENDPOINT.format("c"))
        again = wait_for(served, "configuration applied", 3)
        assert (again["done"], again["stays"]) == ("1 added", ["endpoint b"])
        served.process.terminate()
        assert served.end() == 0


def test_a_file_that_is_wrong_lets_no_engine_begin(console: CommandLine, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "webhooks.toml"
    file.write_text(ENDPOINT.format("a") + "timeout = 'long'\n")
    ended = subprocess.run(
        command(console.store_path, f"--config={file}"), capture_output=True, timeout=60, check=False, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"webhook-console: {file}:4: endpoints[0].timeout: ")
    assert "Traceback" not in ended.stderr
    assert store.endpoints() == []


def test_what_is_dropped_in_the_folder_is_accepted(console: CommandLine, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with serving(console.store_path, f"--spool={folder}") as served:
        # Without a rename, as `echo >` does.
        (folder / "a.ndjson").write_text(json.dumps({"type": "lead.new", "data": {"n": 1}}) + "\n")
        accepted = wait_for(served, "spool file accepted", 1)
        assert (accepted["events"], accepted["duplicates"]) == (1, 0)
        second = subprocess.run(
            command(tmp_path / "other.db", f"--spool={folder}"), capture_output=True, timeout=60, check=False, text=True
        )
        assert (second.returncode, second.stderr.splitlines()[-1]) == (
            1, f"webhook-console: --spool {folder}: another engine takes files from this folder"
        )  # fmt: skip
        served.process.terminate()
        assert served.end() == 0
    (row,) = store.events(EventFilter(), limit=9)
    assert (row.type, row.source) == ("lead.new", "spool")
    assert len(list((folder / "done").iterdir())) == 1
