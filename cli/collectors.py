"""Asking the collector for what takes long: one question a call, with its progress told on stderr meanwhile."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from .answers import key_refused, reason, stranger
from .asking import NoAnswerError
from .client import connect
from .console import fail, misuse, note

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Asked"]

_FAULT = HTTPStatus.INTERNAL_SERVER_ERROR.phrase
"""All that is answered where something was thrown that nobody expected."""
_WITHIN_S = 1800.0
_PROGRESS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The collector at `url`, as `verb` asks it."""

    verb: str
    url: str
    api_key: str | None
    as_json: bool = False
    progress: str | None = None
    """Where it tells what is under way."""

    def get(self, path: str, params: Mapping[str, Any] = {}) -> dict[str, Any]:
        """The document at `path`. Raises NoAnswerError."""
        return self._document(self._answer("GET", path, params=dict(params)))

    def text(self, path: str, params: Mapping[str, Any] = {}) -> str:
        """The text at `path`. Raises NoAnswerError."""
        return self._answer("GET", path, params=dict(params)).text

    def write(self, path: str, body: Mapping[str, Any], method: str = "POST") -> dict[str, Any]:
        """Do it once, and return the answer. Raises NoAnswerError."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._document(self._answer(method, path, json=dict(body), headers=headers))

    def tables(self, asked: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[pa.Table]:
        """The reports of these names with these parameters, each when it is wanted. Raises NoAnswerError."""
        import pyarrow as pa

        with self._client() as client:
            for name, params in asked:
                answer = client.get(f"/v1/reports/{name}", params={**params, "format": "arrow"})
                with pa.ipc.open_stream(self._checked(answer).content) as stream:
                    yield stream.read_all()

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self._client() as client, self._telling(client):
            return self._checked(client.request(method, path, **more))

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        """A client; what goes wrong is said. Raises NoAnswerError."""
        try:
            with connect(self.url, self.api_key, timeout_s=_WITHIN_S) as client:
                yield client
                return
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            code = fail(
                f"{self.verb}: no collector answers at {self.url} ({problem}); start one with: switchgear up"
            )
        except UnicodeEncodeError:
            code = misuse(f"{self.verb}: SWITCHGEAR_API_KEY holds a character that no key has")
        except ValueError:
            code = fail(f"{self.verb}: {stranger(self.url)}")
        raise NoAnswerError(code)

    def _document(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NoAnswerError(fail(f"{self.verb}: {stranger(self.url)}"))
        return found

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        """An answer that is one. Raises NoAnswerError, and ValueError where no collector answers so."""
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise NoAnswerError(fail(f"{self.verb}: {key_refused(answer)}"))
        if answer.text == _FAULT:
            raise NoAnswerError(fail(f"{self.verb}: {self.url} failed on it; its own log says why"))
        said = f"{self.verb}: {reason(answer)}"
        refused = answer.status_code in (httpx.codes.CONFLICT, httpx.codes.FORBIDDEN)
        raise NoAnswerError(misuse(said) if answer.is_client_error and not refused else fail(said))

    @contextmanager
    def _telling(self, client: httpx.Client) -> Iterator[None]:
        """Say on stderr now and then how far it is."""
        if self.progress is None:
            yield
            return
        done = threading.Event()

        def follow() -> None:
            while not done.wait(_PROGRESS_EVERY_S):
                # What cannot be told now is told later, or by the answer itself.
                with suppress(httpx.HTTPError, ValueError, AttributeError):
                    found = client.get(self.progress or "").json().get("under_way")
                    if found:
                        self._tell(found)

        watching = threading.Thread(target=follow, name="progress", daemon=True)
        watching.start()
        try:
            yield
        finally:
            done.set()
            watching.join()

    def _tell(self, found: Mapping[str, Any]) -> None:
        if self.as_json:
            sys.stderr.write(json.dumps(found) + "\n")
            sys.stderr.flush()
        else:
            note(f"{self.verb}: {found['what']}, {found['step']}: {found['done']:,} of {found['of']:,}")
