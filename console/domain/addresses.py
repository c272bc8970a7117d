"""Which IP addresses a delivery may connect to: everything public, and what the operator allowed."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from console.domain.errors import InvalidInputError

_DENIED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(cidr), reason)
    for cidr, reason in (
        ("169.254.169.254/32", "cloud metadata"),
        ("168.63.129.16/32", "cloud metadata"),  # Azure's, on a public-looking address
        ("0.0.0.0/32", "unspecified"),
        ("0.0.0.0/8", "reserved"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_DENIED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(cidr), reason)
    for cidr, reason in (
        ("fd00:ec2::254/128", "cloud metadata"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("64:ff9b:1::/48", "private NAT64"),
        ("100::/64", "discard-only"),
        ("2001:2::/48", "benchmarking"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
    )
)

_TEREDO = IPv6Network("2001::/32")
_PROTOCOL_ASSIGNMENTS = IPv6Network("2001::/23")
_NAT64 = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE = IPv6Network("::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")

_LOW_32_BITS = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Denies every address that is not public unicast, except inside the allowed networks: by default none."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, cidrs: Iterable[str]) -> "AddressPolicy":
        """From texts such as `10.0.0.0/8`, `fd00::/8` or a lone address.

        Raises InvalidInputError naming the first text that is no network.
        """
        allowed: list[IPv4Network | IPv6Network] = []
        for cidr in cidrs:
            try:
                allowed.append(ip_network(cidr.strip()))
            except ValueError as error:
                reason = str(error).partition("\n")[0][:200]
                raise InvalidInputError(
                    f"allowed address {cidr[:60]!r} is not a network such as 10.0.0.0/8: {reason}"
                ) from None
        return cls(allowed=tuple(allowed))

    def holds(self, ip: str) -> bool:
        """Whether an address is in one of the allowed networks; an IPv4 address inside an IPv6 one counts as both."""
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return self._allows(address) or (mapped is not None and self._allows(mapped))

    def refusal(self, ip: str) -> str | None:
        """Why a connection to this address is denied, in a word or two; None when it may be made."""
        try:
            address = ip_address(ip)
        except ValueError:
            return "not an IP address"
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            # The kernel connects to the IPv4 address inside, so that is what is judged.
            if self._allows(address):
                return None
            reason = self._refusal_v4(address.ipv4_mapped)
            return None if reason is None else f"{reason}, as IPv4-mapped"
        if isinstance(address, IPv4Address):
            return self._refusal_v4(address)
        return None if self._allows(address) else _refusal_v6(address)

    def _refusal_v4(self, address: IPv4Address) -> str | None:
        return None if self._allows(address) else _reserved_v4(address)

    def _allows(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.allowed if network.version == address.version)


def _reserved_v4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in _DENIED_V4 if address in network), None)


def _refusal_v6(address: IPv6Address) -> str | None:
    for network, reason in _DENIED_V6:
        if address in network:
            return reason
    kind, embedded = _embedded_v4(address)
    for inner in embedded:
        reason_inside = _reserved_v4(inner)
        if reason_inside is not None:
            return f"{reason_inside}, inside {kind}"
    if embedded:
        return None
    if address not in _GLOBAL_UNICAST or address in _PROTOCOL_ASSIGNMENTS:
        return "reserved"
    return None


def _embedded_v4(address: IPv6Address) -> tuple[str, tuple[IPv4Address, ...]]:
    """The IPv4 addresses that a gateway on the way would connect to instead, and by which mechanism."""
    if address.sixtofour is not None:
        return "6to4", (address.sixtofour,)
    if address in _TEREDO and address.teredo is not None:
        return "Teredo", address.teredo
    if address in _NAT64:
        return "NAT64", (IPv4Address(int(address) & _LOW_32_BITS),)
    if address in _V4_COMPATIBLE:
        return "IPv4-compatible", (IPv4Address(int(address) & _LOW_32_BITS),)
    return "", ()
