import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError, TransformError
from console.domain.template_helpers import FILTERS, FUNCTIONS, TESTS
from console.domain.templating import check_filter, check_transform, render, wants
from console.domain.transform import Rendered, Subject, Transform

URL = "https://crm.example.com/v1/hook?key=1"
PAYLOAD: dict[str, Any] = {
    "amount": 4200,
    "currency": "eur",
    "customer": {"name": "Jörg & <Co>", "email": None, "items": 7},
    "lines": [{"sku": "a", "count": 3}, {"sku": "b", "count": 1}],
    "created": 1764370000,
    "big": 123456789012345678901234,
    "no": False,
}


def subject(payload: Any = PAYLOAD) -> Subject:
    return Subject(
        event_id="evt_1",
        event_type="invoice.paid",
        accepted_at_ms=1764370000000,
        payload=json.dumps(payload).encode(),
        endpoint_name="crm",
    )


def made(template: str, payload: Any = PAYLOAD) -> str:
    """What a body template makes, as plain text."""
    transform = check_transform(Transform(body=template, content_type="text/plain"))
    return render(transform, subject(payload), URL).body.decode()


def rendered(**parts: Any) -> Rendered:
    return render(check_transform(Transform(**parts)), subject(), URL)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ payload.customer.name | slack }}", "Jörg &amp; &lt;Co&gt;"),
        ("{{ payload.amount | money(payload.currency) }}", "42.00 EUR"),
        ("{{ 4200 | money('jpy') }} {{ '5' | money('KWD') }} {{ -5 | money('USD') }}", "4200 JPY 0.005 KWD -0.05 USD"),
        ("{{ payload.created | date('%-d %b %Y %H:%M %Z', 'Europe/Berlin') }}", "28 Nov 2025 23:46 CET"),
        ("{{ (payload.created * 1000) | iso }}", "2025-11-28T22:46:40Z"),
        ("{{ '2026-01-02T03:04:05.25+02:00' | iso }}", "2026-01-02T01:04:05.250Z"),
        ("{{ event.id }} {{ event.type }} {{ event.accepted_at }} {{ endpoint.name }}",
         "evt_1 invoice.paid 2025-11-28T22:46:40Z crm"),
        ("{{ payload.zzz | default('x') }}{{ payload.customer.email | default('y') }}", "xy"),
        ("{{ payload.no }} {{ payload.customer.email }} {{ payload.lines[0] }}", 'false null {"sku":"a","count":3}'),
        ("{{ payload.big }} {{ payload.big | tojson }}", "123456789012345678901234 123456789012345678901234"),
        ("{{ payload.customer.items }} {{ payload.lines.1.sku }} {{ payload['currency'][:2] }}", "7 b eu"),
        ("{% for l in payload.lines if l.count > 1 %}{{ loop.index }}{{ l.sku }}{% else %}none{% endfor %}", "1a"),
        ("{% for k, v in payload.lines[0] | items %}{{ k }}={{ v }};{% endfor %}", "sku=a;count=3;"),
        ("{{ payload.lines | map('sku') | join('+') }} {{ payload.lines | sum('count') }}", "a+b 4"),
        ("{{ payload.lines | sort('count') | first | tojson }}", '{"sku":"b","count":1}'),
        ("{{ payload.lines | where('sku', 'b') | length }}", "1"),
        ("{% set n = payload.customer.name ~ '!' %}{{ n | truncate(5) | html }}", "Jörg…"),
        ("{% set x %}<{{ payload.amount }}>{% endset %}{{ x }}{{ x | html }}", "<4200>&lt;4200&gt;"),
        ("{% if payload.zzz %}a{% elif payload.zzz == 1 %}b{% else %}c{% endif %}", "c"),
        ("{{ 'y' if payload.zzz is defined else 'n' }}{{ payload.customer.email is none }}", "ntrue"),
        ("a{# c #}b{% raw %}{{ x }}{% endraw %}  {{- 1 -}}   z\n", "ab{{ x }}1z\n"),
        ("{{ 7 // 2 }} {{ 7 % 4 }} {{ 1 / 4 }} {{ 2 ** 3 }} {{ 1 + 2 * 3 }} {{ -3 | abs }}", "3 3 0.25 8 7 3"),
        ("{{ 'a=1&ü' | urlencode }} {{ {'a b': 'c/d', 'e': 1} | urlencode }}", "a%3D1%26%C3%BC a%20b=c%2Fd&e=1"),
        ("{{ 'test' | sha256 | truncate(8, '') }} {{ 'test' | md5 }}", "9f86d081 098f6bcd4621d373cade4e832627b4f6"),
        ("{{ '[1, 2]' | fromjson | last }} {{ 'ä' | b64encode }}", "2 w6Q="),
        ("{{ 'x, y' | split(', ') | tojson }}", '["x","y"]'),
        ("{{ '3' | int + 1 }} {{ 'x' | int(0) }} {{ 2.345 | round(1) }} {{ range(2) }}", "4 0 2.3 [0,1]"),
        (r"""{{ "a\n\"\\é\u00e9" }}""", 'a\n"\\éé'),
    ],
)  # fmt: skip
def test_what_templates_make(template: str, text: str) -> None:
    assert made(template) == text


@pytest.mark.parametrize(
    ("template", "line", "column", "words"),
    [
        ("{{ payload.zzz }}", 1, 4, "payload.zzz is missing"),
        ("\n é {{ payload.customer.zzz | lower }}", 2, 7, "payload.customer.zzz is missing"),
        ("ok\n{% for x in payload.zzz %}{% endfor %}", 2, 13, "payload.zzz is missing"),
        ("{{ payload.amount + payload.zzz }}", 1, 21, "payload.zzz is missing"),
        ("{% if payload.amount > 'a' %}{% endif %}", 1, 22, "a number cannot be compared with text"),
        ("{{ 'x' * 3 }}", 1, 8, "a number is needed, not text"),
        ("{{ payload.amount | date('%Q') }}", 1, 21, "date: %Q is not offered"),
        ("{{ 'tomorrow' | iso }}", 1, 17, "iso: 'tomorrow' is no date"),
        ("{{ 1 / 0 }}", 1, 6, "division by zero"),
    ],
)
def test_what_fails_at_run_time_says_where(template: str, line: int, column: int, words: str) -> None:
    with pytest.raises(TransformError) as caught:
        made(template)
    assert (caught.value.part, caught.value.line, caught.value.column) == ("transform body", line, column)
    assert str(caught.value).startswith(f"transform body, line {line}, column {column}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("template", "where", "words"),
    [
        ("{{ payload.amount }", "line 1, column 1", "no end"),
        ("x\n{{ foo }}", "line 2, column 4", "foo is not known"),
        ("{{ payload.clear() }}", "line 1, column 11", "methods are not offered: write `payload | clear`"),
        ("{{ payload | nope }}", "line 1, column 14", "no helper 'nope'"),
        ("{{ payload is nope }}", "line 1, column 15", "no test 'nope'"),
        ("{{ payload | money }}", "line 1, column 14", "write it as"),
        ("{% macro x() %}{% endmacro %}", "line 1, column 4", "macros"),
        ("{% include 'x' %}", "line 1, column 4", "other templates"),
        ("{% if payload %}", "line 1, column 1", "no endif"),
        ("{% endfor %}", "line 1, column 4", "without its beginning"),
        ("{{ 1 < 2 < 3 }}", "line 1, column 10", "a < b and b < c"),
        ("{{ _p }}", "line 1, column 4", "no variable"),
        ("{{ loop.index }}", "line 1, column 4", "not known"),
        ("{{ namespace(x=1) }}", "line 1, column 4", "no function"),
        ("{{ 1 2 }}", "line 1, column 6", "not expected"),
        ("{{ }}", "line 1, column 4", "a value is needed"),
        ("x" * 40_000, "line 1, column 1", "at most 32,768"),
    ],
)
def test_what_is_wrong_with_a_template_is_said_when_it_is_written(template: str, where: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^transform body, {where}: ") as caught:
        check_transform(Transform(body=template))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('payload.amount > 1000 and payload.currency == "eur"', True),
        ("payload.amount < 1000 or payload.currency != 'eur'", False),
        ("payload.zzz < 5", False),
        ("payload.zzz.y > 5", False),
        ("payload.zzz + 1 < 5", False),
        ("payload.zzz", False),
        ("not payload.zzz", True),
        ("payload.zzz is defined", False),
        ("payload.zzz | lower == 'x'", False),
        ("payload.zzz | default(9) > 5", True),
        ("payload.amount < 'a'", False),
        ("'x' in payload.zzz", False),
        ("payload.currency in ['eur', 'usd'] and payload.customer.email is none", True),
        ("payload.lines | length == 2 and event.type is startingwith 'invoice.'", True),
        ("payload.no == false and not (payload.no == 0)", True),
        ("endpoint.name not in ('a', 'b')", True),
    ],
)
def test_a_filter_is_false_for_what_is_missing(text: str, wanted: bool) -> None:
    assert wants(check_filter(text), subject()) is wanted


def test_what_is_wrong_with_a_filter_says_where() -> None:
    for text, where in (("payload.amount >", "column 17"), (" ", "column 1"), ("payload.a\n= 1", "line 2, column 1")):
        with pytest.raises(InvalidInputError, match=f"^filter, .*{where}"):
            check_filter(text)
    with pytest.raises(TransformError, match=r"^filter, line 1, column 17: lower: text is needed, not a list"):
        wants("payload.lines | lower == 'x'", subject())


def test_a_request_is_made_of_every_part() -> None:
    request = rendered(
        body='{"name": {{ payload.customer.name | tojson }}}',
        headers=(("X-Amount", " {{ payload.amount }}\n"), ("X-None", "{{ payload.zzz | default }}")),
        path="/contacts/{{ payload.customer.name | urlencode }}?a=1",
        method="{{ 'PUT' if payload.amount else 'POST' }}",
    )
    assert request.url == "https://crm.example.com/contacts/J%C3%B6rg%20%26%20%3CCo%3E?a=1"
    assert (request.method, request.headers) == ("PUT", (("X-Amount", "4200"),))
    assert json.loads(request.body) == {"name": PAYLOAD["customer"]["name"]}
    assert request.content_type == "application/json"


def test_without_a_part_it_stays_as_it_is() -> None:
    request = rendered(content_type="text/plain")
    assert (request.url, request.method, request.headers) == (URL, "POST", ())
    assert (request.body, request.content_type) == (subject().payload, "application/json")


@pytest.mark.parametrize(
    "path", ["//evil", "x", "/../a", "/a/..", "/%2e%2E/a", "/a b", "/é", "https://e", "\\\\e", "/#a", "/" + "a" * 2048]
)
def test_a_path_leads_nowhere_else(path: str) -> None:
    with pytest.raises(TransformError, match=r"^transform path"):
        rendered(path="{{ " + json.dumps(path) + " }}")
    assert rendered(path="/@evil:80/..a").url == "https://crm.example.com/@evil:80/..a"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"headers": (("x-a", "{{ payload.customer.name }}"),)}, "transform header x-a: .*printable ASCII"),
        ({"headers": (("x-a", "a\nb"),)}, "transform header x-a: "),
        ({"method": "GET"}, "transform method: it makes 'GET'"),
        ({"body": '{"a": {{ payload.customer.name }}}'}, "not JSON at line 1, column 7 .*tojson"),
        ({"body": "{{ payload.zzz | default }}"}, "transform body: not JSON"),
        ({"body": "{{ payload }} {"}, "transform body: not JSON"),
        ({"body": "[NaN]", "content_type": "application/vnd.x+json; charset=utf-8"}, "not JSON"),
    ],
)
def test_what_cannot_be_sent_is_an_error(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(TransformError, match=words):
        rendered(**parts)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"headers": (("Webhook-Id", "1"),)}, "is set by the engine"),
        ({"headers": (("content-type", "1"),)}, "is set by the engine"),
        ({"headers": (("a b", "1"),)}, "header name"),
        ({"headers": (("x-a", "1"), ("X-A", "2"))}, "more than once"),
        ({"headers": (("X-Api-Key", "s3cret"),)}, "give it with --header instead"),
        ({"headers": (("x-a", "{{"),)}, "^transform header x-a, line 1, column 1"),
        ({"content_type": "json"}, "content-type"),
        ({"content_type": "a/b\r\nx: y"}, "content-type"),
        ({"path": "{{ 1"}, "^transform path, "),
        ({"method": "{{ 1"}, "^transform method, "),
    ],
)
def test_what_an_operator_may_not_write_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        check_transform(Transform(**parts))


def test_a_payload_that_cannot_be_read_is_an_error_and_not_a_crash() -> None:
    for raw in (b"", b"{", b"[" * 5000 + b"]" * 5000, b"\xff"):
        told = Subject(event_id="e", event_type="t", accepted_at_ms=0, payload=raw, endpoint_name="n")
        with pytest.raises(TransformError, match="the payload cannot be read"):
            wants("true", told)


def test_each_helper_is_told_of() -> None:
    for helper in (*FILTERS.values(), *FUNCTIONS.values(), *TESTS.values()):
        assert helper.name in helper.form, helper.name
        assert helper.help.endswith(".") or helper.form, helper.name


NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
@example({"items": 1, "</script>": "\u2028{{ x }}{%"})
def test_a_payload_goes_through_tojson_as_it_is(payload: Any) -> None:
    raw = json.dumps(payload)
    transform = Transform(body='{"all": {{ payload | tojson }}, "one": {{ [payload] | tojson }}}')
    told = Subject(event_id="e", event_type="t", accepted_at_ms=0, payload=raw.encode(), endpoint_name="n")
    body = render(transform, told, URL).body
    assert json.loads(body) == {"all": payload, "one": [payload]}
    assert render(transform, told, URL).body == body


_WORDS = """
    {{ }} {% %} {# #} {%- -}} if else elif endif for in endfor set endset raw endraw payload . amount lines [ ] ( )
    0 1 -1 'a' "b" | tojson join sort date money('EUR') + - * / // % ** ~ == < > and or not is defined none , :
    { } = loop.index x é \\ break range(3) default"""
WORDS = st.sampled_from(_WORDS.split())


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS | st.text(max_size=3), max_size=25).map(" ".join) | st.text(max_size=60))
@example("{{ '\\ud800' }}")
@example("{{ '\ud800' }}")
@example("{{ 1e999 }}")
@example("0|")
@example("f( =")
@example("\0{{ 1 }}")
@example("{{{ 1 }}}")
@example("{{ {'a': {'b': 1}}.a.b }}")
def test_no_text_does_harm(text: str) -> None:
    for check in (lambda: made(text), lambda: made(f"{{{{ {text} }}}}"), lambda: wants(check_filter(text), subject())):
        said = ""
        try:
            check()
        except (InvalidInputError, TransformError) as error:
            said = str(error)
        assert "\n" not in said
