"""`verify` over a real store: what a receiver got, pasted in each form."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from console.domain.signing import make_secret, sign
from console.store import Store
from tests.cli.support import SECRET, CommandLine, make_endpoint, make_events, now

PAYLOAD = b'{"amount":42.10,"currency":"EUR"}'


@pytest.fixture
def request_text(store: Store) -> str:
    """A request as it was sent to billing, without its body."""
    make_endpoint(store, "billing")
    (event,) = make_events(store, 1, payload=PAYLOAD)
    at_s = now() // 1000
    return (
        f"POST /hooks HTTP/1.1\nwebhook-id: {event}\nwebhook-timestamp: {at_s}\n"
        f"webhook-signature: {sign([SECRET], event, at_s, PAYLOAD)}\n\n"
    )


def paste(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    class Typed(io.TextIOWrapper):
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Typed(io.BytesIO(data)))


def test_what_is_right(console: CommandLine, request_text: str, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_bytes(request_text.encode() + PAYLOAD)
    said = console("verify", str(file))
    assert (said.code, said.out.splitlines()[0][:49]) == (0, "✓ The signature is right: signed by billing with ")
    record = console("verify", "--endpoint", "billing", "--json", str(file)).record
    assert (record["ok"], record["findings"][0]["mistake"]) == (True, "none")
    assert SECRET not in said.out + str(record)


def test_a_body_that_was_written_anew(console: CommandLine, request_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paste(monkeypatch, request_text.encode() + json.dumps(json.loads(PAYLOAD)).encode())
    said = console("verify")
    assert said.code == 1
    assert "✗ What was signed is the event's payload as it was sent; this is the same JSON, written anew" in said.out
    assert "its numbers are written with other digits" in said.out


def test_the_receivers_secret_and_what_it_computed(
    console: CommandLine, request_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paste(monkeypatch, make_secret(b"x" * 30).encode() + b"\n" + request_text.encode() + PAYLOAD)
    record = console("verify", "--secret", "-", "--json").record
    assert [f["mistake"] for f in record["findings"] if f["severity"] == "wrong"] == ["unknown_secret"]
    file = tmp_path / "request"
    file.write_bytes(request_text.encode() + PAYLOAD)
    computed = sign([SECRET], request_text.split("webhook-id: ")[1].split("\n")[0], 5, PAYLOAD)
    record = console("verify", "--computed", computed, "--json", str(file)).record
    assert not record["ok"]


def test_when_it_was_received(console: CommandLine, request_text: str, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_bytes(request_text.encode() + PAYLOAD)
    assert console("verify", "--received-at", "1h", str(file)).code == 1
    assert "more than the 5m that receivers allow" in console("verify", "--received-at", "1h", str(file)).out


def test_without_a_store_the_secret_is_enough(tmp_path: Path, capfd: Any) -> None:
    def captured() -> tuple[str, str]:
        out, err = capfd.readouterr()
        return out, err

    at_s = now() // 1000
    file = tmp_path / "request.json"
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(at_s), "webhook-signature": ""}
    headers["webhook-signature"] = sign([SECRET], "evt_1", at_s, b"{}")
    file.write_text(json.dumps({"headers": headers, "body": "{}"}))
    console = CommandLine(tmp_path / "none.db", captured)
    assert console("verify", "--secret", SECRET, str(file)).code == 0
    assert console("verify", str(file)).code == 1


@pytest.mark.parametrize(("data", "words"), [(b"", "nothing was pasted"), (b"what?", "no header")])
def test_what_cannot_be_read_is_said_in_one_line(
    console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    paste(monkeypatch, data)
    said = console("verify")
    assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)
    assert words in said.err
