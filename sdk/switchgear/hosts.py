"""Hosts: which hosts may be told the task of a request, and whether a URL is at one of them.

An entry is a host name or address, or `*.` and a name of two labels or more for every host below that name, and may
name a port. HTTP clients do not all read the host of a URL alike; a URL that leaves room for doubt is at none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

__all__ = ["Hosts"]

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ENTRY = re.compile(r"(?P<below>\*\.)?(?P<host>\[[^\[\]]*\]|[^\[\]:*]*)(?::(?P<port>[0-9]{1,5}))?")
# No user, no backslash, nothing outside ASCII before the path: of these, clients take different parts for the host.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\[\]]*\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?(?:/.*|[?#][^@\\]*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_PORTS = {"http": 80, "https": 443}
_EXAMPLE = 'write "agents.internal, *.example.com:8080"'


@dataclass(frozen=True, slots=True)
class _Entry:
    host: str
    below: bool
    port: int | None

    def takes(self, host: str, port: int) -> bool:
        named = host.endswith(f".{self.host}") if self.below else host == self.host
        return named and self.port in (None, port)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The listed hosts; none is listed by default."""

    _entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Hosts:
        """The hosts in a list with commas between. Raises ValueError that names the entry."""
        return cls(tuple(_entry(each.strip()) for each in text.split(",") if each.strip()))

    def take(self, url: str) -> bool:
        """Whether the URL is at a listed host; an entry without a port takes any."""
        if not self._entries:
            return False
        found = _host_and_port(url)
        return found is not None and any(entry.takes(*found) for entry in self._entries)


def _entry(text: str) -> _Entry:
    found = _ENTRY.fullmatch(text.lower())
    host = _host(found["host"]) if found is not None else None
    port = int(found["port"]) if found is not None and found["port"] else None
    if found is None or host is None or (port is not None and not 0 < port < 1 << 16):
        raise ValueError(f'"{text}" is no host; {_EXAMPLE}')
    below = found["below"] is not None
    if below and (host.startswith("[") or host.rpartition(".")[2].isdigit()):
        raise ValueError(f'"{text}" is no host; there is nothing below an address')
    if below and "." not in host:
        raise ValueError(
            f'"{text}" takes in too much; write at least two names after the star, as in "*.example.com"'
        )
    return _Entry(host, below, port)


def _host_and_port(url: str) -> tuple[str, int] | None:
    """Where a plain HTTP URL goes; None where it says so in a way that can be read in two."""
    found = _URL.fullmatch(url)
    host = _host(found["host"].lower()) if found is not None else None
    if found is None or host is None:
        return None
    return host, int(found["port"]) if found["port"] else _PORTS[found["scheme"].lower()]


def _host(text: str) -> str | None:
    """A host as it is compared: in small letters, an IPv6 address in its one short form; None for what is none."""
    if not text.startswith("["):
        return text if _NAME.fullmatch(text) else None
    try:
        address = IPv6Address(text[1:-1])
    except ValueError:
        return None
    return None if address.scope_id is not None else f"[{address}]"
