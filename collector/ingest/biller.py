"""Biller: the process that reads and bills one body after another, so that this costs the collector's own nothing."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TypeAlias

from msgspec import Struct, msgpack

from .. import logs
from ..call import Call, NotBilled
from ..errors import DecodeError
from .body import bill_body

__all__ = ["LOG_FORM", "Answer", "Refused", "main"]

LOG_FORM = "SWITCHGEAR_LOG"
"""The variable that says how to log: "json" or "text"."""


class Refused(Struct, frozen=True):
    """The DecodeError that a body ended in."""

    reason: str
    status: int


Answer: TypeAlias = list[Call | NotBilled] | Refused
"""What the process says of a body, in MessagePack: half as much work to read as a pickle, and it holds no code."""


def main() -> None:
    """Answer on the socket 0 until nobody asks any more: the content type, then the body -> an `Answer`.

    An exception that `bill_body` does not promise ends the process, and so is seen by whoever asked.
    """
    encode = msgpack.Encoder().encode
    logs.start("collector", os.environ.get(LOG_FORM, logs.TEXT))
    # Ctrl-C reaches the whole group: what the collector has taken is still to be billed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, ConnectionError), Connection(os.dup(0)) as asked:
        while True:
            content_type = asked.recv_bytes().decode()
            body = asked.recv_bytes()
            try:
                answer: Answer = bill_body(body, content_type)
            except DecodeError as problem:
                answer = Refused(str(problem), problem.status)
            asked.send_bytes(encode(answer))


if __name__ == "__main__":
    main()
