"""`serve --listen` as an operator runs it."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from console.store import open_store
from tests.cli.test_process import run
from tests.faults.test_intake import ready
from tests.served import serving


def test_an_engine_serves_and_a_taken_port_is_one_line(store_path: Path) -> None:
    token = ready(store_path)
    with serving(
        store_path, "--listen=127.0.0.1:0", "--public-url=https://hooks.example.com/", "--log-format=json"
    ) as served:
        public, url = served.wait_for_log("listening")["urls"]
        assert public == "https://hooks.example.com"
        with httpx.Client(base_url=url, trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
            assert client.get("/readyz").json() == {"status": "ok", "detail": "events are taken"}
            assert client.post("/v1/events", json={"type": "a.b", "data": 1}).status_code == 202
            other = store_path.with_name("other.db")
            refused = run(other, "serve", f"--listen={url.removeprefix('http://')}", "--log-format=json")
            assert refused.returncode == 1
            said = refused.stderr.decode().splitlines()[-1]
            address = url.removeprefix("http://")
            assert said == f"webhook-console: --listen {address}: is taken by another process: choose another"
            store = open_store(other, read_only=True)
            status = store.engine_status()
            store.close()
            assert status is not None
            assert status.stopped_at_ms is not None
        served.process.send_signal(signal.SIGTERM)
        assert served.end() == 0
    store = open_store(store_path, read_only=True)
    assert store.listening() == (public, url)
    store.close()


def test_what_belongs_to_the_api_needs_it(store_path: Path) -> None:
    done = run(store_path, "serve", "--tls-cert=x.pem")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"--tls-cert: needs --listen" in done.stderr


def test_without_it_nothing_of_it_is_loaded() -> None:
    program = (
        "import sys, console.cli.engine, console.engine.run\nprint(*sorted({'litestar', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"\n"
