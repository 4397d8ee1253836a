"""Answers to scopes that ask again and again, as bytes: put together from what was told before, as far as it holds.

A decision tells of one account, often the same for many scopes (a tenant's), so that what is said of it is kept and
shared. It is told anew when something was held, spent or given back there, when a breaker moved anywhere, and after a
second at the latest where amounts and projections also move by time alone. A scope's decision keeps its id while what
it says stays the same but for amounts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from collector.asgi import Message
from switchgear.decision import Decision

from .accounts import Account
from .bodies import ScopeQuery, read_query
from .caching.rules import suffix_of
from .engine import Engine
from .judge import Verdict, tag_of
from .model import Overrun, PolicySet, Who

__all__ = ["Answers", "Asked"]

_TOLD_FOR_S = 1.0
# Of what time alone does not change; a decision is valid for thirty seconds.
_STILL_TOLD_FOR_S = 10.0
_MOST_KEPT = 50_000


class _Told(NamedTuple):
    """What a decision says of an account, as of `at`: JSON without its braces and what is the scope's own."""

    decision: Decision
    text: bytes
    tag: str
    at: float


@dataclass(slots=True)
class Asked:
    """A query, and the last answer to it: both its messages, made before they are sent."""

    query: ScopeQuery
    who: Who
    cache: bytes = b"null"
    """What the policy set says of the scope's answers, as JSON, and what its tag ends with for that."""
    suffix: str = ""
    tag: str = ""
    at: float = 0.0
    start: Message = field(default_factory=dict)
    body: Message = field(default_factory=dict)
    id: str = ""
    version: int = -1
    told: _Told | None = None
    wraps_up: bool = False
    share: float | None = None


class Answers:
    """Remembers queries and answers of one engine; belongs to its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._policies: PolicySet | None = None
        self._asked: dict[bytes, Asked] = {}
        self._told: dict[tuple[Account | None, str, Overrun], _Told] = {}

    def asked(self, query: bytes) -> Asked:
        """The scope that a query string names. Raises BadBodyError."""
        if self._policies is not self._engine.policies:
            # A workload's tier and owner, and the terms of its answers, are the policy set's to say.
            self._policies = self._engine.policies
            self._asked.clear()
        asked = self._asked.get(query)
        if asked is None:
            read = read_query(query)
            caching = self._policies.caching.of(read.tenant, read.workload)
            cache = orjson.dumps(None if caching is None else caching.document)
            asked = Asked(read, read.who(self._policies), cache, suffix_of([caching]))
            if len(self._asked) >= _MOST_KEPT:
                self._asked.clear()
            self._asked[query] = asked
        return asked

    def answer(self, asked: Asked, now: float) -> None:
        """Bring the answer up to date."""
        verdict = self._engine.verdict(asked.who, now)
        told = self._tell(verdict, now)
        asked.at = now
        share = self._engine.queue.share(asked.who, now)
        if told is asked.told and verdict.wrap_up == asked.wraps_up and share == asked.share:
            return
        version, tag = self._engine.version, told.tag + asked.suffix
        if tag != asked.tag or version != asked.version:
            decision = self._engine.retold(asked.who, told.decision, wrap_up=verdict.wrap_up)
            asked.id, asked.tag, asked.version = decision.id, tag, version
        asked.told, asked.wraps_up, asked.share = told, verdict.wrap_up, share
        body = b'{"id":"%b",%b,"share":%b,"wrap_up":%b,"cache":%b}' % (
            asked.id.encode(), told.text, orjson.dumps(share), b"true" if verdict.wrap_up else b"false", asked.cache,
        )  # fmt: skip
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"etag", b'"%b"' % asked.tag.encode()),
        ]
        asked.start = {"type": "http.response.start", "status": 200, "headers": headers}
        asked.body = {"type": "http.response.body", "body": body}

    def holds(self, asked: Asked) -> bool:
        """Whether no breaker has moved since the last answer: only its amounts may be other ones now."""
        return asked.version == self._engine.version

    def _tell(self, verdict: Verdict, now: float) -> _Told:
        account = verdict.account
        # Scopes whose tightest ceiling is the same one may differ in what their other ceilings say of overruns.
        key = account, verdict.reason, verdict.overrun
        told = self._told.get(key)
        if (
            told is not None
            and told.decision.action is verdict.action
            and told.decision.version == self._engine.version
            and (account is None or account.meter.read_at <= told.at)
            and now - told.at < (_STILL_TOLD_FOR_S if account and account.meter.is_still else _TOLD_FOR_S)
        ):
            return told
        decision = self._engine.judge.told(verdict, self._engine.version, now)
        wire = decision.to_wire()
        del wire["id"], wire["share"], wire["wrap_up"], wire["cache"]
        told = _Told(decision, orjson.dumps(wire)[1:-1], tag_of([verdict]), now)
        if len(self._told) >= _MOST_KEPT:
            self._told.clear()
        self._told[key] = told
        return told
