"""Asking the policy engine or the cache: one question a call, answered by its document, or told on stderr with an exit
code.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, ParamSpec

import httpx

from .answers import key_refused, reason
from .client import connect
from .console import fail, misuse

__all__ = ["Caches", "NoAnswerError", "Policies", "said"]

P = ParamSpec("P")
_WITHIN_S = 30.0


class NoAnswerError(Exception):
    """What was asked was not done; what there is to say has been said, and `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def said(work: Callable[P, int]) -> Callable[P, int]:
    """The exit code of what was told already, where a service did not do it."""

    @wraps(work)
    def whole(*given: P.args, **named: P.kwargs) -> int:
        try:
            return work(*given, **named)
        except NoAnswerError as problem:
            return problem.code

    return whole


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy engine at `url`, as `verb` asks it."""

    verb: str
    url: str
    api_key: str | None

    service: ClassVar[str] = "policy engine"
    option: ClassVar[str] = "--policies"
    starts: ClassVar[str] = "switchgear up"

    def get(self, path: str, params: Mapping[str, str] = {}) -> dict[str, Any]:
        """The document at `path`. Raises NoAnswerError."""
        return self._ask("GET", path, params=dict(params))

    def write(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do it once, however often it is sent, and return the answer. Raises NoAnswerError."""
        return self._ask("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    def end(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """End what is at `path`, and return the answer. Raises NoAnswerError."""
        return self._ask("DELETE", path, params=dict(params))

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            with connect(self.url, self.api_key, timeout_s=_WITHIN_S) as client:
                answer = client.request(method, path, **more)
            return self._found(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            code = fail(
                f"{self.verb}: no {self.service} answers at {self.url} ({problem}); start one with: {self.starts}"
            )
        except UnicodeEncodeError:
            code = misuse(f"{self.verb}: SWITCHGEAR_API_KEY holds a character that no key has")
        except ValueError:
            code = fail(
                f"{self.verb}: what answers at {self.url} is no {self.service}; name one with {self.option}"
            )
        raise NoAnswerError(code)

    def _found(self, answer: httpx.Response) -> dict[str, Any]:
        """What was answered. Raises NoAnswerError for a refusal, ValueError where no engine answers so."""
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise NoAnswerError(fail(f"{self.verb}: {key_refused(answer, f'the {self.service}')}"))
        if answer.is_client_error:
            raise NoAnswerError(misuse(f"{self.verb}: {reason(answer)}"))
        if not answer.is_success:
            raise NoAnswerError(
                fail(f"{self.verb}: the {self.service} answered {answer.status_code}: {reason(answer)}")
            )
        found = answer.json() if answer.content else {}
        if not isinstance(found, dict):
            raise ValueError("no document")  # noqa: TRY004 - as whatever else is none
        return found


class Caches(Policies):
    """The cache service at `url`, as `verb` asks it."""

    __slots__ = ()
    service = "cache"
    option = "--cache"
    starts = "switchgear serve cache"
