"""Keys as the terminal sends them."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest
from textual import events
from textual.message import Message

from console.ui import keyboard
from console.ui.app import ConsoleApp
from console.ui.keyboard import PromptDriver

GUARD_S = 10.0


class Typed(PromptDriver):
    """The driver's reading thread on a pipe, without a terminal."""

    def __init__(self) -> None:
        self.fileno, self._keys = os.pipe()
        self._debug = False
        self.exit_event = threading.Event()
        self.came = threading.Condition()
        self.keys: list[str] = []
        self.thread = threading.Thread(target=self.run_input_thread)
        self.thread.start()

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.Key):
            with self.came:
                self.keys.append(message.key)
                self.came.notify_all()

    def type(self, data: bytes) -> None:
        os.write(self._keys, data)

    def wait_for(self, *keys: str) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.keys) >= len(keys), GUARD_S), self.keys
            assert self.keys == list(keys)

    def end(self) -> None:
        self.exit_event.set()
        os.close(self._keys)
        self.thread.join(GUARD_S)
        os.close(self.fileno)
        assert not self.thread.is_alive()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    # Nothing is looked at for its own sake: what comes does so because something woke the thread.
    monkeypatch.setattr(keyboard, "LOOK_S", 60.0)
    driver = Typed()
    yield driver
    driver.end()


def test_a_lone_escape_comes_without_another_key(typed: Typed) -> None:
    typed.type(b"\x1b")
    typed.wait_for("escape")


def test_keys_of_many_bytes_stay_whole(typed: Typed) -> None:
    typed.type(b"\x1b[A")
    typed.wait_for("up")
    typed.type(b"\x1b")
    typed.type(b"[B\x1bOPj")
    typed.wait_for("up", "down", "f1", "j")


def test_what_is_no_whole_character_yet_waits(typed: Typed) -> None:
    euro = "€".encode()
    typed.type(euro[:1])
    typed.type(euro[1:] + b"k")
    typed.wait_for("euro_sign", "k")


def test_the_console_reads_keys_with_it(make_console: Callable[[], ConsoleApp]) -> None:
    assert issubclass(make_console().driver_class, PromptDriver)
