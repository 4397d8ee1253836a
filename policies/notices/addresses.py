"""Which network addresses a message may go to: public ones, and inside ones that are allowed by name.

A destination's name is resolved by somebody else, and inside addresses answer to whoever asks from inside: clouds hand
out credentials at 169.254.169.254. An address that carries another inside it is judged by that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

__all__ = ["Address", "Network", "refusal"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Public by their form and none to send to: protocol assignments (a cloud's metadata among them), 6to4 relays, and the
# address at which one cloud's machines find its agent.
_INSIDE = tuple(ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
_PUBLIC_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")


def refusal(address: Address, allowed: Iterable[Network], *, encrypted: bool = True) -> str | None:
    """Why nothing is sent to `address`; None where it lies in an `allowed` network, or is public and `encrypted`."""
    meant = _meant(address)
    if any(meant in network or address in network for network in allowed):
        return None
    shown = str(address) if meant == address else f"{address} ({meant})"
    if kind := _kind(meant):
        return f'{shown} is {kind}; write its network under "allow" if messages may go there'
    return None if encrypted else f"{shown} is public, where messages go encrypted only"


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address


def _kind(address: Address) -> str | None:
    """What keeps an address from being public; None for one that is."""
    if address.is_loopback:
        return "this machine"
    if address.is_unspecified:
        return "no address"
    if address.is_link_local:
        return "link-local, where clouds keep their metadata"
    if address.is_multicast:
        return "multicast"
    if isinstance(address, IPv6Address):
        public = address in _PUBLIC_6 and not any(address in network for network in _SPECIAL_6)
    else:
        public = not any(address in network for network in _INSIDE)
    return None if public and address.is_global else "private or reserved"
