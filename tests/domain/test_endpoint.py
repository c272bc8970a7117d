from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.endpoint import check_name, check_url, default_name
from console.domain.errors import InvalidInputError
from console.domain.policy import DeliveryPolicy, check_header, check_policy
from tests.factories import SECRET, make_spec


@pytest.mark.parametrize(
    "name", ["crm", "a", "a" * 64, "billing-eu/2", "Прод", "crm.example.com", "dlv_1", "[red]x[/]"]
)
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "a b", "a\tb", "a\n", "\x1b[2Jx", "ep_", "ep_x", "\u202ex", "\xa0", "\udcff"]
)
def test_other_names_are_refused_in_one_printable_line(name: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_name(name)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/",
        "https://example.com:8443/a/b?c=d&e=%20",
        "http://127.0.0.1:1/hook",
        "http://[::1]:8080/x",
        "https://xn--bcher-kva.example/ingest",
        "http://a/" + "b" * (2048 - 9),
    ],
)
def test_urls(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "/hook",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:x/",
        "http://[::1/",
        "http://[x]/",
        "http://example.com/#part",
        "http://example.com/a b",
        "http://bücher.example/",
        "http://a/\n",
        "http://a/\x1b[2J",
        "http://a/" + "b" * 2040,
        "javascript:alert(1)",
        "http://\udcff/",
    ],
)
def test_other_urls_are_refused_in_one_printable_line(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_url(url)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "url", ["http://ada:geheim@example.com/", "http://geheim@example.com/", "http://:geheim@e.com/"]
)
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidInputError, match="--header") as refused:
        check_url(url)
    assert "geheim" not in str(refused.value)


@given(st.text(max_size=60) | st.text("htps:/[]@#?.:%0aé\x00 ", max_size=30).map(lambda t: "http://" + t))
def test_whatever_is_given_as_url_is_accepted_or_refused(url: str) -> None:
    try:
        accepted = check_url(url)
    except InvalidInputError:
        return
    assert accepted.isascii()
    assert accepted.isprintable()


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Team", "billing"), ("authorization", "Bearer abc"), ("x", ""), ("!#$%&'*+-.^_`|~9", "v"), ("x", "a" * 4096)],
)
def test_headers(name: str, value: str) -> None:
    check_header(name, value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "a\r\n", "a\x00", "a(b)", "٣"])
def test_header_names_that_are_no_tokens_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        check_header(name, "x")


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Connection",
        "Transfer-Encoding",
        "Content-Type",
        "TE",
        "Upgrade",
        "Trailer",
        "webhook-id",
        "Webhook-Signature",
        "WEBHOOK-TIMESTAMP",
        "webhook-anything",
    ],
)
def test_headers_of_the_engine_cannot_be_replaced(name: str) -> None:
    with pytest.raises(InvalidInputError, match="set by the engine"):
        check_header(name, "x")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n", "a\x00b", "ä", " a", "a ", "a\tb", "a" * 4097, "\x1b[2J"])
def test_header_values_that_could_split_a_request_are_refused(value: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_header("x-team", value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200, "a header's value may be a secret, and is not repeated"


@given(st.text(max_size=20), st.text(max_size=20))
def test_an_accepted_header_cannot_break_the_request(name: str, value: str) -> None:
    try:
        check_header(name, value)
    except InvalidInputError:
        return
    assert not set(name + value) & set("\r\n\x00")
    assert name.isascii()
    assert value.isascii()
    assert ":" not in name


@pytest.mark.parametrize(
    "part",
    [
        {"timeout_s": 0.09},
        {"timeout_s": 121.0},
        {"timeout_s": float("nan")},
        {"max_in_flight": 0},
        {"max_in_flight": 1001},
        {"schedule_s": ()},
        {"headers": (("host", "x"),)},
    ],
)
def test_a_policy_out_of_bounds_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        check_policy(DeliveryPolicy(**part))


@pytest.mark.parametrize(
    "part", [{"timeout_s": 0.1}, {"timeout_s": 120.0}, {"max_in_flight": 1}, {"max_in_flight": 1000}]
)
def test_a_policy_at_its_bounds_is_accepted(part: dict[str, Any]) -> None:
    assert check_policy(DeliveryPolicy(**part))


def test_connecting_may_not_take_longer_than_the_whole() -> None:
    assert DeliveryPolicy().connect_within_s == 5
    assert DeliveryPolicy(timeout_s=0.5).connect_within_s == 0.5


def test_a_spec_that_is_right_in_every_part_is_itself() -> None:
    spec = make_spec()
    assert spec.check() is spec


@pytest.mark.parametrize(
    "part",
    [
        {"name": ""},
        {"url": "x"},
        {"types": ()},
        {"types": ("*", "a..b")},
        {"secrets": ()},
        {"secrets": (SECRET, "x")},
        {"policy": {"timeout_s": 0}},
    ],
)
def test_a_spec_with_one_wrong_part_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        make_spec(**part).check()


def test_secrets_are_not_in_what_a_spec_prints() -> None:
    assert SECRET not in repr(make_spec())


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "http://[::1]:80/", "http://" + "a" * 200 + ".example/", "http://EXAMPLE.com"]
)
def test_the_name_made_of_a_url_passes_the_check(url: str) -> None:
    assert check_name(default_name(check_url(url)))
