"""Reading keys from the terminal without making a lone Esc wait."""

import os
import selectors
from codecs import getincrementaldecoder
from contextlib import suppress

from textual import constants
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

LOOK_S = 0.1
"""How often the thread looks whether it is to end."""

READ_AT_ONCE = 4096
ESCAPE = "\x1b"


class PromptDriver(LinuxDriver):
    """Textual's driver looks ten times a second whether an Esc has stood alone long enough; this one when it has."""

    def run_input_thread(self) -> None:
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")().decode
        wait_s = LOOK_S
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                text = ""
                if selector.select(wait_s):
                    read = os.read(self.fileno, READ_AT_ONCE)
                    text = decode(read)
                    if not read:
                        self.exit_event.wait(LOOK_S)  # an input that has ended is always ready
                if text:
                    for message in parser.feed(text):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
                wait_s = constants.ESCAPE_DELAY if text.endswith(ESCAPE) else LOOK_S
        with suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass  # a key that was cut off is nobody's
