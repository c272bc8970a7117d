"""Templates and filters rewritten for the template engine, with what is needed to say where they went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from console.domain.template_parse import ROOTS, Node, Parser
from console.domain.template_scan import TEMPLATE_MAX, Kind, Segment, SyntaxFlaw, expression_words, segments

FILTER_MAX = 2048
"""Characters of a filter."""
_NESTED_MAX = 16
_CHOICES_MAX = 100
"""Branches of one `if`: the engine's compiler goes as deep as these do."""
_REFUSED = {
    "macro": "macros are", "call": "macros are", "include": "other templates are", "import": "other templates are",
    "from": "other templates are", "extends": "other templates are", "block": "blocks are", "with": "with is",
    "filter": "filter blocks are", "autoescape": "autoescape is", "do": "do is",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """What the engine is given, and what its functions know about their arguments."""

    text: str
    labels: dict[int, tuple[Node, ...]]


@dataclass(slots=True)
class _Open:
    """A tag that is not closed yet."""

    name: str
    at: int
    part: int
    """Which part of the result is to be completed with `copied`."""
    copied: int = 0
    """Characters that are copied each time it is gone through."""
    branches: int = 0
    otherwise: bool = False


@dataclass(slots=True)
class _Compiler:
    labels: dict[int, tuple[Node, ...]] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    """Those used, and where first."""
    given: set[str] = field(default_factory=lambda: {*ROOTS})
    parts: list[str] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)

    def add(self, segment: Segment) -> None:
        match segment.kind:
            case Kind.TEXT:
                self.parts.append(segment.text)
                for one in self.open:
                    one.copied += len(segment.text)
            case Kind.OUTPUT:
                parser = self._parser(segment)
                node = parser.expression()
                parser.end()
                made = parser.call("_o", segment.at, (node,))
                lead, tail = segment.trims
                self.parts.append(f"{{{{{lead} {made.code} {tail}}}}}")
            case Kind.TAG:
                self._tag(segment)

    def _parser(self, segment: Segment) -> Parser:
        return Parser(segment.words, self.labels, self.names)

    def _tag(self, segment: Segment) -> None:
        parser = self._parser(segment)
        word = parser.take()
        name = word.text
        if name in _REFUSED:
            raise SyntaxFlaw(f"{_REFUSED[name]} not offered in a transform", word.at)
        match name:
            case "if":
                self._opened(segment, "if")
                code = f"if {parser.expression().code}"
            case "elif":
                self._branch("if", word.at, "elif")
                code = f"elif {parser.expression().code}"
            case "else":
                self._branch(("if", "for"), word.at, "else", last=True)
                code = "else"
            case "for":
                self._for(segment, parser)
                return
            case "set":
                code = self._set(segment, parser)
            case "endif" | "endfor" | "endset":
                self._closed(name.removeprefix("end"), word.at)
                code = name
            case "break" | "continue":
                if not any(one.name == "for" for one in self.open):
                    raise SyntaxFlaw(f"{name} belongs into a loop", word.at)
                code = name
            case _:
                raise SyntaxFlaw(f"no tag {name[:20]!r}: if, for and set are offered", word.at)
        parser.end()
        self.parts.append(_tagged(segment, code))

    def _opened(self, segment: Segment, name: str) -> None:
        if len(self.open) >= _NESTED_MAX:
            raise SyntaxFlaw(f"tags nested more than {_NESTED_MAX} deep", segment.at)
        self.open.append(_Open(name, segment.at, len(self.parts)))

    def _branch(self, names: str | tuple[str, ...], at: int, word: str, *, last: bool = False) -> None:
        if not self.open or self.open[-1].name not in names or self.open[-1].otherwise:
            raise SyntaxFlaw(f"{word} without its beginning", at)
        self.open[-1].branches += 1
        self.open[-1].otherwise = last
        if self.open[-1].branches > _CHOICES_MAX:
            raise SyntaxFlaw(f"more than {_CHOICES_MAX} branches", at)

    def _closed(self, name: str, at: int) -> None:
        if not self.open or self.open[-1].name != name:
            raise SyntaxFlaw(f"end{name} without its beginning", at)
        one = self.open.pop()
        if name == "for":
            self.parts[one.part] = self.parts[one.part].replace("\0", str(one.copied))

    def _for(self, segment: Segment, parser: Parser) -> None:
        names = [parser.new_name()]
        while parser.at_sign(","):
            parser.take()
            names.append(parser.new_name())
        if not parser.at_name("in"):
            raise SyntaxFlaw("write it as: for NAME in LIST", parser.word.at)
        parser.take()
        self.given |= {*names, "loop"}
        looped = parser.call("_e", segment.at, (parser.expression(choice=False),), "\0", str(len(names)))
        asked = ""
        if parser.at_name("if"):
            parser.take()
            asked = f" if {parser.expression().code}"
        if parser.at_name("recursive"):
            raise SyntaxFlaw("recursive loops are not offered in a transform", parser.word.at)
        parser.end()
        self._opened(segment, "for")
        self.parts.append(_tagged(segment, f"for {', '.join(names)} in {looped.code}{asked}"))

    def _set(self, segment: Segment, parser: Parser) -> str:
        name = parser.new_name()
        self.given.add(name)
        if parser.at_sign("="):
            parser.take()
            return f"set {name} = {parser.call('_v', segment.at, (parser.expression(),)).code}"
        self._opened(segment, "set")
        return f"set {name}"

    def finished(self) -> Source:
        if self.open:
            raise SyntaxFlaw(f"this {self.open[-1].name} has no end{self.open[-1].name}", self.open[-1].at)
        _check_names(self.names, self.given)
        return Source("".join(self.parts), self.labels)


def _tagged(segment: Segment, code: str) -> str:
    lead, tail = segment.trims
    return f"{{%{lead} {code} {tail}%}}"


def _check_names(names: dict[str, int], given: Iterable[str]) -> None:
    unknown = [name for name in names if name not in given]
    if unknown:
        name = min(unknown, key=names.__getitem__)
        raise SyntaxFlaw(f"{name[:30]} is not known; payload, event and endpoint are", names[name])


def compiled_template(text: str) -> Source:
    """Raises SyntaxFlaw."""
    if len(text) > TEMPLATE_MAX:
        raise SyntaxFlaw(f"a template of {len(text):,} characters: at most {TEMPLATE_MAX:,} are allowed", 0)
    compiler = _Compiler()
    for segment in segments(text):
        compiler.add(segment)
    return compiler.finished()


def compiled_filter(text: str) -> Source:
    """An expression as a template that prints something when it is true. Raises SyntaxFlaw."""
    if not text.strip():
        raise SyntaxFlaw("an expression is needed, such as payload.amount > 10000", 0)
    if len(text) > FILTER_MAX:
        raise SyntaxFlaw(f"a filter of {len(text):,} characters: at most {FILTER_MAX:,} are allowed", 0)
    compiler = _Compiler()
    parser = Parser(expression_words(text), compiler.labels, compiler.names)
    node = parser.expression()
    parser.end()
    _check_names(compiler.names, ROOTS)
    return Source(f"{{% if {node.code} %}}1{{% endif %}}", compiler.labels)
