"""The cache of many processes, behind the endpoint of `switchgear serve cache`.

A look-up may never hold an agent up: one that is not answered at once is a miss, and so is every other for some seconds
after it. Nothing here raises.
"""

from __future__ import annotations

import base64
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..errors import ConfigError
from ..jitter import JITTER
from .model import Answer, Look, Mode, Namespace, Outcome, Question, Terms
from .terms import document_of

__all__ = ["RemoteCache"]

_log = logging.getLogger("switchgear")

_LOOKS_WITHIN_S = 0.2
_LEARNS_WITHIN_S = 2.0
_AWAY_S, _LONGEST_AWAY_S = 2.0, 30.0
"""For how long it is not asked again after it did not answer; twice that after the next time, up to the longest."""
_WARN_EVERY_S = 60.0
# As many as a process has look-ups under way.
_CONNECTIONS = 16
# Below the five seconds after which common servers close an idle connection.
_IDLE_S = 2.0
# What is longer is neither sent nor taken there: a whole request, twice in base64, with room for the rest.
_MOST_BYTES = 2 << 20
_MISS = Look(Outcome.MISS)
# What no time mends: a key that is none, another service.
_REFUSALS = frozenset({400, 401, 403, 405, 413, 422})


class RemoteCache:
    """Asks the endpoint at `url`. With whom answers are shared it knows by itself: no client can say.

    `look_within_s` and `learn_within_s` are for each step of an exchange: to connect, to write, to read. Raises
    ConfigError for a URL that is none.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        look_within_s: float = _LOOKS_WITHIN_S,
        learn_within_s: float = _LEARNS_WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Here, as it takes longer to import than all the rest.
        import httpx

        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url!r} is no URL of a cache; write one such as http://127.0.0.1:8720")
        headers = {"content-type": "application/json"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        try:
            self._client = httpx.Client(
                base_url=url,
                headers=headers,
                limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_IDLE_S),
                verify=_tls(url),
                trust_env=False,
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as problem:
            raise ConfigError(f"the cache at {url!r} cannot be asked: {type(problem).__name__}") from None
        self._errors = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)
        self._look_within_s, self._learn_within_s = look_within_s, learn_within_s
        self._clock = clock
        self._lock = threading.Lock()
        self._away_until = self._away_s = 0.0
        self._warned_at = -_WARN_EVERY_S
        self._closed = False

    def quick(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look | None:
        """What needs no asking: a request of a kind that is not looked up, or nobody there who could be asked."""
        if terms.mode is Mode.OFF or (question.unfit is not None and question.unfit not in terms.allow):
            return Look(Outcome.BYPASS)
        too_long = len(question.exact) + len(question.setting) > 2 * _MOST_BYTES
        return _MISS if too_long or self._is_left_alone() else None

    def look(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look:
        """What the endpoint says; a miss where it says nothing in time."""
        known = self.quick(where, question, terms, now)
        if known is not None:
            return known
        asked = {
            "tenant": where.tenant,
            "workload": where.workload,
            "terms": document_of(terms),
            "question": {
                "exact": _text(question.exact),
                "setting": _text(question.setting),
                "wording": question.wording,
                "unfit": question.unfit,
            },
        }
        said = self._ask("look", asked, self._look_within_s)
        try:
            return _MISS if said is None else _look(said)
        except (KeyError, TypeError, ValueError):
            self._warn("it answers what is no look")
            return _MISS

    def learn(self, ticket: str, answer: Answer | None, now: datetime) -> Outcome:
        """What became of a call; a miss where nobody says."""
        kept = None
        if answer is not None:
            kept = {
                "content_type": answer.content_type,
                "body": _text(answer.body),
                "text": answer.text,
                "model": answer.model,
            }
        if self._is_left_alone():
            return Outcome.MISS
        said = self._ask("learn", {"ticket": ticket, "answer": kept}, self._learn_within_s)
        try:
            return Outcome.MISS if said is None else Outcome(said["outcome"])
        except (KeyError, TypeError, ValueError):
            self._warn("it answers what is no outcome")
            return Outcome.MISS

    def close(self) -> None:
        """Drop the connections. What is looked up from now on is a miss."""
        self._closed = True
        self._client.close()

    def _ask(self, verb: str, body: Mapping[str, Any], within_s: float) -> Mapping[str, Any] | None:
        """The document that is answered; None where there is none."""
        try:
            answer = self._client.post(
                f"/v1/cache:{verb}", content=json.dumps(body).encode(), timeout=within_s
            )
            said = answer.json() if answer.status_code == 200 else None
        except self._errors as problem:
            self._failed(type(problem).__name__)
            return None
        except (RuntimeError, ValueError):  # closed meanwhile; no JSON
            return None
        self._heard()
        if answer.status_code in _REFUSALS or (verb == "look" and answer.status_code == 404):
            self._warn(f"it answers {answer.status_code} to a {verb}")
        return said if isinstance(said, dict) else None

    def _is_left_alone(self) -> bool:
        return self._closed or self._clock() < self._away_until

    def _failed(self, why: str) -> None:
        with self._lock:
            now = self._clock()
            # Several that find out at once count as one.
            if now < self._away_until:
                return
            self._away_s = min(max(_AWAY_S, 2 * self._away_s), _LONGEST_AWAY_S)
            self._away_until = now + self._away_s * JITTER.uniform(0.5, 1.5)
        self._warn(f"it does not answer ({why}); calls are made without")

    def _heard(self) -> None:
        with self._lock:
            self._away_until = self._away_s = 0.0

    def _warn(self, why: str) -> None:
        """Say it, once a minute, with nothing of what was asked or answered."""
        now = self._clock()
        if now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            _log.warning("the cache at %s: %s", self._client.base_url, why)


def _tls(url: str) -> ssl.SSLContext:
    if url.startswith("https"):
        return ssl.create_default_context()
    # One that trusts somebody takes 25 ms to make, which plain HTTP has no need of.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _look(said: Mapping[str, Any]) -> Look:
    """The look in an answer. Raises KeyError, TypeError or ValueError where it is none."""
    outcome, served, kept_at = Outcome(said["outcome"]), said.get("served"), said.get("kept_at")
    if outcome.served != (served is not None):
        raise ValueError("what is served has an answer, and nothing else has")
    ticket = said.get("ticket")
    return Look(
        outcome,
        None if served is None else _answer(served),
        None if ticket is None else str(ticket),
        None if kept_at is None else datetime.fromisoformat(kept_at),
    )


def _answer(said: Mapping[str, Any]) -> Answer:
    model = said.get("model")
    return Answer(
        str(said["content_type"]),
        base64.b64decode(said["body"], validate=True),
        str(said["text"]),
        None if model is None else str(model),
    )
