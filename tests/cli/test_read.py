"""`read`: sentences for screen readers."""

import subprocess
from contextlib import closing
from pathlib import Path

from console.domain.endpoint import EndpointState
from console.store import open_store
from tests.cli.support import CommandLine
from tests.e2e.stage import program
from tests.factories import NOW_MS, add_endpoint
from tests.terminal import plain_environment


def test_it_is_plain_text_without_columns(console: CommandLine) -> None:
    with closing(open_store(console.store_path)) as store:
        add_endpoint(store, name="crm")
    told = console("read")
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0] == "No engine runs: nothing is sent."
    assert "crm: active. In the last 5 minutes: nothing was sent. 0 deliveries pending, 0 failed for good." in lines
    assert told.out.isascii()
    assert not any("  " in line for line in lines)


def test_following_says_what_changes(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(open_store(path)) as store:
        crm = add_endpoint(store, name="crm")
        told = subprocess.Popen(
            [*program(), "read", "--follow", "--store", str(path)],
            env=plain_environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert told.stdout is not None
            for line in told.stdout:
                if line.startswith("crm: active"):
                    store.set_endpoint_state(crm.id, EndpointState.PAUSED, "maintenance", NOW_MS)
                if line.startswith("crm: is"):
                    assert line == "crm: is paused now, was active, because maintenance.\n"
                    break
        finally:
            told.kill()
            told.wait()
            told.communicate()
