"""Schemas as operators keep them, and what they do to events on their way in."""

import pytest

from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.event import Accepted, NewEvent
from console.domain.event_schema import EventSchema, SchemaMode
from console.domain.operation import OperationKind
from console.operations.accepting import Refusal, SchemaBook, accept
from console.operations.schemas import add_schema, find_schema, retire_schema
from console.store import Store
from tests.factories import NOW_MS

AMOUNT = b'{"properties": {"amount": {"type": "integer"}}}'
GOOD, BAD = b'{"amount": 1}', b'{"amount": "x"}'


def add(
    store: Store, pattern: str = "invoice.*", text: bytes = AMOUNT, mode: SchemaMode = SchemaMode.REJECT
) -> EventSchema:
    return add_schema(store, pattern, text, mode, actor="ann", now_ms=NOW_MS)


def event(payload: bytes, type_: str = "invoice.paid") -> NewEvent:
    return NewEvent(type=type_, payload=payload)


def test_versions_follow_each_other_and_are_audited(store: Store) -> None:
    add(store)
    second = add(store, text=b"  true\n", mode=SchemaMode.FLAG)
    assert (second.version, second.text) == (2, b"true")
    assert [one.version for one in store.schemas()] == [2]
    assert find_schema(store, "invoice.*").version == 2
    assert find_schema(store, "invoice.*", 1).text == AMOUNT
    retire_schema(store, "invoice.*", actor="bob", now_ms=NOW_MS, reason="no longer ours")
    assert store.schemas() == []
    assert find_schema(store, "invoice.*").retired
    retired, again, first = store.operations(limit=3)
    assert [one.kind for one in (first, again, retired)] == [
        OperationKind.SCHEMA_ADD, OperationKind.SCHEMA_ADD, OperationKind.SCHEMA_RETIRE,
    ]  # fmt: skip
    assert (first.actor, first.target, first.result) == ("ann", "schema invoice.*", "v1, reject")
    assert (retired.actor, retired.reason, retired.result) == ("bob", "no longer ours", "v2 retired")


def test_what_is_no_schema_or_no_pattern_changes_nothing(store: Store) -> None:
    for pattern, text in (("invoice.*", b"{"), ("invoice.*", b'{"$ref": "http://x/y"}'), ("in voice", AMOUNT)):
        with pytest.raises(InvalidInputError):
            add(store, pattern, text)
    assert store.schemas(retired=True) == []
    assert store.operations(limit=1) == []
    with pytest.raises(UnknownReferenceError):
        retire_schema(store, "invoice.*", actor="ann", now_ms=NOW_MS)
    with pytest.raises(UnknownReferenceError):
        find_schema(store, "invoice.*")


def test_events_are_refused_flagged_or_let_in_and_the_rest_of_a_batch_goes_on(store: Store) -> None:
    add(store)
    add(store, "order.*", mode=SchemaMode.FLAG)
    batch = [event(GOOD), event(BAD), event(BAD, "order.new"), event(BAD, "customer.new")]
    first, refused, flagged, unchecked = accept(store, batch, NOW_MS, SchemaBook())
    assert isinstance(refused, Refusal)
    assert str(refused) == 'amount: "x" is not of type "integer" (schema invoice.* v1)'
    assert isinstance(first, Accepted)
    assert isinstance(flagged, Accepted)
    assert isinstance(unchecked, Accepted)
    assert store.event(first.id).flaw is None
    assert store.event(unchecked.id).flaw is None
    flaw = store.event(flagged.id).flaw
    assert flaw is not None
    assert (flaw.path, flaw.pattern, flaw.version) == ("amount", "order.*", 1)


def test_a_change_of_schemas_counts_from_the_next_event_on(store: Store) -> None:
    book = SchemaBook()
    assert isinstance(accept(store, [event(BAD)], NOW_MS, book)[0], Accepted)
    add(store)
    assert isinstance(accept(store, [event(BAD)], NOW_MS, book)[0], Refusal)
    add(store, "invoice.paid", b"true")
    assert isinstance(accept(store, [event(BAD)], NOW_MS, book)[0], Accepted)
    retire_schema(store, "invoice.paid", actor="ann", now_ms=NOW_MS)
    assert isinstance(accept(store, [event(BAD)], NOW_MS, book)[0], Refusal)
