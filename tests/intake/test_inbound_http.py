"""`/in/NAME` over real sockets: an engine in a process of its own, those who send, and a developer who listens."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from console.cli.invocation import Invocation
from console.cli.main import run
from console.domain.clock import SystemClock
from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.inbound import Fate, InboxFilter
from console.domain.signing import Secret
from console.domain.source import Answer, SourceKind, SourceOptions, SourceSpec
from console.operations.sources import add_source
from console.store import Store, open_store
from tests.bench.fast_receiver import FastReceiver
from tests.cli.support import make_endpoint
from tests.cli.test_sources import receiving
from tests.domain.kinds.senders import SECRETS, SIGNERS
from tests.served import HANG_S, serving


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Door:
    """An engine that listens, and its store."""

    url: str
    store: Store

    def send(self, path: str, body: bytes | None = b"{}", *fields: tuple[str, str], method: str = "POST") -> Reply:
        request = urllib.request.Request(f"{self.url}{path}", data=body, method=method, headers=dict(fields))
        try:
            with urllib.request.urlopen(request, timeout=HANG_S) as answer:
                return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def add(self, kind: SourceKind, name: str, **options: object) -> None:
        secrets = (Secret(text=SECRETS[kind]),) if kind in SECRETS else ()
        spec = SourceSpec(name=name, kind=kind, secrets=secrets, options=SourceOptions(**options))  # type: ignore[arg-type] # of a test
        add_source(self.store, spec, actor="ada", now_ms=SystemClock().now_ms(), random=Random(name))
        until(lambda: self.send(f"/in/{name}", b"", method="HEAD").status != 404)


def until(true: object) -> None:
    """Returns when something is so; the guard is generous, since the machine may be busy."""
    assert callable(true)
    end_s = time.monotonic() + HANG_S
    while not true():
        assert time.monotonic() < end_s, "it never came"
        threading.Event().wait(0.02)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    path = tmp_path_factory.mktemp("door") / "store.db"
    with closing(open_store(path)) as store, serving(path, "--listen=127.0.0.1:0") as served:
        yield Door(served.wait_for_log("listening")["urls"][0], store)


def test_a_signed_event_comes_in_and_goes_out(door: Door) -> None:
    with FastReceiver() as receiver:
        endpoint = make_endpoint(door.store, "crm", url=receiver.url, types=("invoice.*",))
        door.add(SourceKind.STRIPE, "stripe", answer=Answer(status=200, body="thanks"))
        body = b'{"id": "evt_socket", "type": "invoice.paid", "data": {"amount": 4200}}'
        signed = SIGNERS[SourceKind.STRIPE](SECRETS[SourceKind.STRIPE], body, SystemClock().now_ms() // 1000)
        answer = door.send("/in/stripe/eu?mode=live", body, *signed, ("Content-Type", "application/json"))
        assert (answer.status, answer.body) == (200, b"thanks")
        assert door.send("/in/stripe", body, *signed).status == 200
        assert door.send("/in/stripe", body.replace(b"4200", b"9900"), *signed).status == 401
        delivered = DeliveryFilter(endpoints=(endpoint.id,), states=(DeliveryState.DELIVERED,))
        until(lambda: door.store.count_deliveries(delivered))
    rows = door.store.arrivals(InboxFilter(source=door.store.find_source("stripe").id), limit=10)
    assert [row.fate for row in rows][:3] == [Fate.REJECTED, Fate.DUPLICATE, Fate.ACCEPTED]
    first = door.store.arrival(rows[2].id)
    assert (first.row.path, first.row.query, first.body) == ("eu", "mode=live", body)
    assert ("stripe-signature", signed[0][1]) in first.headers
    assert first.row.remote_address == "127.0.0.1"


def test_strangers_learn_nothing(door: Door) -> None:
    door.add(SourceKind.BASIC, "erp")
    for path in ("/in/", "/in/nobody", "/in/nobody/x", "/in/%00", "/in/..%2fv1%2fevents"):
        assert (door.send(path).status, door.send(path).body) == (404, b"Not Found\n")
    refused = door.send("/in/erp")
    assert (refused.status, refused.body) == (401, b"Unauthorized\n")
    assert refused.headers["www-authenticate"].startswith("Basic ")


def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(door: Door) -> None:
    door.add(SourceKind.OPEN, "large")
    assert door.send("/in/large", b"x" * (1024 * 1024 + 1)).status == 413
    (row, *_) = door.store.arrivals(InboxFilter(source=door.store.find_source("large").id), limit=1)
    assert (row.fate, row.status) == (Fate.REJECTED, 413)
    assert "1,048,576 bytes" in (row.reason or "")


def test_any_method_is_recorded_by_a_capture(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    invocation = Invocation(environ={"WEBHOOK_CONSOLE_STORE": str(door.store.path), "TERM": "xterm"})
    capsys.readouterr()
    assert run(["capture", "new", "--respond", "204"], invocation) == 0
    url = capsys.readouterr().out.strip()
    assert url.startswith(f"{door.url}/in/")
    path = url.removeprefix(door.url)
    until(lambda: door.send(path, None, method="GET").status == 204)
    for method in ("PUT", "DELETE", "PROPFIND", "OPTIONS"):
        assert door.send(f"{path}/below", b"\x00", method=method).status == 204
    rows = door.store.arrivals(InboxFilter(fate=Fate.CAPTURED), limit=5)
    assert [row.method for row in rows] == ["OPTIONS", "PROPFIND", "DELETE", "PUT", "GET"]


def test_a_sample_goes_through_the_door(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in SECRETS:
        name = f"sample-{kind}"
        options: dict[str, object] = {}
        if kind is SourceKind.HMAC:
            from tests.domain.kinds.senders import HMAC_OPTIONS

            options = {"signature": HMAC_OPTIONS.signature}
        door.add(kind, name, **options)
        capsys.readouterr()
        invocation = Invocation(environ={"WEBHOOK_CONSOLE_STORE": str(door.store.path), "TERM": "xterm"})
        code = run(["sources", "test", name, "--type", "sample.made", "--json"], invocation)
        said = json.loads(capsys.readouterr().out)
        assert (code, said["fate"]) == (0, "accepted"), said
        typed = kind not in (SourceKind.BASIC, SourceKind.TOKEN, SourceKind.HMAC)
        assert said["event_type"] == ("sample.made" if typed else f"{name}.received")


@contextmanager
def listening(store: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "console", f"--store={store}", "listen", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_a_developer_listens_and_what_comes_is_forwarded(door: Door) -> None:
    with receiving() as (url, got), listening(Path(door.store.path), "--forward", f"{url}/hook") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        said = process.stderr.readline()
        assert said.startswith(f"listening at {door.url}/in/")
        path = said.split()[2].rstrip(",").removeprefix(door.url)
        until(lambda: door.send(path, b"one", ("X-Odd", "1"), method="PUT").status == 200)
        printed = process.stdout.readline()
        assert "captured" in printed
        assert "PUT" in printed
        assert f"→ {url}/hook  201 after" in process.stdout.readline()
        assert (got[0][0], got[0][1], got[0][2]["x-odd"], got[0][3]) == ("PUT", "/hook", "1", b"one")
        process.send_signal(2)
        assert process.wait(HANG_S) == 130
    until(lambda: door.send(path, b"two").status == 404)
