"""What a guard needs to know of a provider request, read from its path and body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CallRequest", "read"]

_BILLABLE = {
    "openai": ("/chat/completions", "/completions", "/responses", "/embeddings"),
    "anthropic": ("/messages", "/complete"),
}
_OUTPUT_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample")


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One HTTP request that a provider will bill. `body` is the parsed JSON."""

    provider: str
    model: str
    body: Mapping[str, Any]
    size: int
    """Bytes of the body."""

    @property
    def max_output_tokens(self) -> int | None:
        """The most tokens that may come back, over all the choices asked for; None where nothing limits them."""
        if "input" in self.body and "max_output_tokens" not in self.body and "embedding" in self.model:
            return 0
        limit = next(
            (self.body[name] for name in _OUTPUT_LIMITS if isinstance(self.body.get(name), int)), None
        )
        choices = self.body.get("n")
        return limit * choices if limit is not None and isinstance(choices, int) and choices > 1 else limit

    @property
    def needs(self) -> list[str]:
        """What a model that stands in must be able to do."""
        body = self.body
        response_format, text = body.get("response_format"), body.get("text")
        schema = _kind(response_format) in ("json_schema", "json_object") or (
            isinstance(text, Mapping) and _kind(text.get("format")) in ("json_schema", "json_object")
        )
        found = {
            "tools": bool(body.get("tools") or body.get("functions")),
            "schema": schema or bool(body.get("output_config")),
            "thinking": bool(body.get("thinking") or body.get("reasoning") or body.get("reasoning_effort")),
        }
        return [name for name, needed in found.items() if needed]

    @property
    def writes_cache(self) -> bool:
        """Whether the request marks parts of its input to be written to the provider's cache, at a higher rate."""
        return "cache_control" in json.dumps(self.body)

    def with_model(self, model: str) -> bytes:
        """The body for another model."""
        return json.dumps({**self.body, "model": model}, separators=(",", ":")).encode()


def read(provider: str, method: str, path: str, content: bytes) -> CallRequest | None:
    """The call that an HTTP request makes, or None where it makes none (files, models, batches, counting)."""
    if method != "POST" or not path.rstrip("/").endswith(_BILLABLE[provider]):
        return None
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return None
    return CallRequest(provider, body["model"], body, len(content))


def _kind(format_: Any) -> str | None:
    return format_.get("type") if isinstance(format_, Mapping) else None
