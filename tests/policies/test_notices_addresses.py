"""Where messages may go: public addresses, and inside networks that were allowed."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest

from policies.notices.addresses import refusal
from policies.notices.dial import Dialler, RefusedAddressError


@pytest.mark.parametrize(
    ("address", "because"),
    [
        pytest.param("127.0.0.1", "this machine", id="loopback"),
        pytest.param("127.8.9.1", "this machine", id="loopback, another"),
        pytest.param("::1", "this machine", id="loopback 6"),
        pytest.param("0.0.0.0", "no address", id="unspecified"),
        pytest.param("::", "no address", id="unspecified 6"),
        pytest.param("0.1.2.3", "private or reserved", id="this network"),
        pytest.param("10.1.2.3", "private or reserved", id="private 10"),
        pytest.param("172.16.0.1", "private or reserved", id="private 172"),
        pytest.param("192.168.1.1", "private or reserved", id="private 192"),
        pytest.param("100.64.0.1", "private or reserved", id="shared"),
        pytest.param("100.100.100.200", "private or reserved", id="metadata in shared"),
        pytest.param("169.254.169.254", "link-local", id="metadata"),
        pytest.param("fe80::1", "link-local", id="link-local 6"),
        pytest.param("fe80::1%2", "link-local", id="link-local 6 with a zone"),
        pytest.param("fd00:ec2::254", "private or reserved", id="metadata 6"),
        pytest.param("fc00::1", "private or reserved", id="unique local"),
        pytest.param("fec0::1", "private or reserved", id="site-local"),
        pytest.param("192.0.0.192", "private or reserved", id="metadata in protocol assignments"),
        pytest.param("168.63.129.16", "private or reserved", id="a cloud's agent"),
        pytest.param("192.0.2.1", "private or reserved", id="documentation"),
        pytest.param("2001:db8::1", "private or reserved", id="documentation 6"),
        pytest.param("198.18.0.1", "private or reserved", id="benchmarks"),
        pytest.param("224.0.0.1", "multicast", id="multicast"),
        pytest.param("ff02::1", "multicast", id="multicast 6"),
        pytest.param("240.0.0.1", "private or reserved", id="reserved"),
        pytest.param("255.255.255.255", "private or reserved", id="broadcast"),
        pytest.param("::ffff:127.0.0.1", "this machine", id="mapped loopback"),
        pytest.param("::ffff:169.254.169.254", "link-local", id="mapped metadata"),
        pytest.param("::ffff:10.0.0.1", "private or reserved", id="mapped private"),
        pytest.param("::127.0.0.1", "private or reserved", id="compatible loopback"),
        pytest.param("2002:7f00:1::", "this machine", id="6to4 loopback"),
        pytest.param("2002:a9fe:a9fe::", "link-local", id="6to4 metadata"),
        pytest.param("64:ff9b::169.254.169.254", "link-local", id="NAT64 metadata"),
        pytest.param("64:ff9b:1::1", "private or reserved", id="NAT64, local"),
        pytest.param("2001:0:53aa:64c:0:fff:f5fe:fffe", "private or reserved", id="Teredo"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str, because: str) -> None:
    why = refusal(ip_address(address), ())
    assert why is not None
    assert f"is {because}" in why


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "172.32.0.1",
        "169.253.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "2002:808:808::",
        "64:ff9b::808:808",
    ],
)
def test_a_public_address_is_reached_encrypted_only(address: str) -> None:
    assert refusal(ip_address(address), ()) is None
    assert "encrypted only" in str(refusal(ip_address(address), (), encrypted=False))


@pytest.mark.parametrize(
    ("address", "networks", "reached"),
    [
        ("10.1.2.3", ["10.1.0.0/16"], True),
        ("10.2.2.3", ["10.1.0.0/16"], False),
        ("::ffff:10.1.2.3", ["10.1.0.0/16"], True),
        ("169.254.169.254", ["10.0.0.0/8", "fc00::/7"], False),
        ("fd00::1", ["10.0.0.0/8", "fc00::/7"], True),
        ("::1", ["::1/128"], True),
    ],
    ids=["inside", "beside", "mapped", "metadata beside", "second network", "loopback 6"],
)
def test_an_inside_network_is_reached_where_it_is_allowed_also_unencrypted(
    address: str, networks: list[str], *, reached: bool
) -> None:
    allowed = [ip_network(text) for text in networks]
    assert (refusal(ip_address(address), allowed, encrypted=False) is None) is reached


@asynccontextmanager
async def dialling(*allowed: str) -> AsyncIterator[Dialler]:
    dialler = Dialler(ip_network(text) for text in allowed)
    try:
        yield dialler
    finally:
        dialler.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "localhost",
        "::1",
        "::ffff:7f00:1",
    ],
    ids=["dotted", "decimal", "hexadecimal", "octal", "short", "zero", "name", "six", "mapped"],
)
async def test_every_way_to_write_this_machine_is_refused(host: str) -> None:
    async with dialling() as dialler:
        with pytest.raises(RefusedAddressError, match='write its network under "allow"'):
            await dialler.addresses(host, 443, encrypted=True)


Resolving = Callable[..., None]


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Resolving:
    def names(**known: list[str]) -> None:
        def found(host: str, port: int, **_: object) -> list[object]:
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

        monkeypatch.setattr(socket, "getaddrinfo", found)

    return names


@pytest.mark.parametrize(
    "found",
    [["169.254.169.254"], ["1.1.1.1", "10.0.0.1"], ["10.0.0.1", "1.1.1.1"], ["2606:4700::1111", "::1"]],
    ids=["metadata", "one of two, last", "one of two, first", "six"],
)
async def test_a_name_is_refused_where_one_of_its_addresses_is(
    resolving: Resolving, found: list[str]
) -> None:
    resolving(receiver=found)
    async with dialling() as dialler:
        with pytest.raises(RefusedAddressError):
            await dialler.addresses("receiver", 443, encrypted=True)


async def test_a_name_gives_each_of_its_addresses_once_in_their_order(resolving: Resolving) -> None:
    resolving(receiver=["9.9.9.9", "1.1.1.1", "9.9.9.9"])
    async with dialling() as dialler:
        assert await dialler.addresses("receiver", 443, encrypted=True) == ["9.9.9.9", "1.1.1.1"]


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid"], ids=["long label", "empty label"])
async def test_what_cannot_be_a_name_is_an_error_of_the_network(host: str) -> None:
    async with dialling() as dialler:
        with pytest.raises(OSError, match="no name that can be resolved"):
            await dialler.addresses(host, 443, encrypted=True)
