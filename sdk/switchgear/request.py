"""What a guard needs to know of a provider request, read from its path and body; and the request made smaller."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Api", "CallRequest", "api_of", "read"]


class Api(StrEnum):
    """The calls that providers bill, by the form of their requests."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    COMPACT = "compact"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"
    COMPLETE = "complete"
    GENERATE = "generate"
    """Gemini's generateContent, streamed or not."""
    PREDICT = "predict"
    """Vertex AI's, by which its older embeddings and its images are made: it has no output tokens."""
    CONVERSE = "converse"
    INVOKE = "invoke"
    """Bedrock's InvokeModel: the body is in the format of the model's maker."""


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
    "google": (
        (":generateContent", Api.GENERATE),
        (":streamGenerateContent", Api.GENERATE),
        (":embedContent", Api.EMBEDDINGS),
        (":batchEmbedContents", Api.EMBEDDINGS),
        (":predict", Api.PREDICT),
    ),
    "aws": (
        ("/converse", Api.CONVERSE),
        ("/converse-stream", Api.CONVERSE),
        ("/invoke", Api.INVOKE),
        ("/invoke-with-response-stream", Api.INVOKE),
    ),
}
# Azure names the model that answers, a deployment, in the path, whatever stands in the body.
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
# These name it in the path alone, so that the same request goes to another model at another path.
_ADDRESSED: Mapping[str, re.Pattern[str]] = {
    "google": re.compile(r"/([^/:]+):\w+$"),
    "aws": re.compile(r"/model/(.+)/[^/]+$"),
}
# "anthropic" of "anthropic.claude-..." and "us.anthropic.claude-...", where the request may be answered in one of many
# regions.
_MAKER = re.compile(r"(?:[a-z-]+\.)?([a-z0-9]+)\.")
# What follows in an ARN, "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-...", is a model's name.
_WITH_MODEL = (":foundation-model", ":inference-profile")

_LIMITS: Mapping[Api | None, tuple[str, ...]] = {
    Api.CHAT: ("max_completion_tokens", "max_tokens"),
    Api.COMPLETIONS: ("max_tokens",),
    Api.RESPONSES: ("max_output_tokens",),
    Api.COMPACT: (),
    Api.EMBEDDINGS: (),
    Api.MESSAGES: ("max_tokens",),
    Api.COMPLETE: ("max_tokens_to_sample",),
    Api.GENERATE: ("maxOutputTokens",),
    Api.PREDICT: (),
    Api.CONVERSE: ("maxTokens",),
    # Anthropic and most others; OpenAI; Llama; Nova.
    Api.INVOKE: (
        *("max_tokens", "max_completion_tokens", "max_tokens_to_sample"),
        *("max_gen_len", "maxTokens", "max_new_tokens"),
    ),
    None: ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample"),
}
# What limits the answer where the request says nothing.
_USUAL_LIMITS: Mapping[Api | None, int] = {Api.COMPLETIONS: 16, Api.EMBEDDINGS: 0, Api.PREDICT: 0}
# The part of the body in which the limits stand, where it is not the body itself.
_SETTINGS: Mapping[Api | None, str] = {
    Api.GENERATE: "generationConfig",
    Api.CONVERSE: "inferenceConfig",
    Api.INVOKE: "inferenceConfig",
}
# Where a request says what its model must be able to do: most have none of these.
_TELLING = frozenset(
    {
        *("tools", "functions", "toolConfig"),
        *("text", "response_format", "output_format", "output_config", "outputConfig", "generationConfig"),
        *("thinking", "reasoning", "reasoning_effort", "additionalModelRequestFields"),
    }
)
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
        if self.api is Api.GENERATE:
            return max(_count(self._settings().get("candidateCount")) or 1, 1)
        if self.api not in (Api.CHAT, Api.COMPLETIONS, None):
            return 1
        asked = _count(self.body.get("n")) or 1
        if self.api is Api.COMPLETIONS:
            prompt = self.body.get("prompt")
            asked = max(asked, _count(self.body.get("best_of")) or 1)
            if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int):
                asked *= len(prompt)
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
        if _TELLING.isdisjoint(body):
            return []
        text, output = _mapping(body.get("text")), _mapping(body.get("output_config"))
        converse = _mapping(body.get("outputConfig"))
        formats = (
            body.get("response_format"),
            text.get("format"),
            body.get("output_format"),
            output.get("format"),
            converse.get("textFormat"),
        )
        found = {
            "tools": any(body.get(name) for name in ("tools", "functions", "toolConfig")),
            "schema": self._settings().get("responseMimeType") == "application/json"
            or any(_mapping(each).get("type") in ("json_schema", "json_object") for each in formats),
            "thinking": self._thinks() or any(each.get("effort") is not None for each in (output, converse)),
        }
        return [name for name, needed in found.items() if needed]

    def rewritten(self, *, model: str | None = None, max_output_tokens: int | None = None) -> bytes | None:
        """The body for another model, for fewer output tokens (over all the choices asked for), or both.

        A limit is only ever lowered. All else, and the order of the fields, stays. None where it cannot be: the path
        names a deployment, the API has no such limit or refuses one so low, or thinking has a budget that would not
        fit. Where the path names the model itself, the body stays, and it is the path that has to be another.
        """
        changes: dict[str, Any] = {}
        if model is not None and model != self.model:
            if not self.routed:
                changes["model"] = model
            elif not self._understood_by(model):
                return None
        if max_output_tokens is not None:
            lowered = self._lowered(max_output_tokens // self.choices)
            if lowered is None:
                return None
            within = self._settings_name() if lowered else None
            changes |= lowered if within is None else {within: {**self._settings(), **lowered}}
        if not changes:
            return self.content
        return json.dumps({**self.body, **changes}, separators=(",", ":")).encode()

    def _limit(self) -> int | None:
        """The most tokens of one choice."""
        settings = self._settings()
        for name in _LIMITS[self.api]:
            if (limit := _count(settings.get(name))) is not None:
                return limit
        return _USUAL_LIMITS.get(self.api)

    def _lowered(self, most: int) -> dict[str, int] | None:
        """The fields to change so that a choice has at most `most` tokens; None where it cannot be done."""
        limit = self._limit()
        if limit is not None and limit <= most:
            return {}
        if most < _LEAST.get(self.api, 1):
            return None
        budget = self._thinking_budget()
        # Anthropic refuses a budget that is not below the maximum, except where thinking goes on between tools: such
        # a request has it so already. Gemini takes it, and has nothing left for the answer.
        if budget is not None and most <= budget and (limit is None or budget < limit):
            return None
        settings = self._settings()
        names = [name for name in _LIMITS[self.api] if settings.get(name) is not None] or self._new_limit()
        return dict.fromkeys(names, most) or None

    def _new_limit(self) -> list[str]:
        """Under which name a limit is given that the request lacks."""
        names = _LIMITS[self.api]
        if self.api is Api.INVOKE:
            # Its name is the model maker's.
            return []
        if self.api is Api.CHAT and self.provider not in _LATER_NAME:
            names = names[1:]
        return list(names[:1])

    def _settings_name(self) -> str | None:
        """Which field of the body has the limits; None where they stand in the body itself."""
        name = _SETTINGS.get(self.api)
        return None if self.api is Api.INVOKE and name not in self.body else name

    def _settings(self) -> Mapping[str, Any]:
        name = self._settings_name()
        return self.body if name is None else _mapping(self.body.get(name))

    def _thinks(self) -> bool:
        """Whether it asks for thinking, in Anthropic's, OpenAI's or Gemini's words; not where it asks for none."""
        if self.api is Api.GENERATE:
            config = _mapping(self._settings().get("thinkingConfig"))
            return bool(config) and config.get("thinkingBudget") != 0
        return any(map(_thinks, self._thinking_in()))

    def _thinking_budget(self) -> int | None:
        """How many tokens it may think with, of those of the answer."""
        if self.api is Api.GENERATE:
            return _count(_mapping(self._settings().get("thinkingConfig")).get("thinkingBudget"))
        budgets = (_count(_mapping(of.get("thinking")).get("budget_tokens")) for of in self._thinking_in())
        return next((budget for budget in budgets if budget is not None), None)

    def _thinking_in(self) -> tuple[Mapping[str, Any], ...]:
        """Where it may say how to think: Converse hands on to the model what it has no word for itself."""
        return self.body, _mapping(self.body.get("additionalModelRequestFields"))

    def _understood_by(self, model: str) -> bool:
        """Whether another model, named in the path, takes the same body."""
        if self.provider == "aws" and self.api is not Api.CONVERSE:
            return _maker(model) == _maker(self.model)
        return self.provider in _ADDRESSED


def api_of(provider: str, method: str, path: str) -> Api | None:
    """The form of the call that an HTTP request makes, or None where it makes none."""
    if method != "POST":
        return None
    return next((api for end, api in _PATHS[provider] if path.endswith(end)), None)


def read(provider: str, method: str, path: str, content: bytes) -> CallRequest | None:
    """The call that an HTTP request makes, or None where it makes none (files, models, batches, counting)."""
    path = path.rstrip("/")
    api = api_of(provider, method, path)
    if api is None:
        return None
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    addressed = _ADDRESSED.get(provider)
    named = (addressed or _DEPLOYMENT).search(path)
    model = body.get("model") if addressed is None else None
    if model is None and named is not None:
        model = _bare(named[1])
    if not isinstance(model, str):
        return None
    if api is Api.INVOKE and "embed" in model:
        api = Api.EMBEDDINGS
    # Within a text the quotes would have backslashes before them.
    writes_cache = b'"cache_control"' in content or b'"cachePoint"' in content
    return CallRequest(
        provider, model, body, len(content), api, content, writes_cache, routed=named is not None
    )


def _bare(name: str) -> str:
    """The model of a resource name of AWS's that has one, as price books know it; any other name as it is."""
    resource, _, model = name.partition("/")
    return model if resource.startswith("arn:") and resource.endswith(_WITH_MODEL) else name


def _maker(model: str) -> str | None:
    found = _MAKER.match(model)
    return None if found is None else found[1]


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
