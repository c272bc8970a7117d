"""Schemas: what may be one, which one counts for a type, and where a payload does not match, in bounded time."""

import json
import socket
import time
from typing import Any

import pytest

from console.domain.errors import InvalidInputError
from console.domain.event_schema import EventSchema, Flaw, SchemaId, SchemaMode
from console.domain.schema_check import SCHEMA_CAP_BYTES, check_schema_text, flaw_of, schema_for

GUARD_S = 30.0
"""Nothing here takes more than a second; what runs away takes longer than anybody waits."""


def make_schema(schema: Any, pattern: str = "invoice.*", **parts: Any) -> EventSchema:
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    fields: dict[str, Any] = {
        "id": SchemaId(1),
        "version": 3,
        "mode": SchemaMode.REJECT,
        "created_at_ms": 0,
        "pattern": pattern,
        "text": check_schema_text(text),
    }
    return EventSchema(**(fields | parts))


def flaw(schema: Any, value: Any) -> Flaw | None:
    return flaw_of(make_schema(schema), value if isinstance(value, bytes) else json.dumps(value).encode())


def refusal(schema: Any) -> str:
    with pytest.raises(InvalidInputError) as refused:
        make_schema(schema)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 500
    return message


INVOICE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "data": {"properties": {"amount": {"type": "integer", "minimum": 1}}},
        "lines": {"items": {"properties": {"sku": {"pattern": "^[a-z]+$"}}}},
        "payer": {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"mail": {"format": "email"}}}]},
    },
}


@pytest.mark.parametrize(
    ("payload", "path", "reason"),
    [
        ({"id": 1, "data": {"amount": "x"}}, "data.amount", '"x" is not of type "integer"'),
        ({"id": 1, "data": {"amount": 0}}, "data.amount", "0 is less than the minimum of 1"),
        ({"id": 1, "lines": [{}, {}, {}, {"sku": "A"}]}, "lines[3].sku", '"A" does not match "^[a-z]+$"'),
        ({"id": 1, "payer": {"mail": "nobody"}}, "payer.mail", '"nobody" is not a "email"'),
        ({}, "", '"id" is a required property'),
        ([1, 2], "", 'a list of 2 is not of type "object"'),
    ],
)
def test_a_flaw_says_where_and_why(payload: Any, path: str, reason: str) -> None:
    found = flaw(INVOICE, payload)
    assert found == Flaw(path=path, reason=reason, pattern="invoice.*", version=3)
    assert str(found) == f"{path or 'payload'}: {reason} (schema invoice.* v3)"


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b'{"5":1}', '["5"]'),
        (b'{"1":null,"05":1}', '["05"]'),
        (b'{"+5":1}', '["+5"]'),
        (b'{"":{"a":1}}', ""),
        (b'{"a":{"":1}}', "a"),
        (b'{"9999999999999999999999":1}', '["9999999999999999999999"]'),
    ],
)
def test_keys_that_look_like_numbers_or_are_empty_have_a_place(payload: bytes, path: str) -> None:
    found = flaw({"additionalProperties": {"type": ["null", "object"], "additionalProperties": False}}, payload)
    assert found is not None
    assert found.path == path


def test_what_matches_has_no_flaw() -> None:
    assert flaw(INVOICE, {"id": 1, "data": {"amount": 5}, "payer": None}) is None


def test_what_a_flaw_shows_of_a_payload_is_short_and_one_line() -> None:
    for value in ("x\n\x1b[2J" * 10_000, 10**4000, ["y"] * 1000, {"k" * 5000: 1}):
        found = flaw({"properties": {"a": {"type": "boolean"}}}, {"a": value})
        assert found is not None
        assert str(found).isprintable()
        assert len(str(found)) < 200
    found = flaw({"additionalProperties": False}, {"new\nline\x1b[2J" * 500: 1})
    assert found is not None
    assert str(found).isprintable()
    assert len(str(found)) < 400
    found = flaw({"additionalProperties": {"type": "null"}}, {"new\nline" * 500: {"a": 1}})
    assert found is not None
    assert str(found).isprintable()
    assert len(str(found)) < 400


def test_the_most_specific_pattern_counts_and_the_retired_never() -> None:
    schemas = [
        make_schema(True, pattern)
        for pattern in ("*", "invoice.*", "invoice.line.*", "invoice.paid", "webhook.*", "other")
    ]

    def pattern(event_type: str) -> str | None:
        found = schema_for(schemas, event_type)
        return found.pattern if found else None

    assert pattern("invoice.paid") == "invoice.paid"
    assert pattern("invoice.open") == "invoice.*"
    assert pattern("invoice.line.added") == "invoice.line.*"
    assert pattern("customer.new") == "*"
    assert pattern("webhook.endpoint.tripped") == "webhook.*"
    short = [make_schema(True, "a.b", version=1), make_schema(True, "a.*", version=2)]
    assert schema_for(short, "a.b") == short[0]
    assert schema_for([make_schema(True, "*", retired=True)], "customer.new") is None


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (b"", "empty"),
        (b"{", "schema is not JSON: "),
        (b'{"type": "string", "type": "object"}', "key type comes twice"),
        (b" " * 10 + b"[" * 200 + b"]" * 200, "nested deeper"),
        (b'"' + b"x" * SCHEMA_CAP_BYTES + b'"', "at most 262,144"),
        (12, 'is not of types "boolean", "object"'),
        ({"properties": {"a": {"type": "strin"}}}, "schema at properties.a.type"),
        ({"$schema": "http://127.0.0.1:9/mine"}, "Unknown meta-schema"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, 'schema at properties.a.$ref: "file:///etc/passwd"'),
        ({"anyOf": [{"$ref": "#"}, {"$ref": "other.json"}]}, "schema at anyOf[1].$ref"),
        ({"$dynamicRef": "http://example.com/x"}, "nothing is fetched"),
        (
            {"properties": {"a": {"pattern": "(?=a)b"}}},
            "schema at properties.a.pattern: no pattern that runs in linear",
        ),
        ({"pattern": r"(a)\1"}, "linear time"),
        ({"pattern": "((a{1000}){1000})"}, "linear time"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(schema: Any, says: str) -> None:
    assert says in refusal(schema)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        refusal({"$ref": f"http://127.0.0.1:{port}/schema.json"})
        refusal({"$schema": f"http://127.0.0.1:{port}/schema.json"})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_references_within_a_schema_and_to_the_standard_itself_are_good() -> None:
    named = {"$id": "https://example.com/a", "$ref": "b", "$defs": {"b": {"$id": "b", "type": "string"}}}
    assert flaw(named, "x") is None
    assert flaw(named, 1) is not None
    assert flaw({"$ref": "https://json-schema.org/draft/2020-12/schema"}, {"type": "strin"}) is not None


def test_drafts_are_read_by_their_own_rules() -> None:
    draft_4 = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True}
    assert flaw(draft_4, 1) is not None
    assert "exclusiveMinimum" in refusal({"minimum": 1, "exclusiveMinimum": True})


def within_guard(schema: Any, payload: bytes) -> Flaw | None:
    started = time.process_time()
    found = flaw(schema, payload)
    assert time.process_time() - started < GUARD_S
    return found


def deep(levels: int, leaf: bytes = b'{"b":1}') -> bytes:
    return b'{"a":' * levels + leaf + b"}" * levels


def test_patterns_take_linear_time() -> None:
    assert within_guard({"pattern": "^(a+)+$"}, b'"' + b"a" * 900_000 + b'!"') is not None
    assert within_guard({"pattern": "(x+x+)+y"}, b'"' + b"x" * 900_000 + b'"') is not None


def test_a_schema_that_refers_to_itself_decides_deep_payloads_soon() -> None:
    twice = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    tree = {"type": "object", "properties": {"a": twice, "b": {"type": "string"}}}
    found = within_guard(tree, deep(100))
    assert found is not None
    assert "refers to itself" in found.reason
    assert within_guard(tree, deep(100, b'{"b":"x"}')) is None
    found = within_guard(tree, deep(4))
    assert found is not None
    assert found.path == "a.a.a.a.b"
    chain = {"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}}
    found = within_guard(chain, deep(20))
    assert found is not None
    assert found.path == "a." * 20 + "b"


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"not": {"$ref": "#"}}])
def test_a_schema_that_is_only_itself_ends(schema: Any) -> None:
    within_guard(schema, b"1")


def test_a_schema_that_unfolds_without_end_is_refused() -> None:
    doubled = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)}
    assert "parts when its references are followed" in refusal(
        {"$ref": "#/$defs/d0", "$defs": {**doubled, "d30": {"type": "string"}}}
    )
    named = {f"d{n}": {"$anchor": f"n{n}", "allOf": [{"$ref": f"#n{n + 1}"}] * 2} for n in range(30)}
    assert "parts when" in refusal({"$ref": "#n0", "$defs": {**named, "d30": {"$anchor": "n30"}}})


def test_more_values_than_a_large_schema_can_be_held_against_are_a_flaw() -> None:
    options = [{"a": number} for number in range(1000)]
    found = within_guard({"items": {"enum": options}}, b"[" + b'{"a":999},' * 40_000 + b"1]")
    assert found is not None
    assert "too many for a schema of 2," in found.reason
    assert (
        within_guard({"items": {"enum": [str(n) for n in range(9000)]}}, b"[" + b'"8999",' * 90_000 + b'"1"]') is None
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[" * 5000, "is nested deeper than 128 levels"),
        (b"[" * 129 + b"]" * 129, "is nested deeper than 128 levels"),
        (b'{"a":1,"a":2}', "is ambiguous: key a comes twice"),
        (b"1e999", "is beyond what decoders read: Number out of range"),
        (b'"\\ud800"', "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"", "is not JSON: "),
    ],
)
def test_what_is_not_strict_json_is_a_flaw(payload: bytes, reason: str) -> None:
    found = flaw(True, payload)
    assert found is not None
    assert found.reason.startswith(reason)
