"""What a guard needs to know of a provider request, read from its path and body; and the request made smaller."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Api", "CallRequest", "read"]


class Api(StrEnum):
    """The calls that providers bill, by the form of their requests."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    COMPACT = "compact"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"
    COMPLETE = "complete"


# By how a path ends, the longer ends first. What stands below them (cancel, input_items, count_tokens, batches) is no
# call; compaction is one: it names a model, and its answer says what it used.
_PATHS: Mapping[str, tuple[tuple[str, Api], ...]] = {
    "openai": (
        ("/chat/completions", Api.CHAT),
        ("/completions", Api.COMPLETIONS),
        ("/responses", Api.RESPONSES),
        ("/responses/compact", Api.COMPACT),
        ("/embeddings", Api.EMBEDDINGS),
    ),
    "anthropic": (("/messages", Api.MESSAGES), ("/complete", Api.COMPLETE)),
}
# Azure names the model that answers, a deployment, in the path, whatever stands in the body.
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")

_LIMITS: Mapping[Api | None, tuple[str, ...]] = {
    Api.CHAT: ("max_completion_tokens", "max_tokens"),
    Api.COMPLETIONS: ("max_tokens",),
    Api.RESPONSES: ("max_output_tokens",),
    Api.COMPACT: (),
    Api.EMBEDDINGS: (),
    Api.MESSAGES: ("max_tokens",),
    Api.COMPLETE: ("max_tokens_to_sample",),
    None: ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample"),
}
# What limits the answer where the request says nothing.
_USUAL_LIMITS: Mapping[Api | None, int] = {Api.COMPLETIONS: 16, Api.EMBEDDINGS: 0}
# OpenAI refuses a response's limit below it.
_LEAST: Mapping[Api | None, int] = {Api.RESPONSES: 16}
# Who takes OpenAI's later name; whoever else speaks its chat format surely knows the earlier one.
_LATER_NAME = ("openai", "azure")


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One HTTP request that a provider will bill. `body` is the parsed JSON, `content` its bytes as they came."""

    provider: str
    model: str
    body: Mapping[str, Any]
    size: int
    """Bytes of the body."""
    api: Api | None = None
    """None for a call whose form is not known."""
    content: bytes = b""
    writes_cache: bool = False
    """Whether it marks parts of its input to be written to the provider's cache, at a higher rate."""
    routed: bool = False
    """Whether its path, not its body, says which model answers."""

    @property
    def choices(self) -> int:
        """How many answers it asks for, each of them billed."""
        if self.api not in (Api.CHAT, Api.COMPLETIONS, None):
            return 1
        asked = _count(self.body.get("n")) or 1
        if self.api is Api.COMPLETIONS:
            prompt = self.body.get("prompt")
            several = isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)
            asked = max(asked, _count(self.body.get("best_of")) or 1) * (len(prompt) if several else 1)
        return max(asked, 1)

    @property
    def max_output_tokens(self) -> int | None:
        """The most tokens that may come back, over all the choices asked for; None where nothing limits them."""
        limit = self._limit()
        return None if limit is None else limit * self.choices

    @property
    def streams_usage(self) -> bool:
        """Whether its stream is to end with what was used: OpenAI's chat and completions tell only who asks."""
        options = self.body.get("stream_options")
        return isinstance(options, Mapping) and options.get("include_usage") is True

    @property
    def needs(self) -> list[str]:
        """What a model that stands in must be able to do."""
        body = self.body
        text, output = _mapping(body.get("text")), _mapping(body.get("output_config"))
        formats = (
            body.get("response_format"),
            text.get("format"),
            body.get("output_format"),
            output.get("format"),
        )
        found = {
            "tools": bool(body.get("tools") or body.get("functions")),
            "schema": any(_mapping(each).get("type") in ("json_schema", "json_object") for each in formats),
            "thinking": _thinks(body) or output.get("effort") is not None,
        }
        return [name for name, needed in found.items() if needed]

    def rewritten(self, *, model: str | None = None, max_output_tokens: int | None = None) -> bytes | None:
        """The body for another model, for fewer output tokens (over all the choices asked for), or both.

        A limit is only ever lowered. All else, and the order of the fields, stays. None where it cannot be: the path
        names the model, the API has no such limit or refuses one so low, or thinking has a budget that would not fit.
        """
        changes: dict[str, Any] = {}
        if model is not None and model != self.model:
            if self.routed:
                return None
            changes["model"] = model
        if max_output_tokens is not None:
            lowered = self._lowered(max_output_tokens // self.choices)
            if lowered is None:
                return None
            changes |= lowered
        if not changes:
            return self.content
        return json.dumps({**self.body, **changes}, separators=(",", ":")).encode()

    def _limit(self) -> int | None:
        """The most tokens of one choice."""
        given = (_count(self.body.get(name)) for name in _LIMITS[self.api])
        return next((limit for limit in given if limit is not None), _USUAL_LIMITS.get(self.api))

    def _lowered(self, most: int) -> dict[str, int] | None:
        """The fields to change so that a choice has at most `most` tokens; None where it cannot be done."""
        limit = self._limit()
        if limit is not None and limit <= most:
            return {}
        if most < _LEAST.get(self.api, 1):
            return None
        budget = _count(_mapping(self.body.get("thinking")).get("budget_tokens"))
        # Anthropic refuses a budget that is not below the maximum, except where thinking goes on between tools: such
        # a request has it so already.
        if budget is not None and most <= budget and (limit is None or budget < limit):
            return None
        names = [name for name in _LIMITS[self.api] if self.body.get(name) is not None] or self._new_limit()
        return dict.fromkeys(names, most) or None

    def _new_limit(self) -> list[str]:
        """Under which name a limit is given that the request lacks."""
        names = _LIMITS[self.api]
        if self.api is Api.CHAT and self.provider not in _LATER_NAME:
            names = names[1:]
        return list(names[:1])


def read(provider: str, method: str, path: str, content: bytes) -> CallRequest | None:
    """The call that an HTTP request makes, or None where it makes none (files, models, batches, counting)."""
    if method != "POST":
        return None
    path = path.rstrip("/")
    api = next((api for end, api in _PATHS[provider] if path.endswith(end)), None)
    if api is None:
        return None
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    deployment = _DEPLOYMENT.search(path)
    model = body.get("model", deployment[1] if deployment else None)
    if not isinstance(model, str):
        return None
    # Within a text the quotes would have backslashes before them.
    writes_cache = b'"cache_control"' in content
    return CallRequest(
        provider, model, body, len(content), api, content, writes_cache, routed=deployment is not None
    )


def _thinks(body: Mapping[str, Any]) -> bool:
    """Whether it asks for thinking, in Anthropic's words or OpenAI's; not where it only says that there be none."""
    thinking, reasoning = _mapping(body.get("thinking")), _mapping(body.get("reasoning"))
    return (
        thinking.get("type", "disabled") != "disabled"
        or (bool(reasoning) and reasoning.get("effort") != "none")
        or body.get("reasoning_effort") not in (None, "none")
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
