"""Dialling: a name is resolved once, every address that it has is judged, and one of those is connected to.

Whoever resolves a name again to connect can be given another answer than the one that was judged.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address

import httpx

from .addresses import Network, refusal

__all__ = ["CheckedTransport", "Dialler", "RefusedAddressError"]


class RefusedAddressError(Exception):
    """A name leads where nothing is sent: says to which address, and what to write where it may be."""


class Dialler:
    """Resolves and judges, in a thread of its own: a lookup that hangs holds up nobody else's work."""

    def __init__(self, allowed: Iterable[Network]) -> None:
        self._allowed = tuple(allowed)
        self.thread = ThreadPoolExecutor(1, "notices")

    async def addresses(self, host: str, port: int, *, encrypted: bool) -> list[str]:
        """The addresses of `host`, to connect to in this order.

        Raises RefusedAddressError where one of them may not be sent to, OSError where the name cannot be resolved.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self.thread, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            )
        except UnicodeError as error:
            raise OSError(f"no name that can be resolved: {error}") from None
        dialled = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        for address in dialled:
            if why := refusal(ip_address(address), self._allowed, encrypted=encrypted):
                raise RefusedAddressError(why)
        return dialled

    def close(self) -> None:
        """Begin nothing more."""
        self.thread.shutdown(wait=False, cancel_futures=True)


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends each request to an address that was judged; name and certificate are still those of the URL.

    Knows no proxy, and keeps no connection: two names may have one address, and TLS was spoken for one of them.
    """

    def __init__(self, dialler: Dialler, tls: ssl.SSLContext) -> None:
        self._dialler = dialler
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer. Raises RefusedAddressError, OSError, and what httpx raises."""
        url, encrypted = request.url, request.url.scheme == "https"
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if encrypted else 80)
        found = await self._dialler.addresses(host, port, encrypted=encrypted)
        for address in found[:-1]:
            try:
                return await self._inner.handle_async_request(_to(address, host, request))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_to(found[-1], host, request))

    async def aclose(self) -> None:
        """Leave no connection open."""
        await self._inner.aclose()


def _to(address: str, host: str, request: httpx.Request) -> httpx.Request:
    """The request, addressed to `address`: its header still names the host."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
