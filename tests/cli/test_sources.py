"""`sources`, `capture` and `inbox`: what they change, what they show, and what they never show."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from console.cli.inbox import follow, newest_id
from console.domain.clock import SystemClock
from console.domain.ids import format_number
from console.domain.inbound import InboxFilter
from console.domain.operation import OperationKind
from console.domain.sealing import Keyring
from console.domain.source import SourceKind
from console.store import Store
from tests.cli.support import CommandLine, make_endpoint
from tests.intake.desk import Desk

SECRET = "whsec_the-secret-of-a-provider"


@contextmanager
def desk_of(store: Store) -> Iterator[Desk]:
    yield Desk(store, store, keys=Keyring(), clock=SystemClock())


def came(store: Store, *requests: tuple[str, bytes], **given: object) -> list[str]:
    """Send these to sources, and return their ids."""
    with desk_of(store) as desk:
        for name, body in requests:
            asyncio.run(desk.send(body, *given.get("headers", ()), name=name))  # type: ignore[misc] # of a test
    return [format_number("req", row.id) for row in reversed(store.arrivals(InboxFilter(), limit=len(requests)))]


def test_a_source_has_what_was_given_and_shows_no_secret(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    flags = ("--allow", "192.0.2.0/24", "--rate-limit", "100/m", "--prefix", "stripe.", "--tolerance", "10m")
    added = console(
        "sources", "add", "stripe", "--kind", "stripe", "--secret", f"@{tmp_path / 'secret'}", *flags,
        "--respond", "200:ok", "--delay", "500ms", "--json",
    )  # fmt: skip
    assert added.code == 0, added.err
    record = added.record
    assert record["url"] == "/in/stripe"
    assert record["respond"] == {
        "status": 200, "body": "ok", "content_type": "text/plain; charset=utf-8", "delay_s": 0.5
    }  # fmt: skip
    assert (record["allow"], record["rate_limit"], record["prefix"], record["tolerance_s"]) == (
        ["192.0.2.0/24"], "100/m", "stripe.", 600.0
    )  # fmt: skip
    assert record["new_secret"] is None
    assert store.find_source("stripe").secrets[0].text == SECRET
    for words in (("list",), ("list", "--json"), ("show", "stripe"), ("show", "stripe", "--json")):
        shown = console("sources", *words)
        assert (shown.code, SECRET in shown.out + shown.err) == (0, False)
        assert "stripe" in shown.out
    assert "…ider" in console("sources", "show", "stripe").out


@pytest.mark.parametrize("kind", [kind.value for kind in SourceKind])
def test_a_secret_is_made_and_shown_once_where_we_choose_it(console: CommandLine, store: Store, kind: str) -> None:
    more = ("--signature-header", "X-Sig") if kind == "hmac" else ()
    result = console("sources", "add", "one", "--kind", kind, *more, "--json")
    match kind:
        case "stripe" | "slack" | "shopify":
            assert (result.code, "give it with --secret @FILE" in result.err) == (1, True)
        case "capture":
            assert (result.code, "'capture new' makes one" in result.err) == (2, True)
        case "open":
            assert result.record["new_secret"] is None
        case _:
            made = result.record["new_secret"]
            assert made == store.find_source("one").secrets[0].text
            assert len(made) >= 40
            assert made not in console("sources", "show", "one", "--json").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "Shop", "--kind", "open"), 2, "lower-case letters"),
        (("add", "shop", "--kind", "fax"), 2, "'fax' is not one of"),
        (("add", "shop", "--kind", "open", "--respond", "500"), 1, "respond 500: 200 to 299"),
        (("add", "shop", "--kind", "open", "--respond", "ok"), 2, "a status, or a status and a body"),
        (("add", "shop", "--kind", "open", "--allow", "nowhere"), 2, "is not a network"),
        (("add", "shop", "--kind", "hmac"), 1, "needs the name of the header"),
        (("add", "shop", "--kind", "stripe", "--secret", "@/nothing/there"), 2, "secret file"),
        (("edit", "shop"), 2, "nothing to change"),
        (("edit", "shop", "--prefix", "x."), 1, "shop"),
    ],
)
def test_what_cannot_be_is_one_line(
    console: CommandLine, store: Store, words: tuple[str, ...], code: int, said: str
) -> None:
    result = console("sources", *words)
    assert (result.code, result.err.count("\n")) == (code, 1), result.err
    assert said in result.err
    assert store.sources() == []


def test_edits_keep_what_is_not_given_and_every_act_is_audited(console: CommandLine, store: Store) -> None:
    console("sources", "add", "shop", "--kind", "open", "--allow", "10.0.0.0/8", "--rate-limit", "5/s")
    assert console("sources", "edit", "shop", "--name", "leads", "--type-from", "lead.created").code == 0
    source = store.find_source("leads")
    assert (source.options.allow, source.options.type_from) == (("10.0.0.0/8",), "lead.created")
    assert console("sources", "edit", "leads", "--allow", "none", "--rate-limit", "none").code == 0
    source = store.find_source("leads")
    assert (source.options.allow, source.options.rate_limit) == ((), None)
    assert console("sources", "disable", "leads", "--reason", "leaked").code == 0
    assert "disabled already" in console("sources", "disable", "leads").out
    assert not store.find_source("leads").enabled
    assert console("sources", "enable", "leads").code == 0
    assert "There is no terminal to ask on" in console("sources", "remove", "leads").err
    assert console("sources", "remove", "leads", "--yes").code == 0
    acts = store.operations(limit=20)
    assert [act.kind for act in reversed(acts)] == [
        OperationKind.SOURCE_ADD, OperationKind.SOURCE_EDIT, OperationKind.SOURCE_EDIT, OperationKind.SOURCE_DISABLE,
        OperationKind.SOURCE_ENABLE, OperationKind.SOURCE_REMOVE,
    ]  # fmt: skip
    assert [act.reason for act in acts if act.reason] == ["leaked"]
    assert acts[-2].change is not None
    assert acts[-2].change.after == {"name": "leads", "type_from": "lead.created"}


def test_a_secret_is_rotated_with_an_overlap(console: CommandLine, store: Store) -> None:
    old = console("sources", "add", "hub", "--kind", "github", "--json").record["new_secret"]
    new = console("sources", "rotate-secret", "hub", "--overlap", "1h", "--json").record["new_secret"]
    assert [secret.text for secret in store.find_source("hub").secrets] == [new, old]
    assert console("sources", "rotate-secret", "hub", "--overlap", "0", "--secret", "short-but-theirs").code == 0
    assert [secret.text for secret in store.find_source("hub").secrets] == ["short-but-theirs"]
    for act in store.operations(limit=5):
        assert new not in repr(act)
    console("sources", "add", "free", "--kind", "open")
    assert "has no secret" in console("sources", "rotate-secret", "free", "--secret", "12345678").err


def test_a_capture_is_a_url_that_ends(console: CommandLine, store: Store) -> None:
    made = console("capture", "new", "--for", "2h", "--respond", "503:later")
    assert made.code == 0
    name = made.out.strip().removeprefix("/in/")
    assert len(name) == 26
    source = store.find_source(name)
    assert source.kind is SourceKind.CAPTURE
    assert (source.until_ms or 0) - source.created_at_ms == 2 * 3600 * 1000
    assert (source.options.answer.status, source.options.answer.body) == (503, "later")
    assert [record["name"] for record in console("capture", "list", "--json").records] == [name]
    assert console("sources", "list").out == ""
    console("sources", "add", "shop", "--kind", "open")
    assert "is a source of kind open" in console("capture", "remove", "shop", "--yes").err
    assert console("capture", "remove", name[:6], "--yes").code == 0
    assert "no captures" in console("capture", "list").err
    assert "lasts from 1 minute" in console("capture", "new", "--for", "5s").err


def test_the_inbox_lists_filters_and_shows(console: CommandLine, store: Store) -> None:
    console("sources", "add", "forms", "--kind", "open", "--type-from", "lead.created")
    console("sources", "add", "hub", "--kind", "github")
    lead, refused = came(store, ("forms", b'{"name": "Ada \\u001b[2J"}'), ("hub", b"\xff\x1b[2J"))
    table = console("inbox", "list").out
    assert "lead.created forms" not in table
    assert "header X-Hub-Signature-256 is missing" in table
    assert [r["id"] for r in console("inbox", "list", "--json").records] == [refused, lead]
    for words in (("--fate", "rejected"), ("--source", "hub"), ("--filter", "fate:rejected since:1h")):
        assert [r["id"] for r in console("inbox", "list", *words, "--json").records] == [refused]
    assert console("inbox", "list", "-n", "1", "--json").record["id"] == refused
    assert console("inbox", "list", "--filter", "fate:lost").code == 2
    whole = console("inbox", "show", lead, "--json").record
    assert (whole["event_type"], json.loads(whole["body"])["name"]) == ("lead.created", "Ada \x1b[2J")
    assert console("inbox", "list", "--event", whole["event_id"], "--json").record["id"] == lead
    shown = console("inbox", "show", refused)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert console("inbox", "show", refused, "--json").record["body_base64"] == "/xtbMko="
    assert "no request req_00zzzz" in console("inbox", "show", "req_00zzzz").err


def test_a_capture_keeps_what_lets_others_in_and_shows_it_when_asked(console: CommandLine, store: Store) -> None:
    name = console("capture", "new", "--json").record["name"]
    (one,) = came(store, (name, b"{}"), headers=(("Authorization", "Bearer hush-hush"),))
    assert "hush-hush" not in console("inbox", "show", one).out + console("inbox", "show", one, "--json").out
    assert "Authorization: Bearer hush-hush" in console("inbox", "show", one, "--reveal").out


def test_a_tail_sees_each_request_once_as_it_comes(console: CommandLine, store: Store) -> None:
    console("sources", "add", "forms", "--kind", "open")
    came(store, ("forms", b"{}"))
    from console.store import open_store

    reading = open_store(console.store_path, read_only=True)
    try:
        rows = follow(reading, InboxFilter(), newest_id(reading))
        assert next(rows) == []
        sent = came(store, ("forms", b"1"), ("forms", b"2"))
        assert [format_number("req", row.id) for row in next(rows)] == sent
        assert next(rows) == []
    finally:
        reading.close()


def test_replaying_to_an_endpoint_owes_it_a_new_event(console: CommandLine, store: Store) -> None:
    make_endpoint(store, "billing", types=("nothing.else",))
    console("sources", "add", "forms", "--kind", "open", "--type-from", "lead.created")
    name = console("capture", "new", "--json").record["name"]
    console("sources", "add", "hub", "--kind", "github")
    lead, captured, refused, empty = came(
        store, ("forms", b'{"a":1}'), (name, b"<x/>"), ("hub", b'{"b":2}'), ("hub", b"{" + b" " * 70_000)
    )
    made = console("inbox", "replay", lead, "--endpoint", "billing", "--json").record
    event = store.event(made["event_id"])
    assert (event.type, event.payload, event.copy_of) == (
        "lead.created", b'{"a":1}', console("inbox", "show", lead, "--json").record["event_id"]
    )  # fmt: skip
    assert made["event_id"] != event.copy_of
    made = console("inbox", "replay", captured, "--endpoint", "bil", "--json").record
    assert made["event_type"] == f"{name}.received"
    assert b'"body":"<x/>"' in store.event(made["event_id"]).payload
    assert console("inbox", "replay", refused, "--endpoint", "billing").code == 0
    assert "only the beginning of its body was kept" in console("inbox", "replay", empty, "--endpoint", "billing").err
    acts = [act for act in store.operations(limit=10) if act.kind is OperationKind.EVENT_RESEND]
    assert [act.target for act in acts] == [f"{one} to billing" for one in (refused, captured, lead)]
    assert "give one of --endpoint and --url" in console("inbox", "replay", lead).err


class _Receiver(BaseHTTPRequestHandler):
    got: "list[tuple[str, str, dict[str, str], bytes]]"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.got.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = b"thanks \x1b[2J"
        self.send_response(201)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str], bytes]]]]:
    """A receiver on loopback, and what it got."""
    handler = type("Handler", (_Receiver,), {"got": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.got  # type: ignore[attr-defined] # made above
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_replaying_to_a_url_sends_it_as_it_came(console: CommandLine, store: Store) -> None:
    name = console("capture", "new", "--json").record["name"]
    fields = (
        ("Content-Type", "text/x-odd"), ("X-Signature", "s=1"), ("Host", "hooks.example.com"), ("Connection", "X-Hop"),
        ("X-Hop", "1"), ("Transfer-Encoding", "chunked"), ("Content-Length", "999"), ("X-Umlaut", "\xfc"),
    )  # fmt: skip
    with desk_of(store) as desk:
        asyncio.run(desk.send(b"\x00body", *fields, name=name, method="PUT", path="v1", query="b=2"))
    (row,) = store.arrivals(InboxFilter(), limit=1)
    one = format_number("req", row.id)
    with receiving() as (url, got):
        record = console("inbox", "replay", one, "--url", f"{url}/hook?a=1", "--json").record
        assert (record["status"], record["problem"], record["url"]) == (201, None, f"{url}/hook/v1?a=1&b=2")
        said = console("inbox", "replay", one, "--url", f"{url}/hook")
        assert said.code == 0
        assert "201 after" in said.out
        assert "\x1b" not in said.out
    method, path, headers, body = got[0]
    assert (method, path, body) == ("PUT", "/hook/v1?a=1&b=2", b"\x00body")
    assert headers["x-signature"] == "s=1"
    assert headers["host"] == url.removeprefix("http://")
    assert "x-hop" not in headers
    assert headers["content-length"] == "5"
    gone = console("inbox", "replay", one, "--url", url)
    assert (gone.code, "cannot connect" in gone.out) == (1, True)


@pytest.mark.parametrize("url", ["http://10.0.0.1/x", "http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/"])
def test_no_private_address_is_sent_to_unless_it_is_asked_for(console: CommandLine, store: Store, url: str) -> None:
    console("sources", "add", "forms", "--kind", "open")
    (one,) = came(store, ("forms", b"{}"))
    result = console("inbox", "replay", one, "--url", url)
    assert (result.code, "--allow-address" in result.out) == (1, True)
