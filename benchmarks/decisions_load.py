"""Load: spans at an even pace into the collector, beside what is measured. A process of its own."""

from __future__ import annotations

import http.client
import time
from random import Random
from urllib.parse import urlsplit

from beside import Beside
from decisions_scene import Scene
from load import PROTOBUF, Request
from spans import ONE_IN_FOUR

__all__ = ["SPANS_PER_S", "spans"]

SPANS_PER_S = 10_000
_RETRIED = frozenset({429, 503})


def spans(scene: Scene, seconds: float) -> Beside[float]:
    """One connection that sends a request whenever one is due, one span in four billable; spans acknowledged a second.

    Its value raises RuntimeError for an answer that no retry mends.
    """
    return Beside(_send, scene.collector.traces, scene.key, seconds)


def _send(url: str, key: str, seconds: float) -> float:
    request, random = Request(ONE_IN_FOUR), Random(4)
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
    headers = {"Content-Type": PROTOBUF, "Authorization": f"Bearer {key}"}
    body = bytearray(request.encoded)
    began = due = time.perf_counter()
    acknowledged = 0
    while due < began + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        request.stamp(body, random, time.time_ns() - 1_000_000_000)
        connection.request("POST", target.path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            acknowledged += request.spans
        elif answer.status not in _RETRIED:
            raise RuntimeError(f"{url} answered {answer.status}")
        due += request.spans / SPANS_PER_S
    return acknowledged / (time.perf_counter() - began)
