"""Sending: requests to a collector over a few connections, each sent again until it is taken."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from queue import LifoQueue
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..children import DemoError
from .made import Body

__all__ = ["Sender"]

_CONNECTIONS = 4
# So many are made ahead: enough that no connection waits for the next, and few enough to be no weight.
_AHEAD = 3 * _CONNECTIONS
_RETRIED = frozenset({429, 503})
_COME_AGAIN_S = 0.05
_TRIES = 1_200
_TIMEOUT_S = 60.0


class Sender:
    """Sends to the collector at `url`, as history: spans of any age are taken. Close it."""

    def __init__(self, url: str, api_key: str) -> None:
        target = urlsplit(url)
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/x-protobuf",
            "Switchgear-History": "true",
        }
        self._idle: LifoQueue[HTTPConnection] = LifoQueue()
        for _ in range(_CONNECTIONS):
            self._idle.put(HTTPConnection(target.hostname or "", target.port, timeout=_TIMEOUT_S))

    def close(self) -> None:
        """Close the connections."""
        while not self._idle.empty():
            self._idle.get().close()

    def send(self, bodies: Iterable[Body], taken: Callable[[Body], None]) -> None:
        """Send all; `taken` is called for each that is on the collector's disk. Raises DemoError where one is not."""
        waiting: deque[tuple[Body, Future[None]]] = deque()
        with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="history-send") as threads:
            try:
                for body in bodies:
                    waiting.append((body, threads.submit(self._post, body.content)))
                    if len(waiting) >= _AHEAD:
                        _first(waiting, taken)
                while waiting:
                    _first(waiting, taken)
            finally:
                threads.shutdown(cancel_futures=True)

    def _post(self, content: bytes) -> None:
        for _ in range(_TRIES):
            status, answer = self._answer(content)
            if status not in _RETRIED:
                break
            time.sleep(_COME_AGAIN_S)
        if status != HTTPStatus.OK:
            raise DemoError(f"the collector answered {status} to the calls that were sent")
        said = ExportTraceServiceResponse.FromString(answer).partial_success
        if said.rejected_spans:
            raise DemoError(f"the collector rejected {said.rejected_spans} spans: {said.error_message}")

    def _answer(self, content: bytes) -> tuple[int, bytes]:
        connection = self._idle.get()
        try:
            try:
                return self._asked(connection, content)
            except ConnectionError:
                # While a week was made it was idle for longer than the collector keeps it. What was taken counts once.
                connection.close()
                return self._asked(connection, content)
        except (OSError, HTTPException) as problem:
            raise DemoError(f"the connection to the collector broke: {problem!r}") from problem
        finally:
            self._idle.put(connection)

    def _asked(self, connection: HTTPConnection, content: bytes) -> tuple[int, bytes]:
        """Connects where the connection is closed."""
        connection.request("POST", "/v1/traces", content, self._headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _first(waiting: deque[tuple[Body, Future[None]]], taken: Callable[[Body], None]) -> None:
    body, sent = waiting.popleft()
    sent.result()
    taken(body)
