"""Secrets put wherever one may be, and then looked for wherever none may be: what every command prints, what an engine
logs, what the store keeps of requests and of operators, and, with a key, the files of the store themselves."""

import asyncio
import base64
import select
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from console.cli.invocation import Invocation
from console.cli.main import cli, run
from console.config import KEY_FILE_VARIABLE
from console.domain.clock import SystemClock
from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import format_number
from console.domain.inbound import InboxFilter
from console.domain.sealing import Keyring, encode_key
from console.domain.signing import make_key, make_secret
from console.store import Store, open_store
from console.store.sqlite.library import sqlite3
from tests.bench.fast_receiver import FastReceiver
from tests.cli.support import CommandLine
from tests.cli.test_help import walk
from tests.intake.desk import Desk
from tests.served import serving

KEY = b"the-canary-of-the-key-32-bytes!!"
SIGNING = b"canary-signing-secret-of-32-byte"
SEED = b"canary-ed25519-seed-with-32-byte"
WORDS = (
    "canary-source",
    "canary-sent",
    "canary-bearer",
    "canary-basic",
    "canary-proxy",
    "canary-header",
    "canary-cookie",
    "canary-default",
)
KNOWS_NO_STORE = frozenset(
    {
        "recipes list", "recipes show", "demo", "serve", "stop", "completion", "secrets generate-key",
        "operations watch", "web",
    }
)  # fmt: skip
"""Commands that show nothing of a store, or that do not end by themselves."""

MAY_SHOW = frozenset({"endpoints reveal-secret"})


def canaries() -> set[bytes]:
    """What is looked for: each secret as it was given, and as it goes over the wire."""
    given = {word.encode() for word in WORDS}
    given |= {make_secret(SIGNING).removeprefix("whsec_").rstrip("=").encode(), SIGNING}
    given |= {make_key(SEED).removeprefix("whsk_")[:40].encode(), SEED}
    given |= {base64.b64encode(b"ada:canary-basic"), encode_key(KEY).encode(), KEY}
    return given


def found_in(data: bytes) -> list[bytes]:
    return sorted(canary for canary in canaries() if canary in data)


class Operator:
    """Runs command lines, and keeps all that they printed."""

    def __init__(self, console: CommandLine, environ: dict[str, str]) -> None:
        self._console, self._environ = console, environ
        self.printed: dict[str, str] = {}

    def __call__(self, *words: str) -> str:
        self._console._captured()
        invocation = Invocation(
            environ={"WEBHOOK_CONSOLE_STORE": str(self._console.store_path), "TERM": "xterm", **self._environ}
        )
        code = run(words, invocation)
        out, err = self._console._captured()
        self.printed[" ".join(words)] = out + err
        # The second time, with --json, there is nothing left to remove.
        assert code == 0 or words[0] in ("status", "doctor") or words[:2] == ("filters", "remove"), (words, err)
        return out


@pytest.fixture(params=["plain", "sealed"])
def operator(request: pytest.FixtureRequest, console: CommandLine, tmp_path: Path) -> Operator:
    if request.param == "plain":
        return Operator(console, {})
    key_file = tmp_path / "key"
    key_file.touch(0o600)
    key_file.write_text(encode_key(KEY))
    return Operator(console, {KEY_FILE_VARIABLE: str(key_file)})


def plant(operator: Operator, folder: Path, url: str) -> None:
    """Every kind of secret, through every flag that takes one; the files they come from are not the product's."""

    def file(name: str, text: str) -> str:
        (folder / name).write_text(text)
        return f"@{folder / name}"

    secret, key = file("secret", make_secret(SIGNING)), file("whsk", make_key(SEED))
    operator("defaults", "edit", "--bearer", file("default", "canary-default"))
    operator("endpoints", "add", url, "--name", "a", "--secret", secret, "--bearer", file("bearer", "canary-bearer"))
    operator("endpoints", "edit", "a", "--header", "X-Api-Key=canary-header", "--header", "X-Team=ops")
    operator("endpoints", "rotate-secret", "a", "--secret", key)
    operator("endpoints", "add", url, "--name", "b", "--secret", key, "--basic", file("basic", "ada:canary-basic"))
    operator("endpoints", "rotate-secret", "b", "--secret", secret)
    operator("endpoints", "edit", "b", "--header", "Cookie=canary-cookie", "--schedule", "0")
    proxy = file("proxy", "http://ada:canary-proxy@127.0.0.1:9")
    operator("endpoints", "add", "http://127.0.0.1:9/", "--name", "c", "--secret", secret, "--proxy", proxy)
    operator("endpoints", "edit", "c", "--schedule", "0")
    operator("sources", "add", "token", "--kind", "token", "--secret", file("before", "canary-source-before"))
    operator("sources", "rotate-secret", "token", "--secret", file("source", "canary-source-now"))


def knock(store: Store, keys: Keyring) -> None:
    """Requests with a source's secret in each place that takes one, and with what others would call a secret."""
    given = "canary-source-now"
    desk = Desk(store, store, keys=keys, clock=SystemClock())

    async def sent() -> list[int]:
        answers = [
            await desk.send(b"{}", ("Authorization", f"Bearer {given}"), name="token"),
            await desk.send(b"{}", ("X-Webhook-Token", given), ("Cookie", "canary-cookie"), name="token"),
            await desk.send(b"{}", name="token", query=f"token={given}"),
            await desk.send(b"{}", ("X-Api-Key", "canary-sent"), name="token", query="api_key=canary-sent"),
        ]
        return [answer.status for answer in answers]

    assert asyncio.run(sent()) == [202, 202, 202, 401]


def until(store: Store, ended: int) -> None:
    """Returns when so many deliveries are at their end; the test's time limit ends it otherwise."""
    states = (DeliveryState.DELIVERED, DeliveryState.FAILED)
    while sum(store.count_deliveries(DeliveryFilter(states=states)).values()) < ended:
        select.select([], [], [], 0.01)


def commands() -> dict[str, list[click.Argument]]:
    """Every command, and what it must be given."""
    return {
        " ".join(path): [p for p in command.params if isinstance(p, click.Argument)]
        for path, command in walk(cli)
        if path and not isinstance(command, click.Group)
    }


def lines(operator: Operator, store: Store, folder: Path) -> Iterator[tuple[str, ...]]:
    """A command line of each command: those that look first, and those that change in an order that works."""
    attempt = store.attempts(AttemptFilter(), AttemptPage(limit=1))[0]
    delivery = format_number("dlv", attempt.delivery_id)
    operation = format_number("op", store.operations(limit=1)[0].id)
    came = format_number("req", store.arrivals(InboxFilter(), limit=1)[0].id)
    yield from (
        ("status",), ("stats",), ("doctor",), ("endpoints", "list"), ("endpoints", "show", "a"),
        ("endpoints", "show", "b"), ("endpoints", "show", "c"), ("defaults", "show"), ("events", "list"),
        ("events", "show", attempt.event_id), ("deliveries", "list"), ("deliveries", "show", delivery),
        ("deliveries", "why", attempt.event_id, "a"), ("transform", "helpers"),
        ("transform", "test", "--event", attempt.event_id, "--endpoint", "a"),
        ("attempts", "list"), ("attempts", "show", format_number("att", attempt.id)),
        ("operations", "list"), ("operations", "show", operation),
        ("sources", "list"), ("sources", "show", "token"), ("sources", "edit", "token", "--prefix", "x."),
        ("sources", "disable", "token"), ("sources", "enable", "token"), ("inbox", "list"), ("inbox", "show", came),
        ("inbox", "replay", came, "--endpoint", "a"), ("capture", "new"), ("capture", "list"), ("tokens", "list"),
        ("secrets", "status"), ("alerts", "list"), ("retention", "show"), ("send", "invoice.paid", "--data", "{}"),
        ("events", "resend", attempt.event_id, "--endpoint", "a"),
        ("endpoints", "test", "a"), ("endpoints", "pause", "a"), ("endpoints", "resume", "a"),
        ("defaults", "edit", "--timeout", "10s"), ("endpoints", "edit", "c", "--timeout", "10s"),
        ("deliveries", "retry", delivery), ("deliveries", "cancel", "--endpoint", "c", "--yes"),
        ("backup", str(folder / "copy.db")),
        ("verify", str(_received(store, folder))),
        ("read",), ("failures",), ("failures", "--filter", "endpoint:c"), ("forecast",), ("forecast", "a"),
        ("filters", "save", "mine", "endpoint:c since:2h"), ("filters", "list"), ("filters", "remove", "mine"),
        ("schemas", "add", "x.*", str(_schema(folder)), "--mode", "flag"), ("schemas", "list"),
        ("schemas", "show", "x.*"), ("schemas", "test", "x.y", "--data", "{}"),
        ("apply", str(_exported(operator, folder))), ("export",),
        ("config", "show"), ("config", "check"), ("config", "keys"), ("config", "path"),
        ("endpoints", "reveal-secret", "a", "--yes"),
    )  # fmt: skip


def _schema(folder: Path) -> Path:
    file = folder / "x.schema.json"
    file.write_text('{"type": "object"}')
    return file


def _exported(operator: Operator, folder: Path) -> Path:
    """What the store says of itself, with a secret that stands in the file in clear."""
    file = folder / "webhooks.toml"
    said = operator("export").replace('name = "b"', f'name = "b"\nsecret = "{make_secret(SIGNING)}"')
    file.write_text(said)
    return file


def _received(store: Store, folder: Path) -> Path:
    """A file with a request that was delivered, as its receiver got it."""
    attempt = next(a for a in store.attempts(AttemptFilter(delivered_only=True), AttemptPage(limit=100)))
    exchange = store.exchange(attempt.id)
    assert exchange is not None
    headers = "".join(f"{name}: {value}\n" for name, value in exchange.request_headers)
    file = folder / "received"
    file.write_bytes(headers.encode() + b"\n" + store.event(attempt.event_id).payload)
    return file


SHOWN_ELSEWHERE = frozenset(
    {
        "alerts add", "alerts edit", "alerts remove", "alerts mute", "alerts unmute", "retention edit", "retention run",
        "operations cancel", "operations undo", "deliveries skip", "attempts tail", "endpoints add",
        "sources add", "sources rotate-secret", "sources remove", "sources test", "capture remove", "inbox tail",
        "listen", "tokens add", "tokens revoke", "endpoints rotate-secret", "endpoints remove", "secrets seal",
        "secrets unseal", "schemas retire",
    }
)  # fmt: skip
"""Commands that `plant` has tried, or that know no endpoint: a new command must be in `lines` or here."""


def test_no_secret_is_where_none_may_be(operator: Operator, console: CommandLine, tmp_path: Path) -> None:
    sealed = bool(operator._environ)
    folder = tmp_path / "given"
    folder.mkdir()
    with FastReceiver() as receiver:
        plant(operator, folder, receiver.url)
        operator("send", "invoice.paid", "--data", '{"amount": 4200}')
        flags = [f"--key-file={operator._environ[KEY_FILE_VARIABLE]}"] if sealed else []
        with closing(open_store(console.store_path)) as store:
            with serving(console.store_path, *flags) as served:
                until(store, 3)
                knock(store, Keyring([KEY]) if sealed else Keyring())
                tried = tries_all(operator, store, tmp_path)
                served.process.terminate()
                assert served.end() == 0
            assert tried | SHOWN_ELSEWHERE | KNOWS_NO_STORE >= set(commands()), "a command that is not looked at"
            rows = dump(store, but={"endpoints", "settings", "sources"})
            assert b"[redacted]" in rows, "else nothing was sent with a secret"
            assert found_in(rows) == []
            kept = dump(store, but=set())
            assert store.search_file is not None, "else no words were kept"
            words_kept = [path.read_bytes() for path in store.search_file.parent.glob("*-search*")]
            assert words_kept
            assert b"canary" not in b"".join(words_kept), "words of what was sent and came back, and of nothing else"
    assert found_in(b"".join(served.lines)) == []
    for words, printed in operator.printed.items():
        if " ".join(words.split()[:2]) not in MAY_SHOW:
            assert found_in(printed.encode()) == [], words
    on_disk = b"".join(path.read_bytes() for path in console.store_path.parent.iterdir() if path.is_file())
    if sealed:
        assert found_in(kept + on_disk) == []
    else:
        assert len(found_in(on_disk)) >= len(WORDS), "else the search proves nothing"


def tries_all(operator: Operator, store: Store, folder: Path) -> set[str]:
    """Run a line of each command, for people and as JSON. Returns which commands were tried."""
    tried = set()
    for words in lines(operator, store, folder):
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in commands())
        tried.add(name)
        operator(*words)
        if name not in ("backup", "deliveries cancel"):
            operator(*words, "--json")
    shown = operator("endpoints", "reveal-secret", "a", "--yes")
    assert make_secret(SIGNING) in shown, "else the search proves nothing"
    return tried


def dump(store: Any, *, but: set[str]) -> bytes:
    """Every value in every table."""
    with closing(sqlite3.connect(store.path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = [row for name in names if name not in but for row in connection.execute(f'SELECT * FROM "{name}"')]
    return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row)
