"""Where the time went, what differs, what stood on the wire, what is hidden: as lines, without a screen."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from console.domain.outcome import Cause
from console.ui.attempt_diff import MOST_LINES, Side, diff_lines
from console.ui.attempt_parts import bar, longest_ms, parts_of, queue_ms
from console.ui.body_text import MOST_UNPACKED_BYTES, is_text, readable_body
from console.ui.masking import mask_body, mask_exchange, mask_text
from console.ui.raw_lines import raw_lines
from console.ui.widgets import json_value
from console.ui.widgets.json_tree import JsonTree
from console.ui.widgets.reading_view import Line, wrap
from tests.factories import make_exchange
from tests.ui.test_explain import NOW, make_attempt

TOLD: dict[str, Any] = {"resolve_ms": 100.0, "connect_ms": 50.0, "tls_ms": 150.0, "first_byte_ms": 900.0}


def text_of(lines: list[Line], width: int = 100) -> str:
    return "\n".join("".join(text for text, _ in row) for line in lines for row in wrap(line, width))


# Parts


def test_the_parts_are_the_total() -> None:
    attempt = make_attempt(**TOLD)
    assert [(part.name, part.ms) for part in parts_of(attempt)] == [
        ("look-up", 100), ("connect", 50), ("TLS", 150), ("waiting", 600), ("body", 100),
    ]  # fmt: skip
    assert sum(part.ms for part in parts_of(attempt)) == attempt.total_ms


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["connect, TLS, waiting", "body"]),
        ({"first_byte_ms": None}, ["all of it"]),
        ({"resolve_ms": 10.0}, ["look-up", "connect, TLS, waiting", "body"]),
        ({"connect_ms": 5.0, "first_byte_ms": None}, ["connect", "waiting, body"]),
        ({"status": None, "cause": Cause.TIMEOUT_READ, "first_byte_ms": None}, ["connect, TLS, no answer"]),
        ({"total_ms": None}, []),
    ],
)
def test_what_cannot_be_told_apart_is_one_part(given: dict[str, Any], names: list[str]) -> None:
    assert [part.name for part in parts_of(make_attempt(**given))] == names


def test_bars_are_drawn_to_the_longest() -> None:
    short, long = make_attempt(total_ms=250.0, first_byte_ms=250.0), make_attempt(**TOLD)
    scale = longest_ms([short, long])
    assert (len(bar(short, scale, 20)[0]), bar(long, scale, 20)[0]) == (5, "░░▒▓▓▓████████████▄▄")
    assert queue_ms(make_attempt(due_at_ms=NOW - 12_000)) == 2000
    assert queue_ms(make_attempt()) is None


@settings(max_examples=100)
@given(*(st.none() | st.floats(0, 1e6) for _ in range(5)), st.integers(0, 60))
def test_any_times_make_a_bar_that_fits(
    total: float | None,
    first: float | None,
    resolve: float | None,
    connect: float | None,
    tls: float | None,
    width: int,
) -> None:
    attempt = make_attempt(total_ms=total, first_byte_ms=first, resolve_ms=resolve, connect_ms=connect, tls_ms=tls)
    assert len(bar(attempt, longest_ms([attempt]), width)[0]) <= width
    assert all(part.ms >= 0 for part in parts_of(attempt))
    assert total is None or sum(part.ms for part in parts_of(attempt)) == pytest.approx(total)


# Bodies


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"hello " * 50, mtime=0)),
        ("deflate", zlib.compress(b"hello " * 50)),
        ("deflate", zlib.compress(b"hello " * 50)[2:-4]),
        ("deflate, gzip", gzip.compress(zlib.compress(b"hello " * 50), mtime=0)),
    ],
)
def test_compressed_bodies_are_unpacked(coding: str, packed: bytes) -> None:
    body = readable_body((("Content-Encoding", coding),), packed)
    assert body.data == b"hello " * 50
    assert "unpacked to 300 B" in body.note


def test_what_cannot_be_unpacked_says_so() -> None:
    assert readable_body((("content-encoding", "br"),), b"x").note.startswith("br: br cannot be unpacked here")
    assert "is damaged" in readable_body((("content-encoding", "gzip"),), b"no gzip").note
    assert readable_body((), b"plain") == readable_body((("content-encoding", "identity"),), b"plain")


def test_a_body_that_was_cut_gives_its_beginning_and_a_bomb_is_cut() -> None:
    packed = gzip.compress(json.dumps(list(range(9000))).encode())
    assert readable_body((("content-encoding", "gzip"),), packed[:4000]).data.startswith(b"[0, 1, 2")
    bomb = gzip.compress(b"\0" * (MOST_UNPACKED_BYTES * 40))
    assert len(readable_body((("content-encoding", "gzip"),), bomb).data) == MOST_UNPACKED_BYTES


# Raw


def test_raw_is_as_on_the_wire_and_hides_what_the_url_hides() -> None:
    exchange = make_exchange(
        url="https://x.example/hook?token=hunter2&a=b", response_body=gzip.compress(b"{}", mtime=0)
    )
    shown = text_of(raw_lines(make_attempt(), exchange, b'{"a" : 1}'))
    assert "POST /hook?token=[redacted]&a=b\nhost: x.example\ncontent-type: application/json" in shown
    assert '\n\n{"a" : 1}\n\n' in shown
    assert "HTTP 500\n" in shown
    assert "00000000  1f 8b 08 00 00 00 00 00  |........|" in shown
    assert "hunter2" not in shown
    assert "none came" in text_of(raw_lines(make_attempt(status=None), exchange, b"{}"))
    assert "Nothing is recorded" in text_of(raw_lines(make_attempt(), None, b"{}"))


# Differences


def side(body: bytes = b"{}", headers: tuple[tuple[str, str], ...] = (), **attempt: Any) -> Side:
    exchange = make_exchange(
        request_headers=(("webhook-timestamp", str(attempt.get("number", 1))), ("x", "same")),
        response_headers=headers,
        response_body=body,
    )
    return Side(attempt=make_attempt(**attempt), exchange=exchange)


def test_only_what_differs_is_shown() -> None:
    one = side(b'{"error":"timeout","code":7,"at":[1,2]}', (("server", "a"), ("x", "1")))
    other = side(b'{ "code": 8,\n"error": "timeout", "at":[1,2] }', (("server", "b"), ("x", "1")), number=2, status=502)
    shown = text_of(diff_lines(one, other))
    assert "- code: 7\n+ code: 8" in shown
    assert "  ⋯" not in shown
    assert "- server a\n+ server b" in shown
    assert "- outcome" in shown
    assert "\nREQUEST" not in shown
    assert "The same in both: timings, request." in shown
    whole = text_of(diff_lines(one, other, whole=True))
    assert "  x                 same" in whole
    assert "webhook-timestamp" in whole


def test_the_same_json_in_another_order_is_the_same() -> None:
    shown = text_of(diff_lines(side(b'{"a":1,"b":"x"}'), side(b'{"b":"x",  "a":1}')))
    assert "the same JSON, written in another way" in shown
    assert "\n- a" not in shown


def test_equal_lines_between_are_counted() -> None:
    lines = [f"line {n}" for n in range(40)]
    after = [*lines[:20], "new", *lines[20:39], "last"]
    shown = text_of(diff_lines(side("\n".join(lines).encode()), side("\n".join(after).encode())))
    assert "⋯ 18 equal lines\n  line 18\n  line 19\n+ new\n  line 20" in shown
    assert "- line 39\n+ last" in shown


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_any_bodies_can_be_compared(one: bytes, other: bytes, whole: bool) -> None:
    shown = text_of(diff_lines(side(one), side(other), whole=whole))
    assert all(c == "\n" or (c >= " " and not "\x7f" <= c < "\xa0") for c in shown)


def test_many_lines_are_compared_in_time() -> None:
    body = "\n".join(str(n % 7) for n in range(MOST_LINES * 3)).encode()
    assert "only the first" in text_of(diff_lines(side(body), side(body + b"\nx")))


# Masked


def test_masked_values_keep_their_shape() -> None:
    body = b'{"email":"Ada.L@x.example","amount":-42.10,"paid":true,"none":null,"list":[1,"a"]}'
    assert json.loads(mask_body(body)) == {
        "email": "xxx.x@x.xxxxxxx", "amount": -99.99, "paid": "bool", "none": None, "list": [9, "x"],
    }  # fmt: skip
    assert mask_text("Grüße 17") == "xxxxx 99"
    assert mask_body(b"\xff\xfe\x00") == b"\0\0\0"


def test_nothing_of_a_masked_exchange_is_left() -> None:
    exchange = make_exchange(
        url="https://x.example/secret/path?token=hunter2",
        request_headers=(("x-name", "Ada"), ("content-type", "application/json")),
        response_headers=(("content-encoding", "gzip"), ("set", "Ada")),
        response_body=gzip.compress(b'{"name":"Ada"}'),
    )
    masked = mask_exchange(exchange)
    assert masked.url == "https://x.example/xxxxxx/xxxx?xxxxx=xxxxxx9"
    assert masked.request_headers == (("x-name", "xxx"), ("content-type", "application/json"))
    assert masked.response_headers == (("content-encoding", "identity"), ("set", "xxx"))
    assert masked.response_body == b'{"name":"xxx"}'


@settings(max_examples=100)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda c: st.lists(c) | st.dictionaries(st.text(), c)))  # fmt: skip
def test_masked_json_is_json(value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if is_text(body):
        json.loads(mask_body(body).decode("utf-8", "surrogatepass"))


# Searching


class Shown(App[None]):
    """One payload."""

    def __init__(self, tree: JsonTree) -> None:
        super().__init__()
        self.tree_shown = tree

    def compose(self) -> ComposeResult:
        yield self.tree_shown


async def test_a_search_goes_through_keys_and_values_and_unfolds_what_hides_them() -> None:
    deep: Any = "needle at the end"
    for n in range(30):
        deep = {"level": n, "in": deep}
    tree = JsonTree(json.dumps({"Needle": 1, "many": [{"n": n} for n in range(1200)] + ["a needle"], "deep": deep}))
    async with Shown(tree).run_test(size=(60, 20)):
        assert tree.find("NEEDLE") == 3
        assert tree.current_path == "Needle"
        assert tree.go_to_match(1) == 2
        assert tree.current_path == "many[1200]"
        assert tree.go_to_match(1) == 3
        assert tree.current_text == "needle at the end"
        assert tree.go_to_match(1) == 1
        assert tree.go_to_match(-1) == 3
        assert tree.find("nothing like it") == 0
        assert tree.go_to_match(1) == 0
        assert tree.find("") == 0
        tree.show(b"no JSON\nbut a needle\nhere")
        assert tree.find("needle") == 1
        assert tree.cursor == 1
        tree.show(b"17")
        assert (tree.find("7"), tree.cursor) == (1, 0)


@settings(max_examples=100)
@given(
    st.recursive(st.integers() | st.text(max_size=4), lambda c: st.lists(c) | st.dictionaries(st.text(max_size=3), c)),
    st.text(min_size=1, max_size=2),
)
def test_each_match_is_where_it_says(value: Any, text: str) -> None:
    parsed = json_value.parse(json.dumps(value, ensure_ascii=False))
    paths = list(json_value.find(parsed, text.casefold()))
    assert paths == sorted(paths)
    for path in paths if json_value.is_foldable(parsed) else ():
        found: Any = parsed
        key: object = ""
        for position in path:
            key, found = next(json_value.children(found, position, position + 1))
        in_value = not json_value.is_foldable(found) and text.casefold() in json_value.written(found).casefold()
        assert in_value or text.casefold() in str(key).casefold()
