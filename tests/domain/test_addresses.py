"""Which addresses are denied, with the standard library's own tables as the second opinion."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.addresses import AddressPolicy
from console.domain.errors import InvalidInputError

NOTHING_ALLOWED = AddressPolicy()

v4 = st.ip_addresses(v=4).filter(lambda address: isinstance(address, IPv4Address))
v6 = st.ip_addresses(v=6)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.169.254", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("0.1.2.3", "reserved"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.0.1", "reserved"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("198.18.0.1", "benchmarking"),
        ("2001:2::1", "benchmarking"),
        ("fc00::1", "unique local"),
        ("fec0::1", "site-local"),
        ("100::1", "discard-only"),
        ("4000::1", "reserved"),
        ("2001:1::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback, as IPv4-mapped"),
        ("::ffff:169.254.169.254", "cloud metadata, as IPv4-mapped"),
        ("2002:7f00:1::", "loopback, inside 6to4"),
        ("64:ff9b::a00:1", "private, inside NAT64"),
        ("64:ff9b:1::1", "private NAT64"),
        ("::7f00:1", "loopback, inside IPv4-compatible"),
        # Teredo: the server is public, the client (its bits inverted) is 10.0.0.1.
        ("2001:0:4136:e378::f5ff:fffe", "private, inside Teredo"),
        ("nonsense", "not an IP address"),
        ("", "not an IP address"),
        ("127.1", "not an IP address"),
    ],
)
def test_denied_and_why(address: str, reason: str) -> None:
    assert NOTHING_ALLOWED.refusal(address) == reason


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.215.14",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:81b::200e",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
    ],
)
def test_public_addresses_pass(address: str) -> None:
    assert NOTHING_ALLOWED.refusal(address) is None


@given(v4)
def test_what_the_standard_library_calls_not_global_is_denied(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert NOTHING_ALLOWED.refusal(str(address)) is not None


@given(v6)
def test_what_the_standard_library_calls_not_global_is_denied_v6(address: IPv6Address) -> None:
    inside = address.ipv4_mapped or address.sixtofour
    if not address.is_global and inside is None:
        assert NOTHING_ALLOWED.refusal(str(address)) is not None


@given(v4)
def test_wrapping_never_opens_what_is_denied_bare(address: IPv4Address) -> None:
    number = int(address)
    wrapped = [
        (0xFFFF << 32) | number,
        (0x2002 << 112) | (number << 80),
        (0x0064FF9B << 96) | number,
        (0x20010000 << 96) | (int(IPv4Address("1.1.1.1")) << 64) | (number ^ 0xFFFFFFFF),
        number,
    ]
    denied = NOTHING_ALLOWED.refusal(str(address)) is not None
    for each in wrapped:
        if denied:
            assert NOTHING_ALLOWED.refusal(str(IPv6Address(each))) is not None
    assert (NOTHING_ALLOWED.refusal(str(IPv6Address(wrapped[0]))) is not None) == denied


@given(st.one_of(v4, v6))
def test_an_address_that_is_allowed_alone_passes_alone(address: IPv4Address | IPv6Address) -> None:
    policy = AddressPolicy.parse([str(address)])
    assert policy.refusal(str(address)) is None
    neighbour = type(address)(int(address) ^ 1)
    assert policy.refusal(str(neighbour)) == NOTHING_ALLOWED.refusal(str(neighbour))


@given(v4)
def test_a_mapped_address_is_matched_by_the_v4_list(address: IPv4Address) -> None:
    policy = AddressPolicy.parse([f"{address}/32"])
    assert policy.refusal(f"::ffff:{address}") is None


def test_a_mapped_network_may_be_allowed_as_such() -> None:
    policy = AddressPolicy.parse(["::ffff:10.0.0.0/104"])
    assert policy.refusal("::ffff:10.1.2.3") is None
    assert policy.refusal("10.1.2.3") == "private"


def test_an_allowed_v4_network_opens_no_tunnel_to_it() -> None:
    policy = AddressPolicy.parse(["10.0.0.0/8"])
    assert policy.refusal("10.1.2.3") is None
    assert policy.refusal("64:ff9b::a01:203") == "private, inside NAT64"


@pytest.mark.parametrize("cidr", ["10.0.0.0/33", "10.0.0.1/8", "intranet", "", "::/129", "10.0.0.0/8/8", "a\nb"])
def test_a_bad_network_is_named_on_one_line(cidr: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        AddressPolicy.parse(["127.0.0.0/8", cidr])
    assert repr(cidr) in str(caught.value)
    assert "\n" not in str(caught.value)
