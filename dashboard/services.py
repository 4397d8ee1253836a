"""The two services over HTTP: the newest answer to each question, or the last good one with what went wrong.

Each viewer has clients of their own, which ask with what that viewer came with and keep that viewer's answers alone.
Nothing here opens a file.
"""

from __future__ import annotations

import io
import json
import os
import ssl
import time
import uuid
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

__all__ = ["Answer", "Reply", "Service", "Services"]

_KEPT = 256
_TIMEOUT_S = 4.0
_THREADS = 8
_LONG_KEPT = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said at `at`. With `error` set, `value` is its last good answer, None if there was none.

    `status` is the HTTP status of what it said now; None where it said nothing. What a viewer may no longer see is not
    shown from before.
    """

    value: Any
    at: datetime | None
    error: str | None = None
    status: int | None = None

    @property
    def is_denied(self) -> bool:
        """Whether the viewer may not ask this: no fault of the service."""
        return self.status == httpx.codes.FORBIDDEN


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of something that was done, or of a file: `error` says in the service's words what did not work."""

    status: int | None
    value: Any = None
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
        timeout_s: float = _TIMEOUT_S,
    ) -> Answer:
        """A JSON document; numbers with a point are Decimal. See `report` for `topic`."""
        return self._ask(path, params or {}, _json, max_age_s, topic, timeout_s)

    def kept(
        self, path: str, params: Mapping[str, str] | None = None, *, max_age_s: float, topic: str
    ) -> Answer | None:
        """What `document` would answer without asking; None where it would ask."""
        return self._fresh(_question(path, params or {}), max_age_s, topic)

    def report(
        self,
        name: str,
        params: Mapping[str, str],
        *,
        max_age_s: float = 0.0,
        topic: str | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> Answer:
        """A named report as an Arrow table, its amounts decimal128.

        `topic` names a question whose range moves on with time, so that its last good answer is found again:
        "the last hour" a minute ago stands in for the last hour now.
        """
        asked = {**params, "format": "arrow"}
        return self._ask(f"/v1/reports/{name}", asked, _arrow, max_age_s, topic, timeout_s)

    def metrics(self, *, max_age_s: float = 0.0) -> Answer:
        """The service's own counters and gauges by name and labels, as Prometheus writes them."""
        return self._ask("/metrics", {}, _samples, max_age_s, None, _TIMEOUT_S)

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = _TIMEOUT_S
    ) -> Reply:
        """Do something, once, however often the network tries; the JSON document that it answers."""
        once = {"Idempotency-Key": uuid.uuid4().hex}
        try:
            answer = self._client.request(
                method, path, json=None if body is None else dict(body), headers=once, timeout=timeout_s
            )
            if answer.is_success:
                return Reply(answer.status_code, _json(answer.content) if answer.content else None)
            return Reply(answer.status_code, None, _reason(answer))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
            return Reply(None, None, _said(problem))

    def file(
        self, path: str, params: Mapping[str, str] | None = None, *, timeout_s: float = _TIMEOUT_S
    ) -> Reply:
        """The bytes at a path, as they are."""
        try:
            answer = self._client.get(path, params=dict(params or {}), timeout=timeout_s)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            return Reply(None, None, _said(problem))
        if answer.is_success:
            return Reply(answer.status_code, answer.content)
        return Reply(answer.status_code, None, _reason(answer))

    def query(self, sql: str, *, timeout_s: float = _TIMEOUT_S) -> Reply:
        """The rows of one SELECT over the documented views, as an Arrow table."""
        asked = {"sql": sql, "params": [], "format": "arrow"}
        try:
            answer = self._client.post("/v1/query", json=asked, timeout=timeout_s)
            if answer.is_success:
                return Reply(answer.status_code, _arrow(answer.content))
            return Reply(answer.status_code, None, _reason(answer))
        except (httpx.HTTPError, httpx.InvalidURL, pa.ArrowInvalid, ValueError) as problem:
            return Reply(None, None, _said(problem))

    def forget(self) -> None:
        """Drop every answer that is kept: the viewer has no rights any more."""
        with self._lock:
            self._kept.clear()

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
        timeout_s: float,
    ) -> Answer:
        question = _question(path, params)
        topic = topic or question
        if (fresh := self._fresh(question, max_age_s, topic)) is not None:
            return fresh
        with self._lock:
            kept = self._kept.get(topic)
        try:
            value = self._get(path, params, read, timeout_s)
        except httpx.HTTPStatusError as refused:
            status = refused.response.status_code
            if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                with self._lock:
                    self._kept.pop(topic, None)
                kept = None
            return Answer(
                kept.value if kept else None, kept.at if kept else None, _reason(refused.response), status
            )
        except (httpx.HTTPError, httpx.InvalidURL, pa.ArrowInvalid, ValueError) as problem:
            return Answer(kept.value if kept else None, kept.at if kept else None, _said(problem))
        new = _Kept(question, value, datetime.now(UTC), time.monotonic())
        with self._lock:
            self._kept[topic] = new
            self._kept.move_to_end(topic)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return Answer(new.value, new.at, None, httpx.codes.OK)

    def _fresh(self, question: str, max_age_s: float, topic: str) -> Answer | None:
        """The kept answer to this very question, where it is young enough."""
        with self._lock:
            kept = self._kept.get(topic)
        if kept is None or kept.question != question or time.monotonic() - kept.monotonic >= max_age_s:
            return None
        return Answer(kept.value, kept.at, None, httpx.codes.OK)

    def _get(
        self, path: str, params: Mapping[str, str], read: Callable[[bytes], Any], timeout_s: float
    ) -> Any:
        answer = self._client.get(path, params=dict(params), timeout=timeout_s)
        answer.raise_for_status()
        return read(answer.content)


class Services:
    """The collector and the policy engine, asked side by side for one viewer."""

    def __init__(self, collector: Service, policies: Service) -> None:
        self.collector = collector
        self.policies = policies
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="services")
        self._under_way: OrderedDict[str, Future[Answer]] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def from_environment(
        cls, credential: str | None, environment: Mapping[str, str] = os.environ
    ) -> Services:
        """The services that SWITCHGEAR_COLLECTOR and SWITCHGEAR_POLICIES name, asked with a viewer's key or token."""
        collector = environment.get("SWITCHGEAR_COLLECTOR", "http://127.0.0.1:4318")
        policies = environment.get("SWITCHGEAR_POLICIES", "http://127.0.0.1:8700")
        return cls(
            Service("collector", collector, credential), Service("policy engine", policies, credential)
        )

    def close(self) -> None:
        """End the threads and give the connections back."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.collector.close()
        self.policies.close()

    def together(self, questions: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
        """The answers to several questions, each asked in its own thread."""
        asked = {name: self.ask(ask) for name, ask in questions.items()}
        return {name: answer.result() for name, answer in asked.items()}

    def ask(self, question: Callable[[], Answer]) -> Future[Answer]:
        """The answer to a question, once it is there."""
        return self._threads.submit(question)

    def meanwhile(self, topic: str, ask: Callable[[], Answer], *, start: bool) -> Answer | None:
        """The answer to a question that takes seconds, once it is there; the page goes on until then, and calls again.

        It is asked where `start` says so, once at a time. A good answer stays; after an error it can be asked again.
        """
        with self._lock:
            asked = self._under_way.get(topic)
            if asked is None:
                if start:
                    self._under_way[topic] = self._threads.submit(ask)
                return None
            if not asked.done():
                return None
            if asked.exception() is not None or asked.result().error:
                del self._under_way[topic]
            while len(self._under_way) > _LONG_KEPT:
                self._under_way.popitem(last=False)
        return asked.result()


def _question(path: str, params: Mapping[str, str]) -> str:
    return json.dumps([path, sorted(params.items())])


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem


def _samples(body: bytes) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in body.decode().splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _arrow(body: bytes) -> pa.Table:
    try:
        with pa.ipc.open_stream(io.BytesIO(body)) as stream:
            return stream.read_all()
    except (OSError, pa.ArrowException) as problem:
        # A table that ends too soon is an OSError for Arrow, which reads files in the same way.
        raise ValueError("it is no whole table") from problem


def _reason(answer: httpx.Response) -> str:
    """Why a service refused: in its own words, where it says them."""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return "your session or your key has ended: sign in again"
    try:
        told = _json(answer.content)
        detail = told.get("detail") or told.get("title") if isinstance(told, dict) else None
    except ValueError:
        detail = None
    return str(detail) if detail else f"it answered {answer.status_code}"


def _said(problem: Exception) -> str:
    if isinstance(problem, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(problem, httpx.HTTPError):
        return "it cannot be reached"
    return "its answer cannot be read"
