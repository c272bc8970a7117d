"""Where order keys come from."""

from typing import Any

import pytest

from console.domain.ordering import order_key, order_path
from console.domain.policy import DeliveryPolicy, Ordering

LONG = "x" * 101


@pytest.mark.parametrize(
    ("payload", "path", "key"),
    [
        ({"data": {"customer": "c-1"}}, ("data", "customer"), "c-1"),
        ({"data": {"customer": 17}}, ("data", "customer"), "17"),
        ({"data": {"customer": True}}, ("data", "customer"), "true"),
        ({"data": {"customer": {"b": [1, None], "a": "é"}}}, ("data", "customer"), '{"a":"é","b":[1,null]}'),
        ({"data": {"customer": None}}, ("data", "customer"), ""),
        ({"data": {}}, ("data", "customer"), ""),
        ({"data": "text"}, ("data", "customer"), ""),
        (None, ("data",), ""),
        ([{"id": "a"}, {"id": "b"}], ("1", "id"), "b"),
        ([{"id": "a"}], ("1", "id"), ""),
        ({"1": "named"}, ("1",), "named"),
        ({"data": 1}, (), ""),
    ],
)
def test_the_value_at_the_path_is_the_key(payload: Any, path: tuple[str, ...], key: str) -> None:
    assert order_key(payload, path) == key


def test_equal_objects_share_a_line_whatever_the_order_of_their_names() -> None:
    assert order_key({"k": {"a": 1, "b": 2}}, ("k",)) == order_key({"k": {"b": 2, "a": 1}}, ("k",))


@pytest.mark.parametrize("text", [LONG, "a\x00b", "a\x1b]52;c;aGk=\x07", "\ud800"])
def test_what_is_long_or_cannot_be_shown_is_hashed(text: str) -> None:
    key = order_key({"k": text}, ("k",))
    assert key.startswith("sha256:")
    assert len(key) == 71
    assert order_key({"k": text + "!"}, ("k",)) != key


def test_only_fifo_has_a_path() -> None:
    assert order_path(DeliveryPolicy()) is None
    assert order_path(DeliveryPolicy(ordering=Ordering.FIFO)) == ()
    assert order_path(DeliveryPolicy(ordering=Ordering.FIFO, order_key="data.customer")) == ("data", "customer")
