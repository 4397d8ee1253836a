"""boto3's `bedrock-runtime` client: Converse and InvokeModel, streamed or not.

It is guarded where the client hands a request to its endpoint, serialised and not signed yet: there a call looks as it
does in HTTP, and the span that an instrumentation has begun for it is current.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from ..errors import ConfigError
from ..guard import Answer, Call, Failure, Script, Wire, current, drive
from ..request import read
from .events import metered
from .http import DEGRADED_FROM

if TYPE_CHECKING:
    from .cached import Use

__all__ = ["wrap_bedrock"]

_PROVIDER = "aws"
_SERVICE = "bedrock-runtime"
_MARK = "_switchgear_guards"
_STREAMED = {"ConverseStream": "stream", "InvokeModelWithResponseStream": "body"}
"""Where a streamed answer has its events."""
_OPERATIONS = ("Converse", "InvokeModel", *_STREAMED)
# It has the status of a throttled call, and comes from a model that is being loaded.
_NOT_READY = "ModelNotReadyException"
_UNAVAILABLE = 503
# In these headers InvokeModel counts for the models whose own bodies do not.
_COUNTED = {
    "inputTokens": "x-amzn-bedrock-input-token-count",
    "outputTokens": "x-amzn-bedrock-output-token-count",
    "cacheReadInputTokens": "x-amzn-bedrock-cache-read-input-token-count",
    "cacheWriteInputTokens": "x-amzn-bedrock-cache-write-input-token-count",
}


def wrap_bedrock(client: Any, cache: Use | None = None) -> bool:
    """Guard a boto3 client of Bedrock's runtime; False where it is none.

    From then on its calls are tried again by the guard, as often as the client's configuration says, and by botocore no
    more; its other operations are as they were. Raises ConfigError where it is to have a cache.
    """
    if not _is_client(client):
        return False
    if cache is not None and cache.asks:
        raise ConfigError(
            "wrap: cache= is for clients of OpenAI's, Anthropic's and Google's SDKs, and for chat models that call by "
            "those; a bedrock-runtime client has none: wrap it without"
        )
    if hasattr(client, _MARK):
        return True
    attempts = (client.meta.config.retries or {}).get("total_max_attempts")
    max_retries = None if attempts is None else max(0, attempts - 1)
    make = client._make_request

    def guarded(operation: Any, request: dict[str, Any], context: Any) -> Any:
        begun = _begin(operation.name, request, max_retries)
        if begun is None:
            return make(operation, request, context)
        call, script = begun
        http, parsed = drive(script, lambda body: make(operation, _with_body(request, body, call), context))
        if http.status_code < 400:
            if call.body is not None:
                parsed["ResponseMetadata"]["HTTPHeaders"][DEGRADED_FROM] = call.request.model
            _finish(operation.name, parsed, call)
        return http, parsed

    client._make_request = guarded
    _try_calls_once(client._endpoint)
    setattr(client, _MARK, guarded)
    return True


def _is_client(client: Any) -> bool:
    named = [(base.__module__, base.__name__) for base in type(client).__mro__]
    return ("botocore.client", "BaseClient") in named and client.meta.service_model.service_name == _SERVICE


def _try_calls_once(endpoint: Any) -> None:
    needs_retry = endpoint._needs_retry

    def guarded(attempts: int, operation: Any, *said: Any, **more: Any) -> Any:
        return operation.name not in _OPERATIONS and needs_retry(attempts, operation, *said, **more)

    endpoint._needs_retry = guarded


def _begin(
    operation: str, request: dict[str, Any], max_retries: int | None
) -> tuple[Call, Script[Any]] | None:
    """The guarded call that a request makes, and its script; None where it is none."""
    guard = current()
    if guard is None or operation not in _OPERATIONS:
        return None
    body = request["body"]
    if hasattr(body, "read"):
        request["body"] = body = body.read()
    content = body.encode() if isinstance(body, str) else bytes(body)
    found = read(_PROVIDER, request["method"], unquote(request["url_path"]), content)
    call = None if found is None else guard.begin(found, None)
    if call is None:
        return None
    return call, guard.making(call, Wire(_answer, _failure), max_retries)


def _with_body(request: dict[str, Any], body: bytes | None, call: Call) -> dict[str, Any]:
    """The request with another body, and for another model, where the decision says so, else the request itself."""
    if body is None:
        return request
    if call.model is None:
        return {**request, "body": body}
    path = request["url_path"]
    other = f"/model/{quote(call.model, safe='')}/{path.rpartition('/')[2]}"
    return {**request, "body": body, "url": request["url"].replace(path, other, 1)}


def _answer(response: tuple[Any, Mapping[str, Any]]) -> Answer:
    http, parsed = response
    not_ready = parsed.get("Error", {}).get("Code") == _NOT_READY
    return Answer(_UNAVAILABLE if not_ready else http.status_code, _headers(parsed))


def _headers(parsed: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return found


def _failure(error: BaseException) -> Failure:
    """An attempt that raised: botocore's own errors but those of HTTP come before anything is sent."""
    exceptions = importlib.import_module("botocore.exceptions")
    if isinstance(error, exceptions.ConnectionError):
        return Failure(sent=False, passing=True)
    if isinstance(error, exceptions.HTTPClientError):
        return Failure(sent=True, passing=True)
    return Failure(sent=not isinstance(error, exceptions.BotoCoreError), passing=False)


def _finish(operation: str, parsed: dict[str, Any], call: Call) -> None:
    if operation == "Converse":
        call.settle_from(parsed)
    elif operation == "InvokeModel":
        _settle_invoked(parsed, call)
    else:
        name = _STREAMED[operation]
        parsed[name] = metered(parsed[name], call)


def _settle_invoked(parsed: dict[str, Any], call: Call) -> None:
    """Read the answer, which is there as a stream, and put it back as one."""
    stream = parsed["body"]
    try:
        content = stream.read()
    except BaseException:
        call.settle(None)
        raise
    parsed["body"] = type(stream)(BytesIO(content), len(content))
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    told = body if isinstance(body, dict) else {}
    if not told.get("usage"):
        told = {"id": told.get("id"), "usage": _counted(_headers(parsed))}
    # Bedrock's prices are of the model that was asked for; in the body its maker calls it by another name.
    call.settle_from({**told, "model": None})


def _counted(headers: Mapping[str, str]) -> dict[str, int]:
    found = {name: headers.get(header, "") for name, header in _COUNTED.items()}
    return {name: int(count) for name, count in found.items() if count.isdecimal()}
