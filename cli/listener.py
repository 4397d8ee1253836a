"""The socket that a service listens on, bound before anything else starts."""

from __future__ import annotations

import errno
import ipaddress
import socket

__all__ = ["ListenError", "bind", "is_loopback", "local_url"]

_BACKLOG = 2048


class ListenError(Exception):
    """An address that cannot be listened on; its text says which, why and what to do."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than `localhost` counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def local_url(host: str, port: int, *, scheme: str = "http") -> str:
    """The URL by which this machine itself reaches a service that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{scheme}://{host}:{port}"
    if address.is_unspecified:
        return f"{scheme}://127.0.0.1:{port}"
    return f"{scheme}://[{host}]:{port}" if address.version == 6 else f"{scheme}://{host}:{port}"


def bind(host: str, port: int, *, option: str) -> socket.socket:
    """A socket already listening on `host` and `port`; `option` is the flag that names another port.

    Listening starts here, not when the service is ready: two processes that only bind could both believe
    that the port is theirs.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as problem:
        raise ListenError(
            f"cannot listen on {host!r}: {problem}; name an address of this machine"
        ) from problem
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as problem:
        listener.close()
        raise ListenError(_reason(problem, host, port, option)) from problem
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return listener


def _reason(problem: OSError, host: str, port: int, option: str) -> str:
    match problem.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} on {host} is taken by another process; stop it or choose another with {option}"
            )
        case errno.EACCES:
            return f"port {port} on {host} needs privileges; choose one above 1023 with {option}"
        case _:
            return f"cannot listen on {host}:{port}: {problem.strerror}; name an address of this machine"
