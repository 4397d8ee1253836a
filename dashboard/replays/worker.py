"""The worker: `python -m dashboard.replays.worker`. One question over its pipes, and it is done.

It is asked with a question, then gets the calls page by page, and an empty page after the last. It tells how far it is,
and last of all the answer, or the error. It is nicer than the dashboard, and takes no more than it may.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any

from analytics.prices import PriceBook
from collector.queries.sandbox.channel import Channel, unpacked
from policies.files import PolicyFileError
from policies.trials.effects import MixedCurrenciesError

from .question import Question, answer

__all__ = ["main"]

_NICER = 5
_TOLD_EVERY_S = 0.3


def main() -> None:
    """Answer the one question on standard input."""
    channel = Channel(sys.stdin.fileno(), sys.stdout.fileno())
    asked, _ = channel.receive()
    os.nice(_NICER)
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (asked["cpu_s"],) * 2)
    pages = []
    while (page := channel.receive()[1]).nbytes:
        pages.append(unpacked(page))
    told_at = time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _TOLD_EVERY_S:
            told_at = time.monotonic()
            channel.send({"what": what, "done": done, "total": total})

    said: dict[str, Any]
    try:
        said = {"answer": answer(Question.told(asked["question"]), pages, PriceBook().quote, progress)}
    except (PolicyFileError, MixedCurrenciesError) as problem:
        said = {"error": str(problem)}
    except MemoryError:
        said = {"error": "it needs more memory than there is for one back-test; choose a shorter range"}
    channel.send(said)


if __name__ == "__main__":
    main()
