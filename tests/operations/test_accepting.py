"""Loops are cut where they would be made, and copies keep the way of what they are copies of."""

from random import Random

import pytest

from console.domain.errors import InvalidInputError
from console.domain.event import NewEvent
from console.domain.event_schema import SchemaMode
from console.operations.endpoints import add_endpoint, edit_endpoint
from console.operations.resending import resend
from console.store import Store
from tests import factories
from tests.factories import NOW_MS, make_spec

OURS = "http://127.0.0.1:8400/in/shop"


@pytest.fixture
def listening(store: Store) -> Store:
    store.set_listening(["https://hooks.example.com", "http://127.0.0.1:8400"], NOW_MS)
    return store


def test_an_endpoint_that_points_back_here_is_refused_when_added_or_edited(listening: Store) -> None:
    with pytest.raises(InvalidInputError, match=r"own intake \(it listens on http://127\.0\.0\.1:8400\)"):
        add_endpoint(listening, make_spec(url=OURS), actor="ann", now_ms=NOW_MS, random=Random(1))
    assert listening.endpoints() == []
    endpoint = add_endpoint(listening, make_spec(), actor="ann", now_ms=NOW_MS, random=Random(1))
    edited = make_spec(url="https://hooks.example.com/v1/events")
    with pytest.raises(InvalidInputError, match="own intake"):
        edit_endpoint(listening, endpoint.id, edited, actor="ann", now_ms=NOW_MS, changed="url")
    assert listening.find_endpoint(endpoint.id).url == endpoint.url


def test_one_that_points_here_already_can_still_be_edited(listening: Store) -> None:
    endpoint = factories.add_endpoint(listening, url=OURS)
    spec = make_spec(url=OURS, types=("a",))
    assert edit_endpoint(listening, endpoint.id, spec, actor="ann", now_ms=NOW_MS, changed="types").types == ("a",)


def test_a_copy_keeps_its_way_and_is_held_against_its_schema(listening: Store) -> None:
    endpoint = factories.add_endpoint(listening)
    event = NewEvent(type="a", payload=b'{"n": 1}', hops=2, via="x/1, y/2")
    (accepted,) = listening.accept([event], NOW_MS)
    listening.add_schema("a", SchemaMode.REJECT, b'{"properties": {"n": {"type": "string"}}}', NOW_MS)
    with pytest.raises(InvalidInputError, match="own intake"):
        resend(listening, accepted.id, endpoint.id, actor="ann", now_ms=NOW_MS, url=OURS)
    resent = resend(listening, accepted.id, endpoint.id, actor="ann", now_ms=NOW_MS)
    copy = listening.event(resent.event_id)
    assert (copy.hops, copy.via) == (2, "x/1, y/2")
    assert copy.flaw is not None
    assert copy.flaw.path == "n"
