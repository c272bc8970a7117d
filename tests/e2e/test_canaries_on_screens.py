"""Secrets put wherever one may be, and looked for on every screen, in every dialog and in all that is copied."""

import base64
import re
import subprocess

from console.domain.alerts import AlertChange, AlertKind, AlertSpec, Breach
from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.signing import make_key, make_secret
from tests.cli.test_canaries import SEED, SIGNING, found_in
from tests.e2e.stage import Stage, eventually, program
from tests.receivers import answers
from tests.terminal import Terminal

COPIED = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
SEQUENCE = re.compile(rb"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|.)")


def plant(stage: Stage, url: str) -> None:
    """Every kind of secret, given as an operator gives them; the files they come from are not the product's."""
    given = stage.folder / "given"
    given.mkdir()

    def file(name: str, text: str) -> str:
        (given / name).write_text(text)
        return f"@{given / name}"

    def run(*words: str) -> None:
        command = [*program(), "--store", str(stage.path), *words]
        subprocess.run(command, env=stage.environment, check=True, stdout=subprocess.DEVNULL, timeout=60)

    secret, key = file("secret", make_secret(SIGNING)), file("whsk", make_key(SEED))
    bearer, basic = file("bearer", "canary-bearer"), file("basic", "ada:canary-basic")
    proxy = file("proxy", "http://ada:canary-proxy@127.0.0.1:9")
    run("defaults", "edit", "--bearer", file("default", "canary-default"))
    run("endpoints", "add", url, "--name", "a", "--secret", secret, "--bearer", bearer, "--schedule", "0")
    run("endpoints", "edit", "a", "--header", "X-Api-Key=canary-header", "--header", "Cookie=canary-cookie")
    run("endpoints", "rotate-secret", "a", "--secret", key)
    run("endpoints", "add", url, "--name", "b", "--secret", key, "--basic", basic, "--schedule", "0")
    run("endpoints", "add", "http://127.0.0.1:9/", "--name", "c", "--proxy", proxy, "--schedule", "0")
    run("endpoints", "reveal-secret", "a", "--yes")


class Looker:
    """Looks at the screen after each step, and keeps what was seen."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.seen = 0

    def __call__(self, *keys: str, then: str = "", gone: str = "") -> None:
        self.terminal.press(*keys)
        if gone:
            self.terminal.wait_until_gone(gone)
        if then:
            self.terminal.wait_for(then)
        # Words may be broken where a pane ends, so they are looked for without blanks and frames as well.
        text = self.terminal.text()
        assert found_in(text.encode()) == [], text
        assert found_in(re.sub(r"[\s│▕]", "", text).encode()) == [], text
        self.seen += 1


def test_no_secret_is_on_any_screen(stage: Stage) -> None:
    receiver = stage.receiver()
    receiver.behave(answers(422, b'{"error": "no"}'))
    plant(stage, receiver.url)
    stage.engine()
    stage.accept(2)
    failed = DeliveryFilter(states=(DeliveryState.FAILED,))
    eventually(lambda: sum(stage.store.count_deliveries(failed).values()) == 6, what="all failed")
    sent = b"".join(value.encode() for r in receiver.requests for _, value in r.headers)
    assert {b"canary-bearer", b"canary-header", b"canary-cookie"} <= set(found_in(sent)), (
        "else the search proves nothing"
    )
    _fire(stage)
    terminal = stage.console(size=(120, 40))
    look = Looker(terminal)
    _walk(look)
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert look.seen > 25
    copied = [base64.b64decode(text) for text in COPIED.findall(bytes(terminal.raw))]
    assert any(text.startswith(b"curl ") for text in copied)
    assert any(text.startswith(b"evt_") for text in copied)
    assert found_in(b"\n".join(copied)) == []
    # What was painted between two looks.
    assert found_in(SEQUENCE.sub(b"", bytes(terminal.raw))) == []


def _fire(stage: Stage) -> None:
    rule = stage.store.add_alert_rule(AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=300, least=1))
    key = (rule.id, stage.store.find_endpoint("a").seq)
    stage.store.record_alerts([AlertChange(key=key, breach=Breach(value=1.0, since_ms=1), since_ms=1)], 1)


def _walk(look: Looker) -> None:
    look(then=r"a +● active.*b +● active.*c +● active.*✗ 422")
    look("?", then=r"Keys · Home")
    look("q", gone=r"Keys · Home")
    _endpoints(look)
    _inspector(look)
    _lists(look)


def _endpoints(look: Looker) -> None:
    for name in "abc":
        look("enter", then=rf"Home › {name}")
        look("q", gone=r"Home ›")
        look("p", then=rf"Pause {name}")
        look("w", "enter", then=rf"{name} +‖ paused")
        look("p", then=rf"Resume {name}")
        look("enter", then=rf"{name} +● active")
        look("j")
    look(":", then=r"Search for commands")
    look(*"test event to a", then=r"► .*Send a test event to a|Send a test event to a")
    look("enter", then=r"Send a test event to a\?")
    look("n", gone=r"Send a test event to a\?")


def _inspector(look: Looker) -> None:
    look("F", then=r"Failures by cause")
    look("b", then=r"Failures · 6")
    for row in range(6):
        look("g", *(["j"] * row), "enter", then=r"› dlv_.*Attempt 1 of 1.*(REQUEST|No request)")
        look("tab", "G")
        look("tab", "G")
        look("tab", then=r"The event elsewhere")
        look("y", then=r"event id evt_\w+ sent")
        look("Y", then=r"curl of attempt|No request is")
        look("r", then=r"Retry 1 delivery now\?")
        look("n", gone=r"now\?")
        look("q", then=r"Failures · 6", gone=r"› dlv_")
    look("R", then=r"Retry 6 deliveries: all that match")
    look("n", gone=r"now\?")
    look("q", gone=r"› Failures")


def _lists(look: Looker) -> None:
    look("a", then=r"reveal +a .*rotate +a ")
    for _ in range(12):
        look("enter", then=r"Operation op_")
        look("q", gone=r"Operation op_")
        look("j")
    look("q", gone=r"› Operations")
    look("A", then=r"▲ firing +a")
    look("m", then=r"Mute alert")
    look("esc", gone=r"Mute alert")
    look("enter", then=r"Alert of rule")
    # Of which endpoint the first is: the engine judges all three by the rule, and it may have come to another by now.
    look("enter", then=r"endpoint:[abc]")
    look("esc", gone=r"endpoint:[abc]")  # the filter first
    look("q", gone=r"› Failures")
    look("q", gone=r"› Alerts")
