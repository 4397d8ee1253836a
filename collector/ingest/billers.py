"""Billers: the processes that bill bodies, as the collector starts, lends and replaces them.

Reading and billing is more than half of what a span costs in Python, and needs nothing of the collector: in a process
of its own it leaves the collector's interpreter to the rest.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from queue import LifoQueue

from msgspec import msgpack

from ..call import Call, NotBilled
from ..errors import BusyError, DecodeError
from .biller import LOG_FORM, Answer, Refused

__all__ = ["Billers"]

_COMMAND = (sys.executable, "-I", "-m", "collector.ingest.biller")
# None of ours, which hold the API key; what an installation may need to find its libraries is passed on.
_PASSED_ON = (LOG_FORM, "LD_LIBRARY_PATH")
_TRIES = 2
# A body of 512 spans passes in one piece, where the system allows that.
_SOCKET_BYTES = 1024**2

_log = logging.getLogger(__name__)


class Billers:
    """Some processes that do what `bill_body` does. Any thread may ask; it waits for one that is free."""

    def __init__(self, count: int) -> None:
        """Start `count` of them; they import what they need while nobody waits."""
        self._processes = [_Process() for _ in range(count)]
        self._idle: LifoQueue[_Process] = LifoQueue()
        for process in self._processes:
            self._idle.put(process)

    @property
    def pids(self) -> list[int]:
        """The ids of the processes."""
        return [process.pid for process in self._processes]

    def bill(self, body: bytes, content_type: str) -> list[Call | NotBilled]:
        """As `bill_body`. Raises BusyError too: where a process ended twice on this body, for whatever reason."""
        process = self._idle.get()
        try:
            for _ in range(_TRIES):
                try:
                    return process.bill(body, content_type)
                except (EOFError, OSError):
                    _log.warning("a process that bills spans ended; another takes its place")
                    process.replace()
        finally:
            self._idle.put(process)
        raise BusyError("the process that bills spans ended on this request; send it again")

    def close(self) -> None:
        """End them; nobody may ask any more."""
        for process in self._processes:
            process.end()


class _Process:
    """One process and the socket to it."""

    def __init__(self) -> None:
        self._decode = msgpack.Decoder(Answer).decode
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def bill(self, body: bytes, content_type: str) -> list[Call | NotBilled]:
        """Raises EOFError or OSError where the process has ended."""
        self._socket.send_bytes(content_type.encode())
        self._socket.send_bytes(body)
        answer: Answer = self._decode(self._socket.recv_bytes())
        if isinstance(answer, Refused):
            raise DecodeError(answer.reason, answer.status)
        return answer

    def replace(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                _COMMAND,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
        self._socket = Connection(ours.detach())
