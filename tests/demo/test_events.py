"""The generator: deterministic, serialisable, believable in size, and unable to reach a real person."""

import json
import re
from collections import Counter
from itertools import islice

from console.demo.events import WEIGHTS, DemoEvents
from console.domain.clock import ManualClock

NOW_MS = 1_790_000_000_000


def take(count: int, *, seed: int = 7) -> list[tuple[str, dict[str, object]]]:
    return list(islice(DemoEvents(seed, ManualClock(NOW_MS)), count))


def wire(payload: dict[str, object]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def test_same_seed_same_events() -> None:
    assert take(300) == take(300)
    assert take(300) != take(300, seed=8)


def test_time_is_the_callers() -> None:
    assert DemoEvents(3).at(NOW_MS) == DemoEvents(3).at(NOW_MS)
    assert DemoEvents(3).at(NOW_MS) != DemoEvents(3).at(NOW_MS + 1)
    assert "2026-09-21T14:13:20.000Z" in json.dumps(DemoEvents(3).at(NOW_MS))


def test_every_type_appears_about_as_often_as_its_weight() -> None:
    counted = Counter(event_type for event_type, _ in take(10_000))
    assert set(counted) == set(WEIGHTS)
    assert sum(WEIGHTS.values()) == 100
    for event_type, weight in WEIGHTS.items():
        assert 0.7 * weight < counted[event_type] / 100 < 1.3 * weight, event_type


def test_payloads_are_json_of_a_believable_size() -> None:
    for event_type, payload in take(3000):
        assert json.loads(wire(payload)) == payload
        assert 300 <= len(wire(payload)) <= 1500, (event_type, len(wire(payload)))


def test_every_address_is_reserved() -> None:
    text = b"\n".join(wire(payload) for _, payload in take(3000)).decode()
    hosts = re.findall(r"@([\w.-]+)|https?://([\w.-]+)", text)
    assert hosts
    assert all(re.search(r"(^|\.)example\.(com|org|net)$", mail or web) for mail, web in hosts)
    assert set(re.findall(r'"ip":"(\d+\.\d+\.\d+)\.', text)) == {"203.0.113"}


def test_amounts_are_whole_numbers_of_minor_units() -> None:
    payments = [payload for event_type, payload in take(3000) if event_type.startswith("payment.")]
    assert all(type(payment["amount"]) is int and payment["amount"] > 0 for payment in payments)
    assert {"JPY", "EUR", "USD"} <= {payment["currency"] for payment in payments}


def test_names_are_not_all_ascii() -> None:
    assert any(not wire(payload).isascii() for _, payload in take(20))


def test_what_is_canceled_or_paid_was_there_before_and_is_so_once() -> None:
    events = take(5000)
    for before, after in (("invoice.finalized", "invoice.paid"), ("meeting.booked", "meeting.canceled")):
        begun = [payload["id"] for event_type, payload in events if event_type == before]
        ended = [payload["id"] for event_type, payload in events if event_type == after]
        assert len(ended) == len(set(ended))
        assert len(set(ended) & set(begun)) > 0.9 * len(ended)
