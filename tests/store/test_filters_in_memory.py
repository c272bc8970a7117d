"""A filter over rows in memory says what the store says of the same filter."""

import pytest

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import QueryError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.outcome import Cause
from console.domain.query import parse_query
from console.domain.query_rows import attempt_matches, endpoint_query, while_open
from console.store import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    claim_all,
    delivered,
    failed,
    make_event,
    retry,
    start_engine,
)

FILTERS = [
    "", "crm", "-endpoint:crm", "state:failed", "state:delivered", "state:delivered,failed", "status:5xx", "404",
    "-status:503", "cause:timeout_read,http_5xx", "-cause:http_5xx", "type:invoice.*", "type:*", "type:webhook.*",
    "attempts:>1", "attempts:1", "attempts:0..1", "since:2023-11-14T22:13:21Z", "until:2023-11-14T22:13:21Z",
    "delivery:dlv_000001", "delivery:1 attempts:2", "event:evt_one", "crm state:failed status:>=500 invoice attempts:2",
]  # fmt: skip


@pytest.fixture
def past(store: Store) -> Store:
    """Attempts of every kind, the last ones on their way."""
    crm = add_endpoint(store, name="crm", types=("invoice.*", "webhook.test"))
    add_endpoint(store, name="billing", types=("payment.*",))
    epoch = start_engine(store)
    store.accept([make_event(id="evt_one", type="invoice.paid"), make_event(type="payment.failed")], NOW_MS)
    attempt_all(store, epoch, retry(NOW_MS + 500), now_ms=NOW_MS)
    attempt_all(store, epoch, retry(NOW_MS + 900, Cause.TIMEOUT_READ, None), now_ms=NOW_MS + 600)
    attempt_all(store, epoch, delivered(), now_ms=NOW_MS + 1000)
    store.accept([make_event(type="invoice.paid"), make_event(type="payment.failed")], NOW_MS + 1500)
    attempt_all(store, epoch, failed(status=404), now_ms=NOW_MS + 1500)
    store.accept([make_event(type="invoice.line.added")], NOW_MS + 2000)
    claim_all(store, epoch, crm, now_ms=NOW_MS + 2000)
    return store


@pytest.mark.parametrize("text", FILTERS)
def test_attempts_match_as_in_the_store(past: Store, text: str) -> None:
    names = {endpoint.id: endpoint.name for endpoint in past.endpoints()}
    where = parse_query(text, now_ms=NOW_MS).attempts(names)
    known = past.attempts(AttemptFilter(), AttemptPage(limit=100))
    assert len(known) == 9
    found = past.attempts(where, AttemptPage(limit=100))
    assert [one.id for one in known if attempt_matches(where, one)] == [one.id for one in found]
    open_ = past.attempts(while_open(where), AttemptPage(limit=100))
    assert {one.id for one in found} <= {one.id for one in open_}, "what is left out now is found later"


def names_of(store: Store, text: str) -> list[str]:
    asked = endpoint_query(parse_query(text, now_ms=NOW_MS))
    return [endpoint.name for endpoint in store.endpoints() if asked.matches(endpoint)]


def test_endpoints_are_asked_for_by_name_url_and_state(store: Store) -> None:
    crm: Endpoint = add_endpoint(store, name="crm", url="https://crm.example.com/hooks")
    add_endpoint(store, name="billing", url="https://example.org/crm")
    add_endpoint(store, name="mail", url="https://example.net/mail")
    store.set_endpoint_state(crm.id, EndpointState.PAUSED, None, NOW_MS)
    assert names_of(store, "") == ["billing", "crm", "mail"]
    assert names_of(store, "CRM") == ["billing", "crm"]
    assert names_of(store, "endpoint:crm,mail") == ["crm", "mail"]
    assert names_of(store, "paused") == names_of(store, "state:Paused") == names_of(store, crm.id) == ["crm"]
    assert names_of(store, "-state:paused example.org") == ["billing"]
    for text, place in (("crm status:5xx", "status:5xx"), ("state:failed", "failed"), ("state:pausd", "pausd")):
        with pytest.raises(QueryError) as raised:
            names_of(store, text)
        assert text[raised.value.start : raised.value.end] == place
