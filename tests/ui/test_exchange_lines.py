"""One attempt as lines: request, response, timings; whatever the body is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.outcome import Cause
from console.domain.policy import DeliveryPolicy
from console.ui.exchange_lines import exchange_lines
from console.ui.widgets.reading_view import wrap
from tests.factories import make_exchange
from tests.ui.inspected import HOSTILE
from tests.ui.test_explain import make_attempt


def text_of(attempt: Any, exchange: Any, policy: DeliveryPolicy | None = None) -> str:
    lines = exchange_lines(attempt, exchange, policy, 312)
    rows = [row for line in lines for row in wrap(line, 60)]
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_request_response_and_timings() -> None:
    shown = text_of(make_attempt(), make_exchange(), DeliveryPolicy(timeout_s=2))
    assert "REQUEST  POST http://127.0.0.1:9/hook" in shown
    assert "  content-type application/json" in shown
    assert "312 B, the payload byte for byte" in shown
    assert "RESPONSE  HTTP 500  from 127.0.0.1" in shown
    assert "of 2.0s timeout" in shown
    assert "  connect, TLS, waiting  ██████████████████     900ms" in shown
    assert "  body                                     ▄▄   100ms" in shown
    assert "  total                  ██████████░░░░░░░░░░    1.0s" in shown
    assert '{\n    "ok": true\n  }' in shown


def test_json_keeps_digits_order_and_doubled_keys() -> None:
    body = b'{"b":1.10,"a":[],"b":[1e400,{"x":{}}]}'
    shown = text_of(make_attempt(), make_exchange(response_body=body))
    assert (
        '    "b": 1.10,\n    "a": [],\n    "b": [\n      1e400,\n      {\n        "x": {}\n      }\n    ]\n  }' in shown
    )


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"response_body": b""}, "body empty"),
        ({"response_truncated": True}, "cut: only the first 16.0 KiB are kept"),
        ({"response_body": b"<html>\n<p>no"}, "  <html>\n  <p>no"),
        ({"response_body": HOSTILE.encode()}, "␛]52;c;"),
        ({"response_body": b"[" * 16_000}, "[[[["),
        ({"response_body": b"[" * 400 + b"]" * 400}, "[\n"),
    ],
)
def test_bodies(given: dict[str, Any], part: str) -> None:
    assert part in text_of(make_attempt(), make_exchange(**given))


def test_no_answer_and_nothing_recorded() -> None:
    refused = make_attempt(status=None, cause=Cause.REFUSED, detail="127.0.0.1:9 refused", first_byte_ms=None)
    shown = text_of(refused, make_exchange(response_headers=(), response_body=b""))
    assert "RESPONSE  none came" in shown
    assert "refused: 127.0.0.1:9 refused" in shown
    assert "connect, TLS, no answer" in shown
    under_way = make_attempt(ended_at_ms=None, status=None, cause=None, total_ms=None)
    assert "Under way" in text_of(under_way, None)
    unknown = make_attempt(status=None, cause=Cause.UNKNOWN_OUTCOME, total_ms=None)
    assert "Not recorded" in text_of(unknown, None)


@settings(max_examples=50)
@given(body=st.binary(max_size=200), value=st.text(max_size=50))
def test_any_bytes_give_clean_lines(body: bytes, value: str) -> None:
    shown = text_of(make_attempt(), make_exchange(response_body=body, response_headers=(("x", value),)))
    assert all(c == "\n" or (c >= " " and not "\x7f" <= c < "\xa0") for c in shown)
