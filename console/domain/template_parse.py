"""Expressions of templates, rewritten so that all that they do goes through functions of ours.

The template engine's own operators, filters and methods can make a gigabyte out of a line, reach into objects, and
compare what cannot be compared. What is handed to it holds names, literals, `and`, `or`, `not` and `if`, and calls of
`_…` functions that are given the place in the source (`console.domain.template_machine`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from console.domain.template_helpers import FILTERS, FUNCTIONS, TESTS, Helper
from console.domain.template_scan import SyntaxFlaw, Word

ROOTS: Final = ("payload", "event", "endpoint")
"""What every template knows."""
_LOOP: Final = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
_WORDS: Final = {"true": "true", "True": "true", "false": "false", "False": "false", "none": "_null", "None": "_null"}
_WORDS_OF_NONE: Final = frozenset({"null"})
_RESERVED: Final = frozenset({"and", "or", "not", "in", "is", "if", "else", "for", "loop", *_WORDS, *ROOTS, "null"})
_COMPARING: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_DEPTH_MAX: Final = 24
_PARTS_MAX: Final = 300
"""Operators, names and literals in one expression: the engine's compiler goes as deep as these do."""
_STEPS_MAX: Final = 60
_DIGITS_MAX: Final = 18
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/"}


@dataclass(frozen=True, slots=True)
class Node:
    """An expression as the engine gets it."""

    code: str
    at: int
    label: str = ""
    """What a reader calls it when it is missing: `payload.customer`."""
    deep: int = 1
    """How many calls are inside one another."""


class Parser:
    """Reads the words of one expression or tag after the other. Raises SyntaxFlaw."""

    def __init__(self, words: Sequence[Word], labels: dict[int, tuple[Node, ...]], names: dict[str, int]) -> None:
        self._words, self._labels, self._names = words, labels, names
        self._next = self._depth = self._parts = 0

    @property
    def word(self) -> Word:
        return self._words[self._next]

    def take(self, text: str | None = None) -> Word:
        word = self.word
        if text is not None and (word.text != text or word.kind == "text"):
            raise SyntaxFlaw(f"expected {text!r}, found {word.text[:20] or 'the end'!r}", word.at)
        if word.kind:
            self._next += 1
        return word

    def at_sign(self, *texts: str) -> bool:
        return self.word.kind == "sign" and self.word.text in texts

    def at_name(self, *texts: str) -> bool:
        return self.word.kind == "name" and self.word.text in texts

    def end(self) -> None:
        """Nothing more may follow."""
        if self.word.kind:
            raise SyntaxFlaw(f"{self.word.text[:20]!r} is not expected here", self.word.at)

    def new_name(self) -> str:
        """A name that a template gives to something."""
        word = self.take()
        if word.kind != "name" or word.text in _RESERVED or word.text.startswith("_"):
            raise SyntaxFlaw(f"{word.text[:20]!r} cannot be the name of a variable", word.at)
        return word.text

    def expression(self, *, choice: bool = True) -> Node:
        """With `a if b else c`, unless that `if` belongs to a loop."""
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise SyntaxFlaw(f"nested more than {_DEPTH_MAX} deep", self.word.at)
        node = self._either()
        while choice and self.at_name("if"):
            self.take()
            asked = self._either()
            other = Node("none", node.at)
            if self.at_name("else"):
                self.take()
                other = self.expression()
            node = self._made(f"({node.code} if {asked.code} else {other.code})", node.at, node, asked, other)
        self._depth -= 1
        return node

    def _made(self, code: str, at: int, *inner: Node, label: str = "") -> Node:
        self._parts += 1
        if self._parts > _PARTS_MAX:
            raise SyntaxFlaw(f"an expression of more than {_PARTS_MAX} parts", at)
        deep = 1 + max((node.deep for node in inner), default=0)
        if deep > _STEPS_MAX:
            raise SyntaxFlaw(f"more than {_STEPS_MAX} steps, one upon the other", at)
        return Node(code, at, label, deep)

    def call(self, name: str, at: int, args: Sequence[Node], *more: str) -> Node:
        """A call of one of our functions, which knows where it stands and what its arguments are called."""
        self._labels[at] = tuple(args)
        return self._made(f"{name}({', '.join([str(at), *more, *(arg.code for arg in args)])})", at, *args)

    def _either(self) -> Node:
        node = self._both()
        while self.at_name("or"):
            self.take()
            other = self._both()
            node = self._made(f"({node.code} or {other.code})", node.at, node, other)
        return node

    def _both(self) -> Node:
        node = self._not()
        while self.at_name("and"):
            self.take()
            other = self._not()
            node = self._made(f"({node.code} and {other.code})", node.at, node, other)
        return node

    def _not(self) -> Node:
        words = 0
        at = self.word.at
        while self.at_name("not"):
            self.take()
            words += 1
        node = self._compared()
        if not words:
            return node
        return self._made(f"(not {node.code})" if words % 2 else f"(not (not {node.code}))", at, node)

    def _compared(self) -> Node:
        node = self._sum()
        word = self.word
        negated = self.at_name("not") and self._words[self._next + 1].text == "in"
        if not (self.at_sign(*_COMPARING) or self.at_name("in") or negated):
            return node
        self.take()
        if negated:
            self.take("in")
        sign = "not in" if negated else word.text
        node = self.call("_x", word.at, (node, self._sum()), json.dumps(sign))
        if self.at_sign(*_COMPARING):
            raise SyntaxFlaw("comparisons in a row: write a < b and b < c", self.word.at)
        return node

    def _sum(self) -> Node:
        node = self._joined()
        while self.at_sign("+", "-"):
            word = self.take()
            node = self.call("_x", word.at, (node, self._joined()), json.dumps(word.text))
        return node

    def _joined(self) -> Node:
        node = self._product()
        if not self.at_sign("~"):
            return node
        at, parts = self.word.at, [node]
        while self.at_sign("~"):
            self.take()
            parts.append(self._product())
        return self.call("_c", at, parts)

    def _product(self) -> Node:
        node = self._signed()
        while self.at_sign("*", "/", "//", "%", "**"):
            word = self.take()
            node = self.call("_x", word.at, (node, self._signed()), json.dumps(word.text))
        return node

    def _signed(self) -> Node:
        if self.at_sign("-"):
            word = self.take()
            return self._filtered(self.call("_n", word.at, (self._postfixed(),)))
        return self._filtered(self._postfixed())

    def _filtered(self, node: Node) -> Node:
        while True:
            if self.at_sign("|"):
                self.take()
                word = self.take()
                args = self._arguments() if self.at_sign("(") else ()
                node = self._helped(FILTERS, "_f", "helper", word, (node, *args))
            elif self.at_name("is"):
                node = self._tested(node)
            else:
                return node

    def _tested(self, node: Node) -> Node:
        self.take("is")
        negated = self.at_name("not")
        if negated:
            self.take()
        word = self.take()
        args: Sequence[Node] = ()
        if self.at_sign("("):
            args = self._arguments()
        elif self.word.kind in ("number", "text"):
            args = (self._postfixed(),)
        made = self._helped(TESTS, "_t", "test", word, (node, *args))
        return self._made(f"(not {made.code})", made.at, made) if negated else made

    def _helped(self, table: Mapping[str, Helper], function: str, kind: str, word: Word, args: Sequence[Node]) -> Node:
        helper = table.get(word.text)
        if helper is None or word.kind != "name":
            raise SyntaxFlaw(f"no {kind} {word.text[:30]!r}; `transform helpers` lists what there is", word.at)
        given = [name for name, equals, _ in (arg.code.partition("=") for arg in args) if equals and name.isalpha()]
        if not helper.takes(len(args) - len(given), given):
            raise SyntaxFlaw(f"{word.text}: write it as {helper.form}", word.at)
        return self.call(function, word.at, args, json.dumps(word.text))

    def _arguments(self) -> tuple[Node, ...]:
        self.take("(")
        args: list[Node] = []
        named = False
        while not self.at_sign(")"):
            word = self.word
            if word.kind == "name" and self._words[self._next + 1].text == "=":
                self._next += 2
                value = self.expression()
                args.append(Node(f"{word.text}={value.code}", value.at, value.label, value.deep))
                named = True
            elif named:
                raise SyntaxFlaw("what has no name goes before what has one", word.at)
            else:
                args.append(self.expression())
            if not self.at_sign(")"):
                self.take(",")
        self.take(")")
        return tuple(args)

    def _postfixed(self) -> Node:
        node = self._primary()
        while True:
            if self.at_sign("."):
                node = self._path(node)
            elif self.at_sign("["):
                node = self._subscript(node)
            elif self.at_sign("("):
                self._refuse_call(node)
            else:
                return node

    def _path(self, node: Node) -> Node:
        """`a.b.c` in one call: most of what templates do."""
        at, keys = self.word.at, []
        while self.at_sign("."):
            self.take()
            word = self.take()
            if word.kind not in ("name", "number"):
                raise SyntaxFlaw("a name is needed after the dot", word.at)
            keys += word.text.split(".") if word.kind == "number" else [word.text]
        if self.at_sign("("):
            raise SyntaxFlaw(f"methods are not offered: write `{node.label or '…'} | {keys[-1][:30]}`", at)
        if node.code == "loop":
            if len(keys) > 1 or keys[0] not in _LOOP:
                raise SyntaxFlaw(f"a loop has {', '.join(sorted(_LOOP))}", at)
            return self._made(f"loop.{keys[0]}", node.at, label=f"loop.{keys[0]}")
        made = self.call("_p", at, (node,))
        code = f"{made.code[:-1]}, {', '.join(json.dumps(key) for key in keys)})"
        return Node(code, node.at, ".".join([node.label or "…", *keys]), made.deep)

    def _subscript(self, node: Node) -> Node:
        at = self.take("[").at
        if self.at_sign(":"):
            return self._slice(node, at, Node("_null", at))
        key = self.expression()
        if self.at_sign(":"):
            return self._slice(node, at, key)
        self.take("]")
        made = self.call("_i", at, (node, key))
        return Node(made.code, node.at, f"{node.label or '…'}[{key.label or '…'}]", made.deep)

    def _slice(self, node: Node, at: int, first: Node) -> Node:
        self.take(":")
        last = Node("_null", at) if self.at_sign("]") else self.expression()
        self.take("]")
        return self.call("_s", at, (node, first, last))

    def _refuse_call(self, node: Node) -> NoReturn:
        raise SyntaxFlaw(f"{node.label or 'this'} cannot be called", self.word.at)

    def _primary(self) -> Node:
        word = self.take()
        match word.kind:
            case "number":
                if len(word.text) > _DIGITS_MAX:
                    raise SyntaxFlaw("a number of more than 18 digits: write it as text", word.at)
                return self._made(_number(word), word.at, label=word.text)
            case "text":
                return self._made(json.dumps(_unescaped(word), ensure_ascii=False), word.at, label=word.text)
            case "name":
                return self._named(word)
            case "sign" if word.text in ("(", "[", "{"):
                return self._bracketed(word)
            case _:
                raise SyntaxFlaw(f"a value is needed, found {word.text[:20] or 'the end'!r}", word.at)

    def _named(self, word: Word) -> Node:
        name = word.text
        if name in _WORDS or name in _WORDS_OF_NONE:
            return self._made(_WORDS.get(name, "_null"), word.at, label=name)
        if self.at_sign("("):
            return self._helped(FUNCTIONS, "_g", "function", word, self._arguments())
        if name.startswith("_") or name in _RESERVED - {"loop", *ROOTS}:
            raise SyntaxFlaw(f"{name[:30]!r} is no variable", word.at)
        self._names.setdefault(name, word.at)
        return self._made(name, word.at, label=name)

    def _bracketed(self, opening: Word) -> Node:
        if opening.text == "{":
            return self._mapping(opening.at)
        closing = ")" if opening.text == "(" else "]"
        items: list[Node] = []
        comma = opening.text == "["
        while not self.at_sign(closing):
            items.append(self.expression())
            if not self.at_sign(closing):
                self.take(",")
                comma = True
        self.take(closing)
        if not comma and len(items) == 1:
            return Node(f"({items[0].code})", items[0].at, items[0].label, items[0].deep)
        return self.call("_l", opening.at, items)

    def _mapping(self, at: int) -> Node:
        items: list[Node] = []
        while not self.at_sign("}"):
            items.append(self.expression())
            self.take(":")
            items.append(self.expression())
            if not self.at_sign("}"):
                self.take(",")
        self.take("}")
        return self.call("_d", at, items)


def _number(word: Word) -> str:
    if not any(c in word.text for c in ".eE"):
        return str(int(word.text))
    value = float(word.text)
    if value in (float("inf"), float("-inf")):
        raise SyntaxFlaw("this number is too large", word.at)
    return f"{value:f}" if value == int(value) and abs(value) < 1e15 else repr(value)


def _unescaped(word: Word) -> str:
    def one(found: re.Match[str]) -> str:
        text = found[1]
        if text[0] == "u" and len(text) > 1:
            return chr(int(text[1:], 16))
        return _ESCAPED.get(text, found[0])

    value = _ESCAPE.sub(one, word.text[1:-1])
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise SyntaxFlaw("half of a character", word.at) from None
