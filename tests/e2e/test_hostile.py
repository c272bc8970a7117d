"""What comes from outside never reaches the terminal as it came: the raw bytes are searched, on every screen."""

import json
import re
import socket
import time
from contextlib import suppress
from urllib.parse import quote, urlsplit

from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.inbound import Fate, InboxFilter
from console.domain.source import SourceKind
from console.store.sqlite.library import sqlite3
from tests.e2e.stage import Stage, assert_given_back, eventually
from tests.receivers import answers
from tests.terminal import GUARD_S, ScreenTimeoutError, Terminal
from tests.ui.inbox_world import add_source, make_arrival

OSC_52 = "\x1b]52;c;ZXZpbA==\x07"
CLEAR = "\x1b[2J\x1b[666;666H"
C1_CSI = "\x9b31m\x9d0;evil\x9c"
BIDI = "\u202egpj.exe\u2066x\u2069"
HOSTILE = f"{OSC_52}{CLEAR}{C1_CSI}{BIDI}\x7f\x08[bold]evil[/bold]"

FORBIDDEN = re.compile(
    # What the console copies itself is another OSC 52: an id, or a command line.
    "\x1b\\]52;[^\x07]*ZXZpbA==|\x1b\\[666|[\x80-\x9f]|[\u202a-\u202e]|[\u2066-\u2069]|\x7f|\x08"
)


def test_hostile_bytes_never_reach_the_terminal(stage: Stage) -> None:
    stage.engine()
    receiver = stage.receiver()
    endpoint = stage.endpoint("hostile", receiver.url)
    receiver.behave(
        answers(500, f"{HOSTILE} from the body".encode(), (("x-evil", f"{C1_CSI}{BIDI}".encode().decode("latin-1")),))
    )
    _rename(stage, endpoint.seq, f"a{HOSTILE}z")
    payload = json.dumps({HOSTILE: HOSTILE, "list": [HOSTILE]}, ensure_ascii=False)
    # JSON may not hold raw control characters, but what is stored need not be what the front door lets in.
    stage.accept(2, type_="order.created", payload=payload.encode())
    raw_payload = b'{"a": "' + HOSTILE.encode() + b'", "b": "\x1b]52;c;ZXZpbA==\x07\x9b31m"}'
    stage.accept(1, type_="order.raw", payload=raw_payload)
    # Harmless as bytes, and not when it is decoded; a lone surrogate cannot even be written.
    stage.accept(1, type_="order.escaped", payload=json.dumps({HOSTILE: [HOSTILE, "\ud800"]}).encode())
    # All before the console looks: a list of failures stands still for who reads it, and one that came later would be
    # no row of it.
    failed = DeliveryFilter(states=(DeliveryState.FAILED,))
    eventually(lambda: sum(stage.store.count_deliveries(failed).values()) == 4, what="all failed")

    terminal = stage.console(size=(120, 40))
    try:
        _look_everywhere(terminal)
        assert terminal.wait_for_end() == 0
        assert_given_back(terminal)
    finally:
        # First of all: a terminal that was reached may well show nothing of what was waited for.
        assert_clean(terminal)


def test_hostile_requests_that_come_in_never_reach_the_terminal(stage: Stage) -> None:
    """Over the wire what HTTP lets through, and from the store whatever else it may hold."""
    stage.engine("--listen", "127.0.0.1:0")
    source = add_source(stage.store, "open", SourceKind.CAPTURE, time.time_ns() // 1_000_000)
    base = eventually(stage.store.listening, what="the engine listens")[0]
    _post_raw(base, f"/in/open/{quote(HOSTILE)}?q={quote(HOSTILE)}", HOSTILE.encode() + b"\xff\x9b31m")
    eventually(lambda: stage.store.arrivals(InboxFilter(source=source), limit=2), what="it is in the inbox")
    worse = make_arrival(
        source, time.time_ns() // 1_000_000, Fate.REJECTED, status=401, method=f"P{HOSTILE}", path=HOSTILE,
        query=HOSTILE, headers=((f"x-{HOSTILE}", HOSTILE), ("content-type", HOSTILE)), body=HOSTILE.encode(),
        remote_address=HOSTILE, reason=f"because {HOSTILE}",
    )  # fmt: skip
    stage.store.record_arrivals([worse])
    terminal = stage.console("--screen", "inbox", size=(120, 40))
    try:
        terminal.wait_for(r"✗ rejected.*◉ captured")
        for wanted in (r"Refused with 401: because", r"Recorded, and answered with"):
            press_until(terminal, "enter", wanted)
            terminal.press("tab", "G", "tab", "G", "v", "G", "v", "Y", "y")
            press_until(terminal, "r", r"Send req_\d+ again\?")
            terminal.press("esc")
            terminal.wait_until_gone(r"again\?")
            press_until(terminal, "esc", r"Requests · 2")
            terminal.press("j")
        press_until(terminal, "esc", r"Nothing is set up yet")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert_given_back(terminal)
    finally:
        assert_clean(terminal)


def _post_raw(base: str, target: str, body: bytes) -> None:
    """A request with header fields that no client library would write."""
    parts = urlsplit(base)
    assert parts.hostname is not None
    evil = f"{C1_CSI}{BIDI}".encode().decode("latin-1").replace("\x9c", "")
    fields = ("host: x", f"x-evil: {evil}", f"content-length: {len(body)}", "connection: close")
    head = "\r\n".join((f"POST {target} HTTP/1.1", *fields, "", ""))
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=GUARD_S) as connection:
        connection.sendall(head.encode("latin-1") + body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 202")


def assert_clean(terminal: Terminal) -> None:
    written = terminal.raw.decode()  # a single byte of the C1 range would be no UTF-8
    found = FORBIDDEN.search(written)
    assert found is None, repr(written[max(0, found.start() - 80) : found.end() + 80])
    assert "␛]52;c;ZXZpbA==␇" in written, "it was shown at all, as symbols"


def press_until(terminal: Terminal, key: str, pattern: str) -> None:
    """Press again what was not heeded, as a person would: two Escs within a tenth of a second are read as one, and a
    key typed ahead of what a screen has read does nothing. Esc is given more time: behind one that was only slow, the
    next would leave the screen that it had come to."""
    for _ in range(5):
        terminal.press(key)
        with suppress(ScreenTimeoutError):
            terminal.wait_for(pattern, timeout_s=GUARD_S if key == "esc" else 8)
            return
    terminal.wait_for(pattern)


def _look_everywhere(terminal: Terminal) -> None:
    """Every screen, every dialog, and out."""
    terminal.wait_for(r"● active.*✗ 500 http_5xx")
    terminal.press("F")
    terminal.wait_for(r"Failures by cause · .*52;c;")
    terminal.press("b")
    terminal.wait_for(r"Failures · 4 .*52;c;")
    press_until(terminal, "r", r"Retry 1 delivery now\?.*52;c;")
    terminal.press("n")
    terminal.wait_until_gone(r"now\?")
    for _ in range(4):
        terminal.press("enter")
        terminal.wait_for(r"Home › .*RESPONSE.*from the body")
        terminal.press("tab", "G", "tab", "enter", "j", "enter", "tab", "j", "tab", "tab")
        terminal.press("Y", "y")
        press_until(terminal, "p", r"Pause .*52;c;.*Enter accepts")
        terminal.press("esc")
        terminal.wait_until_gone(r"Enter accepts")
        press_until(terminal, "esc", r"Failures · 4 ")
        # The top is painted first: what is waited for next must not be found in what is left of the screen before.
        terminal.wait_until_gone("RESPONSE")
        terminal.press("j")
    press_until(terminal, "esc", r"Attempts · following")
    press_until(terminal, "p", r"Enter accepts")
    terminal.press(*"because")
    terminal.wait_for("because")
    terminal.press("enter")
    terminal.wait_for(r"‖ paused")
    terminal.press("a")
    # The header comes before the table: what is waited for must be the new screen's own, and gone with it. An Esc
    # followed at once by another key is read as Alt and that key.
    terminal.wait_for(r"What was done  1.*because")
    press_until(terminal, "esc", r"active.*Attempts · following|paused.*Attempts · following")
    terminal.press("q")


def _rename(stage: Stage, seq: int, name: str) -> None:
    """A name that no command would accept, as an older program or another tool may have left it."""
    connection = sqlite3.connect(stage.path)
    try:
        connection.execute("UPDATE endpoints SET name = ? WHERE seq = ?", (name, seq))
        connection.commit()
    finally:
        connection.close()
