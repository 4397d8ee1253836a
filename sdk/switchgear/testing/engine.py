"""A stand-in for the policy engine: it speaks the routes that the SDK uses, and decides by script.

    with testing.decisions(testing.deny("over", after=2)) as engine:
        sg.configure(collector=engine.url, policies=engine.url)
        ...
        engine.asked, engine.settled

It holds no money and knows no ceilings. Each grant is for one call, so that the script is asked about every call. What
is sent to a collector it takes, too, and forgets.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from ..decision import Action, Decision
from ..usage import Usage
from .script import AwayError, Question, Script, decide
from .server import Reply, Request, Server

__all__ = ["Engine", "Settled", "decisions"]

_GRANT_LASTS_S = 300.0
_DECISION_LASTS_S = 60.0
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Settled:
    """A call that ended, as the engine was told. `usage` is None where the provider's counts did not come."""

    question: Question
    usage: Usage | None
    model: str | None
    response_id: str | None


@dataclass(slots=True)
class _Call:
    """One request for a grant: `due` is when it has its turn, in seconds of the monotonic clock."""

    question: Question
    due: float
    held: bool = False


class Engine:
    """What a script decided, and what it was told. Its methods may be called from any thread."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self.url = ""
        self._scripts = tuple(scripts)
        self._version = 1
        self._calls: dict[str, _Call] = {}
        self._settled: list[Settled] = []
        self._released: list[Question] = []
        self._lock = Lock()
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def asked(self) -> Sequence[Question]:
        """Every call that was asked about, in order; one that waits and asks again counts once."""
        with self._lock:
            return tuple(call.question for call in self._calls.values())

    @property
    def settled(self) -> Sequence[Settled]:
        """Every call that was made and has ended, in the order of their ends."""
        with self._lock:
            return tuple(self._settled)

    @property
    def released(self) -> Sequence[Question]:
        """Every call that was let go and then not billed: refused by the provider, or never sent."""
        with self._lock:
            return tuple(self._released)

    @property
    def in_flight(self) -> int:
        """How many calls were let go, and have not ended."""
        with self._lock:
            return sum(call.held for call in self._calls.values())

    def now(self, *scripts: Script) -> None:
        """Decide by these from now on; agents that follow their task's decision hear of it at once."""
        with self._lock:
            self._scripts = scripts
            self._version += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer a request."""
        self._loop = asyncio.get_running_loop()
        if (request.method, request.path) == ("POST", "/v1/traces"):
            reply.whole(200, b"", content_type="application/x-protobuf")
            return
        try:
            body = json.loads(request.body or b"{}")
            match request.method, request.path:
                case "POST", "/v1/grants":
                    answer = await self._grant(body)
                case "POST", "/v1/grants:finish":
                    answer = {
                        "finished": [self._finish(one["lease"], one["do"], one) for one in body["finished"]]
                    }
                case "POST", "/v1/decisions:batch":
                    answer = await self._follow(body["scopes"], body.get("etag"), body.get("wait", 0.0))
                case "GET", "/v1/decisions":
                    (answer,) = (await self._follow([dict(parse_qsl(request.query))], None, 0.0))["decisions"]
                case "POST", path if path.startswith("/v1/grants/"):
                    lease, _, verb = path.removeprefix("/v1/grants/").rpartition(":")
                    answer = self._finish(lease, verb, body)
                case "GET", "/healthz" | "/readyz":
                    answer = {}
                case _:
                    _problem(reply, 404, f"the stand-in has no {request.method} {request.path}")
                    return
        except AwayError:
            reply.reset()
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            _problem(reply, 422, f"{type(fault).__name__}: {fault}")
        else:
            reply.whole(200, json.dumps(answer).encode())

    async def _grant(self, body: Mapping[str, Any]) -> dict[str, Any]:
        id_, until = body["id"], time.monotonic() + min(body.get("wait", 0.0), _LONGEST_WAIT_S)
        with self._lock:
            call = self._calls.get(id_)
            if call is None:
                question = _question(body, len(self._calls) + 1)
                call = self._calls[id_] = _Call(question, time.monotonic())
                self._version += 1
                first = True
            else:
                first = False
        self._wake()
        decision = self._decide(call.question)
        if decision.action is not Action.THROTTLE:
            call.due = time.monotonic()
        elif first:
            call.due += decision.retry_after_s or 0.0
        await asyncio.sleep(max(0.0, min(until, call.due) - time.monotonic()))
        if decision.action is Action.DENY:
            return {"decision": decision.to_wire(), "grant": None}
        left_s = call.due - time.monotonic()
        if left_s > 0:
            return {"decision": replace(decision, retry_after_s=left_s).to_wire(), "grant": None}
        with self._lock:
            call.held = True
        return {"decision": decision.to_wire(), "grant": _granted(id_)}

    def _finish(self, lease: str, verb: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """What is told of a call. Told again, or of a call that was never let go, it changes nothing."""
        with self._lock:
            call = self._calls.get(lease.partition(":")[0])
            held = call is not None and call.held
            answer: dict[str, Any] = {"lease": lease, "held": held}
            if said.get("throttled_for_s") is not None:
                retry = {"allowed": True, "after_s": said["throttled_for_s"], "reason": "as scripted"}
                answer["retry"] = retry if held else None
            if call is not None and held and verb in ("settle", "release"):
                call.held = False
                if verb == "settle":
                    usage = Usage(**said["usage"]) if said.get("usage") is not None else None
                    told = Settled(call.question, usage, said.get("model"), said.get("response_id"))
                    self._settled.append(told)
                else:
                    self._released.append(call.question)
        return answer

    async def _follow(
        self, scopes: Sequence[Mapping[str, Any]], etag: str | None, wait_s: float
    ) -> dict[str, Any]:
        """What holds for each scope, once it is another than `etag` or the time is up."""
        until = time.monotonic() + min(wait_s, _LONGEST_WAIT_S)
        while etag == str(self._version) and (left_s := until - time.monotonic()) > 0:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), left_s)
            except TimeoutError:
                break
        with self._lock:
            number, version = len(self._calls), self._version
        found = [self._decide(_question(scope, number)) for scope in scopes]
        return {"etag": str(version), "decisions": [decision.to_wire() for decision in found]}

    def _decide(self, question: Question) -> Decision:
        with self._lock:
            scripts, version = self._scripts, self._version
        decision, now = decide(scripts, question), datetime.now(UTC)
        # A denial holds for the one call: the script is asked about the next one, too.
        lasts_s = 0.0 if decision.action is Action.DENY else _DECISION_LASTS_S
        return replace(
            decision,
            id=f"scripted-{version}",
            version=version,
            valid_until=now + timedelta(seconds=lasts_s),
        )

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@contextmanager
def decisions(*scripts: Script, port: int = 0) -> Iterator[Engine]:
    """A stand-in for the policy engine on this machine, which decides by these scripts: by default it allows all.

    `sg.configure(collector=engine.url, policies=engine.url)` follows it by the SDK's own way, and needs no service.
    """
    engine = Engine(scripts)
    with Server(engine, port=port) as server:
        engine.url = server.url
        yield engine


def _question(body: Mapping[str, Any], number: int) -> Question:
    return Question(
        number=number,
        tenant=body["tenant"],
        workload=body["workload"],
        tier=body.get("tier") or "batch",
        task=body.get("task"),
        task_id=body.get("task_id"),
        provider=body.get("provider") or "",
        model=body.get("model") or "",
        max_output_tokens=body.get("max_output_tokens"),
        needs=tuple(body.get("needs") or ()),
        attempt=body.get("attempt", 1),
    )


def _granted(id_: str) -> dict[str, Any]:
    expires_at = datetime.now(UTC) + timedelta(seconds=_GRANT_LASTS_S)
    return {
        "id": id_,
        "lease": f"{id_}:1",
        "amount": "0",
        "currency": "USD",
        "calls": 1,
        "each": "0",
        "most": "0",
        "expires_at": expires_at.isoformat(),
        "output_tokens": None,
    }


def _problem(reply: Reply, status: int, detail: str) -> None:
    body = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail}
    reply.whole(status, json.dumps(body).encode(), content_type="application/problem+json")
