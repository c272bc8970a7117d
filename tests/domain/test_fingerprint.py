"""Which failures are the same error: what a person would say, over what varies in real answers."""

import gzip
import json
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.fingerprint import HEAD_BYTES, NO_TEXT, OTHERS, WORDS_MAX, _unpacked, fingerprint

MOMENTS = st.datetimes(datetime.fromisoformat("2001-01-01"), datetime.fromisoformat("2099-01-01"))
IDS = st.one_of(
    st.integers(0, 10**18).map(str),
    st.uuids().map(str),
    st.binary(min_size=8, max_size=20).map(lambda b: "0x" + b.hex()),
    st.integers(0, 10**9).map(lambda n: f"req_{n:x}7"),
    MOMENTS.map(lambda d: d.isoformat(timespec="milliseconds") + "Z"),
    MOMENTS.map(lambda d: d.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.text("abcdefghij ._-", max_size=30).map(lambda text: f'"{text}"'),
    st.ip_addresses(v=4).map(lambda address: f"{address}:443"),
    st.just("ada.lovelace@example.com"),
)
TEMPLATES = (
    "no such customer {}",
    "order {} was refused by {}",
    "upstream connect error to {} after {}: try later",
    "lock wait timeout at {}; transaction rolled back",
    "at {}: internal error (ref {})",
)
SHAPES: tuple[Any, ...] = (
    lambda text: text.encode(),
    lambda text: f"{text}\n  at line 12\n  at line 99".encode(),
    lambda text: json.dumps({"error": {"message": text, "code": "card_declined"}}).encode(),
    lambda text: json.dumps({"message": text, "request_id": text, "at": 12}).encode(),
    lambda text: f"<!doctype html><html><head><title>{text}</title></head><body>{text * 2}".encode(),
)


@given(template=st.sampled_from(TEMPLATES), shape=st.sampled_from(SHAPES), one=IDS, other=IDS, third=IDS, fourth=IDS)
def test_what_varies_makes_no_other_error(
    template: str, shape: Any, one: str, other: str, third: str, fourth: str
) -> None:
    a, b = shape(template.format(one, other)), shape(template.format(third, fourth))
    assert fingerprint(a, "HTTP 500") == fingerprint(b, "HTTP 500")


def test_other_words_are_another_error() -> None:
    seen = {
        fingerprint(shape(template.format("7", "8")), "HTTP 500").key for shape in SHAPES[:1] for template in TEMPLATES
    }
    assert len(seen) == len(TEMPLATES)


@given(body=st.binary(max_size=4096), detail=st.text(max_size=300))
def test_any_bytes_have_one_line_of_words_and_a_key(body: bytes, detail: str) -> None:
    found = fingerprint(body, detail)
    assert OTHERS < found.key < 2**63
    assert 0 < len(found.words) <= WORDS_MAX
    assert "\n" not in found.words
    assert found == fingerprint(body[:HEAD_BYTES] + b"tail" * (len(body) > HEAD_BYTES), detail)


@given(
    st.permutations([("message", "no stock of 7"), ("code", "out_of_stock"), ("type", "inventory"), ("at", "12:01")])
)
def test_the_order_of_fields_says_nothing(fields: list[tuple[str, str]]) -> None:
    assert fingerprint(json.dumps(dict(fields)).encode(), "").words == "inventory: out_of_stock: no stock of …"


def test_where_an_answer_is_cut_says_nothing() -> None:
    short = json.dumps({"error": {"message": "no stock"}}).encode()
    long = json.dumps({"error": {"message": "no stock"}, "trace": ["frame 1"] * 1000}).encode()
    assert fingerprint(short, "") == fingerprint(long, "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":"invalid_request","error_description":"no such order 42"}', "invalid_request: no such order …"),
        (b'{"code":1042,"message":"bad"}', "1042: bad"),
        (b'{"detail":[{"loc":["body","x"],"msg":"field required","type":"missing"}]}', "missing: field required"),
        (b'{"errors":["name is taken"]}', "name is taken"),
        (b'{"ok":false,"why":"no stock of 55"}', "{ok:false,why:no stock of …}"),
        (b'"try again in 30 s"', "try again in … s"),
        (b"<html><title>502 Bad Gateway</title>", "… Bad Gateway"),
        (b"<h1>Not &amp; Found</h1>", "Not & Found"),
        (b"<p>Service <b>Unavailable</b></p>", "Service Unavailable"),
        (b"<s:Fault><faultstring>Denied</faultstring></s:Fault>", "Denied"),
        (b"Internal Server Error\nreq 1234", "Internal Server Error"),
        (b"it's down, isn't it", "it's down, isn't it"),
        (b"missing: a1, b2, c3", "missing: …"),
    ],
)
def test_the_words_are_the_receivers_own(body: bytes, words: str) -> None:
    assert fingerprint(body, "HTTP 500").words == words


@pytest.mark.parametrize("body", [b"", b" \n", b"\0\1\2", b"\x1f\x8bzip", b"\xff\xfe\xfd\xfc"])
def test_an_answer_without_text_says_so_and_a_failure_without_an_answer_what_failed(body: bytes) -> None:
    assert fingerprint(body, "HTTP 503").words == NO_TEXT
    detail = "connect to 10.0.0.1:443: Connection refused (os error 111)"
    assert fingerprint(body, detail).words == "connect to …: Connection refused (os error …)"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_was_compressed_is_told_by_what_it_says(pack: Callable[[bytes], bytes]) -> None:
    plain = b'{"error":"no stock of 7"}'
    assert fingerprint(pack(plain), "HTTP 500").key == fingerprint(plain, "HTTP 500").key
    long = b"<title>Bad Gateway</title>" + bytes(random.Random(1).choices(b"abcdef", k=100_000))
    assert fingerprint(pack(long), "HTTP 500").words == "Bad Gateway", "its beginning is enough"
    bomb = pack(b"a" * 50_000_000)
    assert len(_unpacked(bomb[:HEAD_BYTES])) == HEAD_BYTES
    assert fingerprint(b"x^ is damaged", "").words == "x^ is damaged"


def test_codes_tell_errors_apart() -> None:
    assert fingerprint(b'{"code":1,"message":"x"}', "").key != fingerprint(b'{"code":2,"message":"x"}', "").key


def test_the_key_is_the_same_in_another_process() -> None:
    code = "from console.domain.fingerprint import fingerprint as f; print(f(b'no stock of 7', '').key)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(said) == fingerprint(b"no stock of 8", "").key
