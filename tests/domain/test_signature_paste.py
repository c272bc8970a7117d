"""What people paste of a request, in each form, and that no bytes make it fail in another way than it says."""

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.signature_paste import parse_paste
from console.ui.curl import as_curl

HEADERS = (("webhook-id", "evt_1"), ("webhook-timestamp", "1614265330"), ("webhook-signature", "v1,ab+/c="))
BODY = '{"note":"it\'s 100% Grüße\\n","a":1}'.encode()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("first", [b"", b"POST /hook HTTP/1.1\n"])
@pytest.mark.parametrize("after", [b"", b"\n"])
def test_a_raw_request(end: bytes, first: bytes, after: bytes) -> None:
    head = b"".join(f"{name}: {value}".encode() + end for name, value in HEADERS)
    received = parse_paste(first + head + end + BODY + after)
    assert (received.headers, received.body) == (HEADERS, BODY)


def test_the_length_says_whether_a_line_break_belongs_to_the_body() -> None:
    for body in (BODY, BODY + b"\n"):
        paste = b"Content-Length: %d\nwebhook-id: evt_1\n\n%s" % (len(body), body + b"\n")
        assert parse_paste(paste).body == body


def test_what_curl_v_shows() -> None:
    paste = b"> POST /hook HTTP/1.1\n> webhook-id: evt_1\n>\n\n" + BODY
    assert parse_paste(paste).headers == HEADERS[:1]


@pytest.mark.parametrize(
    "command",
    [
        "curl 'http://x/' \\\n -H 'webhook-id: evt_1' --header='a: b' --data-raw '{\"a\": 1}'",
        'curl -X POST http://x/ -H"webhook-id: evt_1" -H "a: b" -d \'{"a": 1}\'',
        "curl http://x/ -H 'webhook-id: evt_1' -H 'a: b' --data-binary $'{\"a\"\\u003a 1}'",
    ],
)
def test_a_curl_command(command: str) -> None:
    received = parse_paste(command.encode())
    assert received.headers == (("webhook-id", "evt_1"), ("a", "b"))
    assert received.body == b'{"a": 1}'


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80))
@example(BODY)
@example(b"@x")
@example(b"\x00\x01%s\\%")
def test_the_curl_that_the_inspector_copies_is_read_as_it_was(body: bytes) -> None:
    received = parse_paste(as_curl(HEADERS, "http://127.0.0.1:9/hook", body).encode("utf-8", "surrogateescape"))
    assert received.body == body
    assert received.headers[:3] == HEADERS


@pytest.mark.parametrize("headers", [dict(HEADERS), [list(pair) for pair in HEADERS]])
def test_json(headers: object) -> None:
    received = parse_paste(json.dumps({"headers": headers, "body": BODY.decode(), "computed": "v1,x"}).encode())
    assert (received.headers, received.body, received.computed) == (HEADERS, BODY, "v1,x")
    encoded = parse_paste(json.dumps({"headers": headers, "body_base64": base64.b64encode(BODY).decode()}).encode())
    assert encoded.body == BODY


@pytest.mark.parametrize(
    ("paste", "words"),
    [
        (b"", "nothing was pasted"),
        (b"{", "begins like JSON"),
        (b'{"headers": {}}', '"body"'),
        (b'{"headers": {}, "body": {"a": 1}}', "must be a string"),
        (b'{"headers": 7, "body": ""}', "an object, or a list of pairs"),
        (b"hello there\n\nbody", "line 1 is no header"),
        (b"curl 'http://x", "no closing quotation"),
        (b"curl http://x -d @body.json", "is not here"),
    ],
)
def test_what_is_none_of_them_says_so(paste: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_paste(paste)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"curl ", b"printf 'a' | curl -d @- ", b"{", b'{"headers":', b"a: b\n\n", b"curl -d $'"]),
    st.binary(max_size=200),
)
def test_any_bytes_are_read_or_refused(beginning: bytes, rest: bytes) -> None:
    words = ""
    try:
        parse_paste(beginning + rest)
    except InvalidInputError as error:
        words = str(error)
    assert "\n" not in words
