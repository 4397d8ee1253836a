"""What LiteLLM's own objects say: who asks, what went wrong, and what was answered. Nothing of LiteLLM is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .proxied import Key

__all__ = ["body_of", "chain_of", "headers_of", "left_early", "model_of", "said_by"]

# LiteLLM's own user of whoever holds the master key.
_NOBODY = "default_user_id"


def said_by(key: Any, data: Mapping[str, Any]) -> tuple[Key, dict[str, Any], dict[str, Any]]:
    """What the proxy knows of who asks, and what the request says: its metadata and headers."""
    user = key.end_user_id or (key.user_id if key.user_id != _NOBODY else None)
    metadata: dict[str, Any] = {}
    # Where the provider's format has metadata of its own, LiteLLM keeps its own under the other name.
    for each in ("litellm_metadata", "metadata"):
        if isinstance(data.get(each), Mapping):
            metadata |= data[each]
    headers = (data.get("proxy_server_request") or {}).get("headers") or {}
    return Key(key.key_alias, key.team_id, key.team_alias, user), metadata, dict(headers)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came of."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def headers_of(error: Exception) -> Mapping[str, str]:
    """Those of the provider's answer, where the error has them."""
    for headers in (
        getattr(getattr(error, "response", None), "headers", None),
        getattr(error, "litellm_response_headers", None),
    ):
        if headers:
            return {str(name).lower(): str(value) for name, value in headers.items()}
    return {}


def body_of(response: Any) -> Mapping[str, Any]:
    """A response as its format's JSON has it, with all that its usage says."""
    body = _dumped(response)
    usage = _dumped(getattr(response, "usage", None))
    return {**body, "usage": usage} if usage else body


def _dumped(model: Any) -> Mapping[str, Any]:
    if isinstance(model, Mapping):
        return model
    dump = getattr(model, "model_dump", None)
    dumped = dump() if callable(dump) else None
    return dumped if isinstance(dumped, Mapping) else {}


def left_early(kwargs: Mapping[str, Any]) -> bool:
    """Whether the client left before the end of a stream: what LiteLLM counts then is what it had passed on."""
    metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
    return metadata.get("client_disconnected") is True


def model_of(kwargs: Mapping[str, Any]) -> str | None:
    """The model that LiteLLM asked, by its provider's name: in the answer the proxy puts its own."""
    model = kwargs.get("model")
    return model.rpartition("/")[2] if isinstance(model, str) else None
