"""How the program begins and ends in a real terminal: engines started and left, signals, lines that drop."""

import re
import signal
import time

import pytest

from tests.e2e.stage import SIZES, Stage, assert_given_back, eventually, program
from tests.terminal import Terminal

SMALL = SIZES[0]
ENDS_WITHIN_S = 15.0
"""For what takes two seconds on an idle machine."""


def test_an_engine_is_started_and_stays_when_asked_to(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.endpoint("billing", receiver.url)
    terminal = stage.console(size=SMALL, WEBHOOK_CONSOLE_ALLOW_ADDRESSES="127.0.0.0/8")
    terminal.wait_for(r"started an engine, pid \d+")
    terminal.wait_for(r"running · pid")
    stage.accept(1)
    terminal.wait_for(r"invoice\.paid +✓ 200")
    terminal.press("q")
    terminal.wait_for(r"Stop the engine too\?")
    terminal.press("enter")  # the first answer: leave it
    assert terminal.wait_for_end() == 0
    assert_given_back(terminal)
    stage.accept(1)
    eventually(lambda: len(receiver.requests) == 2, what="the engine goes on without its console")

    # A console that did not start the engine does not ask.
    second = stage.console(size=SMALL)
    second.wait_for(r"data live")
    assert "started an engine" not in second.text()
    second.press("q")
    assert second.wait_for_end() == 0
    assert len(stage.engines()) == 1
    assert stage.run("--store", str(stage.path), "stop", size=SMALL).wait_for_end() == 0
    eventually(lambda: not stage.processes(), what="no engine any more")


def test_an_engine_that_was_started_is_stopped_when_asked_to(stage: Stage) -> None:
    terminal = stage.console(size=SMALL)
    terminal.wait_for(r"running · pid")
    terminal.press("q")
    terminal.wait_for(r"Stop the engine too\?")
    terminal.press("y")
    assert terminal.wait_for_end() == 0
    assert_given_back(terminal)
    eventually(lambda: not stage.processes(), what="no engine any more")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_demo_moves_and_leaves_nothing(stage: Stage, size: tuple[int, int]) -> None:
    terminal = stage.run("demo", "--rate", "40", size=size)
    terminal.wait_for(r"running · pid.*data live")
    terminal.wait_for(r"delivered +[\d.]+/s .*success +[\d.]+%.*✗ ")
    before = _rate(terminal)
    eventually(lambda: _rate(terminal) != before, what="the rate moves")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert_given_back(terminal)
    eventually(lambda: not stage.processes(), what="receivers and engine ended with the demo")
    assert not list(stage.folder.glob("**/demo.db*"))


def _rate(terminal: Terminal) -> str:
    found = re.search(r"delivered +([\d.]+)/s", terminal.text())
    return found[1] if found else ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_gives_the_terminal_back(stage: Stage, number: signal.Signals) -> None:
    engine = stage.engine()
    stage.endpoint("billing", "http://127.0.0.1:9/hook")
    terminal = stage.console(size=SMALL)
    terminal.wait_for(r"billing +● active")
    terminal.press("F")  # not only on the first screen
    terminal.wait_for(r"Failures by cause · 0")
    terminal.signal(number)
    assert terminal.wait_for_end(timeout_s=ENDS_WITHIN_S) == 0
    assert_given_back(terminal)
    assert engine.alive


def test_a_line_that_drops_ends_the_console_and_not_its_engine(stage: Stage) -> None:
    terminal = stage.console(size=SMALL)
    terminal.wait_for(r"running · pid")
    terminal.hang_up()
    assert terminal.process.wait(ENDS_WITHIN_S) == 0
    assert len(stage.engines()) == 1, "the engine that it started"
    assert stage.run("--store", str(stage.path), "stop", size=SMALL).wait_for_end() == 0


def test_a_terminal_that_does_not_read_cannot_keep_the_process(stage: Stage) -> None:
    stage.engine()
    stage.endpoint("billing", "http://127.0.0.1:9/hook")
    terminal = stage.console(size=(120, 40))
    terminal.wait_for(r"billing +● active")
    terminal.stall()
    _fill(terminal)
    terminal.signal(signal.SIGTERM)
    assert terminal.process.wait(ENDS_WITHIN_S) == 0
    # What was there to be read is dropped, and what gives the terminal back comes.
    terminal.go_on()
    terminal.wait_for_end()
    assert_given_back(terminal)


def _fill(terminal: Terminal) -> None:
    """Press keys that paint the screen again until no more of it gets out."""

    def stuck() -> bool:
        before = terminal.unread_bytes()
        terminal.press("?", "q")
        time.sleep(0.3)  # not for anything to happen, but to see that nothing does
        return 0 < before == terminal.unread_bytes()

    eventually(stuck, what="the terminal's buffer is full")


def test_where_no_screen_can_be_shown_one_line_says_so(stage: Stage) -> None:
    for environment in ({"TERM": "dumb"}, {"TERM": ""}):
        terminal = stage.console(size=SMALL, **environment)
        assert terminal.wait_for_end() == 1
        assert b"\x1b[" not in terminal.raw
        assert len(bytes(terminal.raw).splitlines()) == 1
        assert b"TERM" in terminal.raw
    for redirected in (">/dev/null", "</dev/null"):
        shell = ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh"]
        terminal = stage.run(*_console(stage), size=SMALL, command=shell)
        assert terminal.wait_for_end() == 1
        assert b"\x1b[" not in terminal.raw
        assert b"terminal" in terminal.raw
    assert stage.processes() == [], "no engine was started for nobody"


def _console(stage: Stage) -> list[str]:
    return [*program(), "--store", str(stage.path)]


def test_no_colour_when_none_is_wanted(stage: Stage) -> None:
    stage.engine()
    stage.endpoint("billing", "http://127.0.0.1:9/hook")
    terminal = stage.console(size=SMALL, NO_COLOR="1")
    terminal.wait_for(r"billing +● active")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert_given_back(terminal)
    assert _colours(terminal) == set()


def test_sixteen_colours_where_there_are_no_more(stage: Stage) -> None:
    stage.engine()
    stage.endpoint("billing", "http://127.0.0.1:9/hook")
    terminal = stage.console(size=SMALL, TERM="xterm", COLORTERM="")
    terminal.wait_for(r"billing +● active")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert_given_back(terminal)
    assert "true" not in _colours(terminal)
    assert "256" not in _colours(terminal)


def _colours(terminal: Terminal) -> set[str]:
    """Which kinds of colour the program has used."""
    found = set()
    for match in re.finditer(rb"\x1b\[([0-9;]*)m", terminal.raw):
        codes = f";{match[1].decode()};"
        if re.search(r";[34]8;2;", codes):
            found.add("true")
        elif re.search(r";[34]8;5;", codes):
            found.add("256")
        elif re.search(r";(3[0-7]|4[0-7]|9[0-7]|10[0-7]);", codes):
            found.add("16")
    return found


def test_read_only_changes_nothing(stage: Stage) -> None:
    stage.engine()
    endpoint = stage.endpoint("billing", "http://127.0.0.1:9/hook")
    stage.accept(2)
    terminal = stage.console("--read-only", size=SMALL)
    terminal.wait_for(r"billing +● active.*✗ refused")
    terminal.press("p")
    terminal.press("F")
    terminal.wait_for(r"Failures by cause · 1 group · 2")
    terminal.press("r", "R", "p", "b")
    terminal.wait_for(r"Failures · 2")
    terminal.press("r", "R", "y", "x")
    terminal.wait_for(r"Failures · 2 · /state:failed")  # x came after the others: they were looked at, and did nothing
    terminal.press("esc")
    terminal.press("q")
    assert endpoint.state == stage.store.find_endpoint("billing").state
    assert stage.store.operations(limit=5) == []
