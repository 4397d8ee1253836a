"""Cached: how the calls of an HTTP client use the answer cache, and the responses by which they are served.

Imported only where a client asks for a cache.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from ..cache.answers import answer_of
from ..cache.model import Answer, Look, Mode, Terms
from ..errors import ConfigError
from ..guard import Call, Script, Wire, current, is_off
from ..guard.guard import Guard
from ..guard.served import Asking, answering
from ..request import CallRequest
from .http import settle

__all__ = ["Use", "use_of"]

_log = logging.getLogger("switchgear")

_OUTCOME = "x-switchgear-cache"
# Headers by which a provider's API is asked for in another form, or with what is not in its usual one.
_TELLING = ("anthropic-version", "anthropic-beta", "openai-beta")
# Gemini takes its key in the address, too: it says who asks, and is never kept.
_WHO = "key"


class Use:
    """How a client's calls use the cache: by a mode, and what policies say beside it, or by terms."""

    def __init__(self, wants: Mode | Terms) -> None:
        self._wants = wants

    @property
    def asks(self) -> bool:
        """Whether it may do anything."""
        wants = self._wants
        return (wants.mode if isinstance(wants, Terms) else wants) is not Mode.OFF

    def script(
        self,
        guard: Guard,
        call: Call,
        wire: Wire,
        max_retries: int | None,
        request: Any,
        *,
        volatile: bool,
        streamed: bool,
    ) -> Script[Any]:
        """The script of a call that asks the cache first."""
        caching = guard.caching
        if caching is None:
            return guard.making(call, wire, max_retries)
        asking = Asking(
            self._wants,
            _at(request),
            volatile,
            streamed,
            partial(_replayed, request, streamed=streamed),
            partial(_answer, call.request),
            partial(settle, call=call),
        )
        return answering(guard, caching, call, wire, max_retries, asking)


def use_of(what: str, cache: str | Terms) -> Use | None:
    """How a client is to use the cache, as `what` was told; None where guarding is off, and with it the cache.

    Raises ConfigError for a mode that there is not, and where no cache is configured.
    """
    try:
        wants = cache if isinstance(cache, Terms) else Mode(cache)
    except ValueError:
        raise ConfigError(f"{what}: cache={cache!r} is unknown; there are: {', '.join(Mode)}") from None
    use, guard = Use(wants), current()
    if not use.asks:
        return use
    if guard is None and is_off():
        _log.warning("%s: a cache is asked for and there is none, since guarding is off", what)
        return None
    if guard is None or guard.caching is None:
        raise ConfigError(
            f"{what}: cache= needs a place for the answers; give it one before: sg.configure(cache=...) or "
            "SWITCHGEAR_CACHE, a folder or the URL of a cache service"
        )
    return use


def _at(request: Any) -> dict[str, str]:
    """Where a request goes, and what of its headers may change the answer: two servers may name two models alike."""
    url = request.url
    said = {name: value for name in _TELLING if (value := request.headers.get(name)) is not None}
    query = sorted((name, value) for name, value in url.params.multi_items() if name != _WHO)
    asked = {"query": repr(query)} if query else {}
    return {"host": url.netloc.decode("ascii"), "path": url.path, **asked, **said}


def _replayed(request: Any, look: Look, *, streamed: bool) -> Any:
    """What is served as a response of the library by which it was asked for; of a stream all events come at once."""
    served = look.served
    if served is None:
        raise ValueError("nothing is served")
    headers = {"content-type": served.content_type, _OUTCOME: look.outcome.value}
    if look.kept_at is not None:
        age = (datetime.now(UTC) - look.kept_at).total_seconds()
        headers["age"] = str(max(0, int(age)))
    library = sys.modules[type(request).__module__.partition(".")[0]]
    body = {"stream": library.ByteStream(served.body)} if streamed else {"content": served.body}
    response = library.Response(200, headers=headers, request=request, **body)
    response.elapsed = timedelta(0)
    return response


def _answer(request: CallRequest, response: Any) -> Answer | None:
    kind = response.headers.get("content-type", "")
    return answer_of(request, response.status_code, kind, response.content)
