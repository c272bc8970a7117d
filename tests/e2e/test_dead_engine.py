"""An engine that dies without a word: the header says so, before anybody is misled."""

import os
import signal
import time

from tests.e2e.stage import SIZES, Stage

NOTICED_S = 3.0
GUARD_S = 3.0
"""For a machine that does other things too."""

SILENT = r"▲ engine stale [2-9]s"


def test_a_killed_engine_is_noticed_within_three_seconds(stage: Stage) -> None:
    engine = stage.engine()
    stage.endpoint("billing", "http://127.0.0.1:9/hook")
    terminal = stage.console(size=SIZES[0])
    terminal.wait_for(r"● running · pid \d+.*● data live")
    os.kill(engine.pid, signal.SIGKILL)
    killed_s = time.monotonic()
    terminal.wait_for(SILENT, timeout_s=NOTICED_S + GUARD_S)
    took_s = time.monotonic() - killed_s
    assert took_s < NOTICED_S + GUARD_S
    assert "● running" not in terminal.text()
    assert "data live" in terminal.text(), "the store is still read: it is the engine alone that is silent"
    # And it is as plain when the next one comes.
    stage.engine()
    terminal.wait_for(r"● running · pid \d+")


def test_the_other_screens_say_it_too(stage: Stage) -> None:
    engine = stage.engine()
    stage.endpoint("billing", "http://127.0.0.1:9/hook")
    terminal = stage.console(size=SIZES[0])
    terminal.wait_for(r"billing +● active")
    terminal.press("A")
    terminal.wait_for(r"Home › Alerts +● running")
    os.kill(engine.pid, signal.SIGKILL)
    terminal.wait_for(SILENT + r".*no engine: nothing is measured", timeout_s=NOTICED_S + GUARD_S)
    terminal.press("a")
    terminal.wait_for(r"Operations +▲ engine stale")
    terminal.press("q", "q")
    terminal.wait_for(r" Home +▲ engine stale")
