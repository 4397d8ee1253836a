"""The two services over HTTP: the newest answer to each question, or the last good one with what went wrong.

Everyone who opens the dashboard sees with its one key, so answers are kept by question. Nothing here opens a file.
"""

from __future__ import annotations

import io
import json
import os
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock
from typing import Any

import httpx
import pyarrow as pa

__all__ = ["Answer", "Service", "Services"]

_KEPT = 256
_TIMEOUT_S = 4.0
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said at `at`. With `error` set, `value` is its last good answer, None if there was none."""

    value: Any
    at: datetime | None
    error: str | None = None


@dataclass(slots=True)
class _Kept:
    question: str
    value: Any
    at: datetime
    monotonic: float


class Service:
    """One service. Threads may share it; answers younger than a question's `max_age_s` are not asked for again."""

    def __init__(
        self, name: str, url: str, api_key: str | None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.name = name
        self.url = url
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=_TIMEOUT_S,
            verify=ssl.create_default_context(),
            trust_env=False,
            transport=transport,
        )
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = Lock()

    def document(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        max_age_s: float = 0.0,
        topic: str | None = None,
    ) -> Answer:
        """A JSON document; numbers with a point are Decimal. See `report` for `topic`."""
        return self._ask(path, params or {}, _json, max_age_s, topic)

    def report(
        self, name: str, params: Mapping[str, str], *, max_age_s: float = 0.0, topic: str | None = None
    ) -> Answer:
        """A named report as an Arrow table, its amounts decimal128.

        `topic` names a question whose range moves on with time, so that its last good answer is found again:
        "the last hour" a minute ago stands in for the last hour now.
        """
        return self._ask(f"/v1/reports/{name}", {**params, "format": "arrow"}, _arrow, max_age_s, topic)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ask(
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[bytes], Any],
        max_age_s: float,
        topic: str | None,
    ) -> Answer:
        question = json.dumps([path, sorted(params.items())])
        topic = topic or question
        with self._lock:
            kept = self._kept.get(topic)
        if kept is not None and kept.question == question and time.monotonic() - kept.monotonic < max_age_s:
            return Answer(kept.value, kept.at)
        try:
            value = self._get(path, params, read)
        except (httpx.HTTPError, httpx.InvalidURL, pa.ArrowInvalid, ValueError) as problem:
            return Answer(kept.value if kept else None, kept.at if kept else None, _said(problem))
        fresh = _Kept(question, value, datetime.now(UTC), time.monotonic())
        with self._lock:
            self._kept[topic] = fresh
            self._kept.move_to_end(topic)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return Answer(fresh.value, fresh.at)

    def _get(self, path: str, params: Mapping[str, str], read: Callable[[bytes], Any]) -> Any:
        answer = self._client.get(path, params=dict(params))
        answer.raise_for_status()
        return read(answer.content)


class Services:
    """The collector and the policy engine, asked side by side."""

    def __init__(self, collector: Service, policies: Service) -> None:
        self.collector = collector
        self.policies = policies
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="services")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Services:
        """The services that SWITCHGEAR_COLLECTOR, SWITCHGEAR_POLICIES and SWITCHGEAR_API_KEY name."""
        key = environment.get("SWITCHGEAR_API_KEY")
        collector = environment.get("SWITCHGEAR_COLLECTOR", "http://127.0.0.1:4318")
        policies = environment.get("SWITCHGEAR_POLICIES", "http://127.0.0.1:8700")
        return cls(Service("collector", collector, key), Service("policy engine", policies, key))

    def close(self) -> None:
        """End the threads and give the connections back."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.collector.close()
        self.policies.close()

    def together(self, questions: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
        """The answers to several questions, each asked in its own thread."""
        asked: dict[str, Future[Answer]] = {
            name: self._threads.submit(ask) for name, ask in questions.items()
        }
        return {name: answer.result() for name, answer in asked.items()}


def _json(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal)


def _arrow(body: bytes) -> pa.Table:
    with pa.ipc.open_stream(io.BytesIO(body)) as stream:
        return stream.read_all()


def _said(problem: Exception) -> str:
    if isinstance(problem, httpx.HTTPStatusError):
        if problem.response.status_code == httpx.codes.UNAUTHORIZED:
            return "it wants a key; set SWITCHGEAR_API_KEY for the dashboard"
        if problem.response.status_code == httpx.codes.FORBIDDEN:
            return "the dashboard's key may not ask this; give it one with the scope read"
        return f"it answered {problem.response.status_code}"
    if isinstance(problem, httpx.TimeoutException):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    if isinstance(problem, httpx.HTTPError):
        return "it cannot be reached"
    return "its answer cannot be read"
