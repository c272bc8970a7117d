"""Templates cut into what is copied and what is worked out: text, `{{ … }}`, `{% … %}` and their words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

TEMPLATE_MAX = 32 * 1024
"""Characters of a template. Those that people write have a few hundred."""
_SEGMENTS_MAX = 2000

_START = re.compile(r"\{[{%#]")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_WORD = re.compile(
    r"(?P<blank>\s+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![0-9A-Za-z_]))"
    r"|(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>//|\*\*|==|!=|<=|>=|[-+*/%~|.,:()\[\]{}<>=])",
    re.DOTALL,
)
_ENDS = {"{{": re.compile(r"[-+]?\}\}"), "{%": re.compile(r"[-+]?%\}")}


class SyntaxFlaw(Exception):
    """What is wrong with a template, and at which of its characters."""

    def __init__(self, words: str, at: int) -> None:
        super().__init__(words)
        self.words, self.at = words, at


class Kind(Enum):
    """What a segment of a template is."""

    TEXT = auto()
    """Copied as it is; comments and raw blocks too."""
    OUTPUT = auto()
    """`{{ … }}`"""
    TAG = auto()
    """`{% … %}`"""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of an expression; `at` counts the template's characters. An empty kind ends it."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a template between two borders."""

    kind: Kind
    at: int
    text: str
    words: tuple[Word, ...] = ()
    trims: tuple[str, str] = ("", "")
    """The `-` after its beginning and before its end, which take the blanks beside it away."""


def segments(text: str) -> list[Segment]:
    """A template in order. Raises SyntaxFlaw."""
    found = list(_segments(text))
    if len(found) > _SEGMENTS_MAX:
        raise SyntaxFlaw(f"{len(found)} parts: at most {_SEGMENTS_MAX} are allowed", found[_SEGMENTS_MAX].at)
    return found


def _segments(text: str) -> Iterator[Segment]:
    at = 0
    while at < len(text):
        start = _START.search(text, at)
        if start is None:
            yield Segment(Kind.TEXT, at, text[at:])
            return
        if start.start() > at:
            yield Segment(Kind.TEXT, at, text[at : start.start()])
        at = start.start()
        if start[0] == "{#" or _RAW.match(text, at):
            end = _end_of_copied(text, at)
            yield Segment(Kind.TEXT, at, text[at:end])
            at = end
        else:
            segment, at = _worked_out(text, at, start[0])
            yield segment


def _end_of_copied(text: str, at: int) -> int:
    if text.startswith("{#", at):
        end = text.find("#}", at + 2)
        if end < 0:
            raise SyntaxFlaw("this comment has no #}", at)
        return end + 2
    ended = _END_RAW.search(text, at)
    if ended is None:
        raise SyntaxFlaw("this raw block has no {% endraw %}", at)
    return ended.end()


def _worked_out(text: str, start: int, border: str) -> tuple[Segment, int]:
    at = start + 2
    lead = "-" if text.startswith("-", at) else ""
    if text[at : at + 1] in ("-", "+"):
        at += 1
    words: list[Word] = []
    depth = 0
    while True:
        ended = None if depth else _ENDS[border].match(text, at)
        if ended is not None:
            tail = "-" if ended[0].startswith("-") else ""
            words.append(Word("", ended[0], at))
            kind = Kind.OUTPUT if border == "{{" else Kind.TAG
            return Segment(kind, start, "", tuple(words), (lead, tail)), ended.end()
        word, at = _word(text, at, start)
        if word is not None:
            words.append(word)
            depth += _depth(word)


def _depth(word: Word) -> int:
    if word.kind != "sign":
        return 0
    return (word.text in "([{") - (word.text in ")]}")


def _word(text: str, at: int, start: int) -> tuple[Word | None, int]:
    found = _WORD.match(text, at)
    if found is None or (found.lastgroup == "name" and not found[0].isidentifier()):
        if at >= len(text):
            raise SyntaxFlaw("this has no end", start)
        raise SyntaxFlaw(f"{text[at]!r} is not understood here", at)
    kind = found.lastgroup or ""
    return (None if kind == "blank" else Word(kind, found[0], at)), found.end()


def expression_words(text: str) -> tuple[Word, ...]:
    """The words of an expression that stands alone. Raises SyntaxFlaw."""
    words: list[Word] = []
    at = 0
    while at < len(text):
        word, at = _word(text, at, 0)
        if word is not None:
            words.append(word)
    return (*words, Word("", "", len(text)))


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column of a character, both from 1."""
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
