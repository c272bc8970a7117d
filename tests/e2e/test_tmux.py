"""The operator's way once more inside tmux, as most people are when they come over SSH."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from shlex import join

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from tests.e2e.stage import Stage, eventually, program
from tests.receivers import answers

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A tmux server of its own with one window of 80×24, that runs one shell command."""

    def __init__(self, stage: Stage, command: str) -> None:
        self._socket = str(stage.folder / "tmux")
        self._environment = stage.environment
        self.call("-f", os.devnull, "new-session", "-d", "-x", "80", "-y", "24", command)

    def call(self, *arguments: str, check: bool = True) -> str:
        command = ["tmux", "-u", "-S", self._socket, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=check, timeout=30)
        return done.stdout

    def press(self, *keys: str) -> None:
        """Keys by tmux's names."""
        for key in keys:
            self.call("send-keys", key)

    def wait_for(self, pattern: str) -> None:
        wanted = re.compile(pattern, re.S)
        shown = ""

        def look() -> bool:
            nonlocal shown
            shown = self.call("capture-pane", "-p")
            return wanted.search(shown) is not None

        try:
            eventually(look, what=pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{shown}") from None


@pytest.fixture
def tmux(stage: Stage) -> Iterator[Tmux]:
    """The console in tmux, between two lines of a shell. It waits for the test's engine: one that it started itself
    would hold the store before, and outlive it."""
    console = join([*program(), "--store", str(stage.path), "--no-engine"])
    tmux = Tmux(stage, f'echo "a line before"; {console}; echo "left with $?"; read line')
    yield tmux
    tmux.call("kill-server", check=False)


def test_watch_pause_break_retry_leave(stage: Stage, tmux: Tmux) -> None:
    engine = stage.engine()
    receiver = stage.receiver()
    billing = stage.endpoint("billing", receiver.url)
    tmux.wait_for(r"running · pid.*billing +● active")
    stage.accept(1, type_="lead.created")
    tmux.wait_for(r"lead\.created +✓ 200")
    receiver.behave(answers(503))
    stage.accept(2, type_="order.created")
    tmux.wait_for(r"order\.created +✗ 503")
    tmux.press("p")
    tmux.wait_for(r"Enter accepts")
    tmux.call("send-keys", "-l", "503 since midnight")
    tmux.press("Enter")
    tmux.wait_for(r"billing +‖ paused")
    assert stage.store.find_endpoint("billing").state_reason == "503 since midnight"
    tmux.press("F")
    tmux.wait_for(r"Failures by cause · 1 group · 2 deliveries")
    tmux.press("b")
    tmux.wait_for(r"Failures · 2\b")
    tmux.press("R")
    tmux.wait_for(r"Retry 2 deliveries: all that match.*waits until it is resumed")
    tmux.press("y")
    tmux.wait_for(r"2 deliveries due now")
    tmux.press("Escape")
    tmux.wait_for(r"Attempts · ")
    receiver.behave(answers(200))
    tmux.press("p")
    tmux.wait_for(r"Resume billing: how fast\?")
    tmux.press("Enter")
    tmux.wait_for(r"reason, kept in the audit log")
    tmux.press("Enter")
    tmux.wait_for(r"billing +● active")
    assert stage.store.find_endpoint("billing").state is EndpointState.ACTIVE
    delivered = DeliveryFilter(endpoints=(billing.id,), states=(DeliveryState.DELIVERED,))
    eventually(lambda: sum(stage.store.count_deliveries(delivered).values()) == 3, what="all delivered")
    tmux.press("q")
    # The alternate screen is left: what the shell had written is there again.
    tmux.wait_for(r"\Aa line before\nleft with 0\n")
    assert engine.alive
