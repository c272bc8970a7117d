"""The command line as a process: what it imports, its exit codes, its pipes and signals."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from console.store import open_store
from tests.cli.support import make_endpoint, make_events

HEAVY = (
    "textual",
    "litestar",
    "uvicorn",
    "httpx",
    "pyreqwest",
    "sqlite_utils",
    "rich",
    "asyncio",
    "structlog",
    "cryptography",
    "uvloop",
)


def command(store: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "console", f"--store={store}", *arguments]


def run(store: Path, *arguments: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    settings: dict[str, object] = {"capture_output": True, "timeout": 60, "stdin": subprocess.DEVNULL, **options}
    return subprocess.run(command(store, *arguments), check=False, **settings)  # type: ignore[call-overload, no-any-return] # options by name


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output as users have it: without buffers a broken pipe shows at once, and hides what happens at the end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    open_store(path).close()
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["send", "invoice.paid", "--data", '{"id": 42}'],
        ["send", "invoice.paid", "--json"],
        ["send", "--ndjson", "/dev/null"],
        ["endpoints", "list", "--json"],
        ["deliveries", "list", "--json"],
        ["deliveries", "retry", "--since", "1h"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(path: Path, arguments: list[str]) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        from console.cli.main import run
        code = run({[f"--store={path}", *arguments]!r})
        print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
        sys.exit(code)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == b""


def test_exit_codes_and_one_line_of_error(path: Path, tmp_path: Path) -> None:
    for arguments, code in (
        (["frobnicate"], 2),
        (["send"], 2),
        (["endpoints", "show", "nobody"], 1),
        (["status"], 1),
        (["--theme", "x", "status"], 2),
        (["stats", "--json"], 0),
    ):
        done = run(path, *arguments)
        assert done.returncode == code, arguments
        assert b"Traceback" not in done.stderr
        if code and arguments != ["status"]:
            assert done.stderr.startswith(b"webhook-console: ")
            assert done.stderr.count(b"\n") == 1
    (tmp_path / "text").write_text("this is no store at all, only text of some length" * 100)
    for store in (tmp_path / "missing.db", tmp_path / "text", tmp_path):
        done = run(store, "stats")
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert str(store).encode() in done.stderr


def test_an_unexpected_exception_is_one_line(path: Path) -> None:
    program = (
        "import sys; import console.cli.invocation as i; from console.cli.main import run\n"
        "def broken(*a, **k): raise ZeroDivisionError('by zero')\n"
        f"i.open_store = broken; sys.exit(run(['--store={path}', 'stats']))"
    )
    for debug, traceback in (("", False), ("1", True)):
        environ = {**os.environ, "WEBHOOK_CONSOLE_DEBUG": debug}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environ, check=False)
        assert done.returncode == 1
        assert (b"Traceback" in done.stderr) is traceback
        assert b"ZeroDivisionError: by zero" in done.stderr
        assert traceback or done.stderr.count(b"\n") == 1


def test_a_reader_that_leaves_is_no_error(path: Path) -> None:
    store = open_store(path)
    make_events(store, 3_000)
    store.close()
    with subprocess.Popen(
        command(path, "events", "list", "--limit", "3000", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


def test_a_full_disk_is_said(path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(path, "stats", "--json", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"webhook-console: No space left on device\n"


def test_streams_that_are_closed_or_narrow(path: Path) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        for arguments, code in (["send", "a.b", "--id", "one"], 0), (["endpoints", "list"], 0), (["frob"], 2):
            shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command(path, *arguments)]
            done = subprocess.run(shell, capture_output=True, timeout=60, check=False)
            assert (done.returncode, b"Traceback" in done.stderr) == (code, False), (closed, arguments)
    store = open_store(path)
    make_endpoint(store)
    store.close()
    done = run(path, "endpoints", "show", "billing", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"whsec_?LaSw" in done.stdout
    assert done.stdout.isascii()


def test_no_console_without_a_terminal(path: Path) -> None:
    done = run(path)
    assert done.returncode == 1
    assert b"needs a terminal" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_slow_producer_is_not_held_back_and_an_interrupt_keeps_what_was_read(path: Path) -> None:
    store = open_store(path)
    make_endpoint(store)
    store.close()
    with subprocess.Popen(
        command(path, "send", "--ndjson", "-", "--json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b'nope\n{"type":"a","data":1}\n')
        process.stdin.flush()
        wait_for_events(path, 1)
        process.stdin.write(b'{"type":"a","data":2}\n{"type":"a","da')
        process.stdin.flush()
        wait_for_events(path, 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        bad, summary = (json.loads(line) for line in process.stdout.read().splitlines())
        assert bad["line"] == 1
        assert (summary["accepted"], summary["deliveries"], summary["bad"]) == (2, 2, 1)
        assert process.stderr.read() == b""


def wait_for_events(path: Path, n: int) -> None:
    """Returns when the store holds n deliveries; the test's own time limit ends it otherwise."""
    store = open_store(path, read_only=True)
    try:
        while sum(gauge.pending for gauge in store.gauges().values()) < n:
            time.sleep(0.01)
    finally:
        store.close()


def test_colour_only_on_a_terminal(path: Path) -> None:
    store = open_store(path)
    make_endpoint(store)
    store.close()
    assert b"\x1b" not in run(path, "endpoints", "list").stdout
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        assert (b"\x1b" in on_a_terminal(command(path, "endpoints", "list"), environ)) is coloured


def on_a_terminal(arguments: list[str], environ: dict[str, str]) -> bytes:
    """What a command writes to a terminal of 80 columns."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen(arguments, stdin=theirs, stdout=theirs, env={**base, "TERM": "xterm", **environ}) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:
                break
            if not chunk:
                break
            written += chunk
        assert process.wait(10) == 0
    os.close(ours)
    return written


def test_tables_fit_eighty_columns(path: Path) -> None:
    store = open_store(path)
    for name in ("billing", "a-name-that-is-quite-long-for-an-endpoint", "crm"):
        make_endpoint(store, name, types=("invoice.paid", "invoice.failed", "customer.subscription.*"))
    make_events(store, 5, "customer.subscription.trial.will.end")
    store.close()
    for arguments in (["endpoints", "list"], ["deliveries", "list"], ["events", "list"], ["operations", "list"]):
        lines = on_a_terminal(command(path, *arguments), {"NO_COLOR": "1"}).decode().splitlines()
        assert len(lines) > 1
        assert max(len(line) for line in lines) <= 80, arguments
