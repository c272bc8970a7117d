"""Loops: how far an event has come, whether it has been here, and URLs that lead back to the engine's own intake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.event import NewEvent
from console.domain.ids import EventId, check_event_id
from console.domain.loops import (
    HOPS_MOST,
    LoopKind,
    Passage,
    check_loop,
    outgoing_headers,
    parse_hops,
    points_at_us,
)

HERE, THERE = "inst_here", "inst_there"


def sent(instance: str, event: str, before: Passage | None = None) -> Passage:
    """What the next one reads of an event that an instance passes on."""
    hops, via = (0, None) if before is None else (before.hops, before.via)
    return parse_hops(outgoing_headers(instance=instance, event_id=EventId(event), hops=hops, via=via))


def headers_of(passage: Passage) -> tuple[tuple[str, str], ...]:
    return (("webhook-hops", str(passage.hops)), ("webhook-via", passage.via or ""))


def test_each_sender_adds_itself() -> None:
    assert outgoing_headers(instance=HERE, event_id=EventId("evt_1"), hops=0, via=None) == (
        ("webhook-hops", "1"),
        ("webhook-via", "inst_here/evt_1"),
    )
    assert sent(THERE, "evt_2", sent(HERE, "evt_1")) == Passage(hops=2, via="inst_here/evt_1, inst_there/evt_2")


def test_an_event_that_has_been_here_is_told_from_one_that_came_too_far() -> None:
    passage = sent(THERE, "evt_2", sent(HERE, "evt_1"))
    round_trip = check_loop(headers_of(passage), HERE)
    assert round_trip is not None
    assert round_trip.kind is LoopKind.ROUND
    assert round_trip.reason == "loop: event evt_1 was sent from here and comes back (webhook-via)"
    assert check_loop(headers_of(passage), "inst_third") is None

    for number in range(HOPS_MOST - 2):
        passage = sent(f"inst_{number}", "evt_3", passage)
    assert check_loop(headers_of(passage), "inst_third") is None
    too_far = check_loop(headers_of(sent("inst_x", "evt_4", passage)), "inst_third")
    assert too_far is not None
    assert too_far.kind is LoopKind.TOO_FAR
    assert too_far.reason == "loop: it has passed 6 senders, at most 5 are allowed (webhook-hops)"


@pytest.mark.parametrize(
    ("headers", "hops"),
    [
        ((), 0),
        ((("Webhook-Hops", " 3 "),), 3),
        ((("webhook-hops", "1"), ("WEBHOOK-HOPS", "4")), 4),
        ((("webhook-hops", "-1"),), 0),
        ((("webhook-hops", "٣"),), 0),
        ((("webhook-hops", "1" * 5000),), 0),
        ((("webhook-hops", "1e9"),), 0),
        ((("webhook-via", "a/b, c/d"),), 2),  # whoever takes the number away is still counted
        ((("webhook-via", "a"), ("webhook-via", "/,,a/,/b, x y/z, \x1b/1")), 0),
    ],
)
def test_what_makes_no_sense_is_as_if_it_were_not_there(headers: tuple[tuple[str, str], ...], hops: int) -> None:
    assert parse_hops(headers).hops == hops


def test_several_fields_are_one_list_and_a_long_one_is_cut_to_its_newest() -> None:
    assert parse_hops((("webhook-via", "a/1"), ("Webhook-Via", "b/2"))).via == "a/1, b/2"
    long = parse_hops((("webhook-via", ",".join(f"i{n}/e" for n in range(5000))),))
    assert long.hops == 5000
    assert long.via is not None
    assert long.via.split(", ")[-1] == "i4999/e"
    assert len(long.via) < 500


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=128))
def test_any_id_of_an_event_comes_back(text: str) -> None:
    event_id = check_event_id(text)
    assert sent(HERE, event_id).hops == 1
    assert check_loop(headers_of(sent(HERE, event_id)), HERE) is not None


@given(st.lists(st.tuples(st.sampled_from(["webhook-hops", "Webhook-Via", "x"]), st.text()), max_size=4))
def test_whatever_stands_in_the_headers_is_read_without_harm(headers: list[tuple[str, str]]) -> None:
    passage = parse_hops(tuple(headers))
    assert passage.hops >= 0
    NewEvent(type="a", payload=b"1", hops=passage.hops, via=passage.via)
    loop = check_loop(tuple(headers), HERE)
    assert loop is None or loop.reason.isprintable()
    again = outgoing_headers(instance=HERE, event_id=EventId("evt_1"), hops=passage.hops, via=passage.via)
    assert all(value.isascii() and value.isprintable() for _, value in again)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8400/in/stripe",
        "http://127.0.0.1:8400/in/stripe?a=b#c",
        "http://localhost:8400/v1/events",
        "http://LOCALHOST.:8400/v1/events/",
        "http://a.localhost:8400/in/x",
        "http://[::1]:8400/in/x",
        "http://[::ffff:127.0.0.1]:8400/in/x",
        "http://127.8.8.8:8400/in/x",
        "http://127.1:8400/in/x",
        "http://2130706433:8400/in/x",
        "http://0x7f000001:8400/in/x",
        "http://0.0.0.0:8400/in/x",
        "http://[::]:8400/in/x",
        "http://user@127.0.0.1:8400/%69n/x",
        "http://127.0.0.1:8400//in/x",
        "http://127.0.0.1:8400/other/../in/x",
    ],
)
@pytest.mark.parametrize("base", ["http://127.0.0.1:8400", "http://0.0.0.0:8400", "http://[::]:8400/"])
def test_a_url_of_our_own_intake_is_known_however_it_is_written(url: str, base: str) -> None:
    message = points_at_us(url, ["http://10.0.0.1:1", base])
    assert message is not None
    assert message.endswith("use the URL of another receiver")
    assert (f" is this engine's own intake (it listens on {base})") in message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8401/in/stripe",
        "http://127.0.0.1:8400/inbox",
        "http://127.0.0.1:8400/v1/eventsource",
        "http://127.0.0.1:8400/",
        "http://10.0.0.2:8400/in/x",
        "https://hooks.example.com/in/x",
        "http://[bad/in/x",
        "http://127.0.0.1:99999/in/x",
    ],
)
def test_other_urls_are_not_ours(url: str) -> None:
    assert points_at_us(url, ["http://127.0.0.1:8400", "nonsense", "http://[bad"]) is None


def test_public_names_are_ours_too() -> None:
    public = ["http://box:8400", "https://Hooks.example.com/wh/"]
    assert points_at_us("https://hooks.example.com/wh/in/x", public)
    assert points_at_us("http://hooks.EXAMPLE.com/wh/v1/events", public)
    assert points_at_us("http://Box.:8400/in/x", public)
    assert points_at_us("https://hooks.example.com/in/x", public) is None
    assert points_at_us("https://other.example.com/wh/in/x", public) is None


def test_the_message_has_no_secret() -> None:
    message = points_at_us("http://ann:hunter2@localhost:80/in/x?token=hunter3", ["http://localhost"])
    assert message is not None
    assert "hunter" not in message
