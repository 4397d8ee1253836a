"""Asked: the question that a request puts to the cache: what must be equal, what may be worded otherwise, or why none.

Pure. Whatever may change an answer, or the form in which it comes, is part of `exact`; a field that nobody here knows
is, too. Left out is only what is known to change nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from ..request import Api, CallRequest
from .model import Question

__all__ = ["question_of"]

# Who asks, and how it is booked, stored, billed or scheduled there. A provider's own cache gives what its model would
# say anyway, so that what steers it (prompt_cache_key, ...) changes costs alone. A service tier is another queue to the
# same model. Kept are `seed`, which picks the answer, and `stream_options`, which change the events of a stream.
_CHANGES_NOTHING = frozenset(
    {
        *("user", "metadata", "store", "safety_identifier", "service_tier", "labels"),
        *("prompt_cache_key", "prompt_cache_retention"),
    }
)
# What the provider remembers from before, which is not in the request: it may be another tomorrow.
_STATE = ("previous_response_id", "conversation", "container", "cachedContent")
# Names by which one field or another asks for what is looked up elsewhere: OpenAI, xAI, OpenRouter, Anthropic.
_SERVER_TOOLS = ("web_search_options", "search_parameters", "plugins", "mcp_servers")
# Models that search the web whether they are asked to or not: OpenAI's, Perplexity's, OpenRouter's suffix.
_SEARCHES = re.compile(r"-search-(?:preview|api)|deep-research|(?:^|/)sonar|:online$")
_ELSEWHERE = ("url", "image_url", "file_url", "fileUri", "file_uri")
# What a tool is given, or says, is the caller's own: an address there is looked up by nobody.
_OF_TOOLS = ("input", "args", "arguments", "response")

_USER = ("user", None)
_TEXTS = ("text", "input_text", "output_text")
_OWN_TOOLS = ("function", "custom", None)
# What a model writes or is told where tools are used.
_TOOL_TURNS = frozenset(
    {
        *("function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"),
        *("tool_use", "tool_result", "tool_calls", "functionCall", "functionResponse"),
    }
)
# Items of a conversation that are what they say; an `item_reference` is not.
_ITEMS = ("message", "reasoning", None)


class _Turn(NamedTuple):
    """One turn of a conversation."""

    role: str | None
    text: str | None
    """What it says, where that is plain text and nothing else."""
    kinds: frozenset[str]
    """The types of its parts, and of it itself."""


class _Form(NamedTuple):
    """Where one API has its conversation, and what says how it is to be answered."""

    turns: str
    within: str
    """Where a turn has its parts."""
    settings: str | None = None
    """The part of the body that has temperature and the like; None: the body itself."""


_FORMS: Mapping[Api, _Form] = {
    Api.CHAT: _Form("messages", "content"),
    Api.RESPONSES: _Form("input", "content"),
    Api.MESSAGES: _Form("messages", "content"),
    Api.GENERATE: _Form("contents", "parts", "generationConfig"),
}


def question_of(
    request: CallRequest,
    allow: Collection[str] = (),
    *,
    at: Mapping[str, str] | None = None,
    volatile: bool = False,
) -> Question:
    """The question that a request puts. `allow` lifts `tools`, `temperature` and `volatile`.

    `at` is where it goes and what else of it is not in the body: two servers that name a model alike are two. An unfit
    question has no bytes: nothing is looked up by it.
    """
    form = None if request.api is None else _FORMS.get(request.api)
    body = request.body
    turns = [] if form is None else _turns(body.get(form.turns), form)
    unfit = (reason for reason, found in _UNFIT.items() if reason not in allow and found(request, turns))
    reason = next(unfit, "volatile" if volatile and "volatile" not in allow else None)
    if reason is not None:
        return Question(b"", b"", None, reason)
    told = {name: value for name, value in body.items() if name not in _CHANGES_NOTHING}
    head = {"at": dict(at or {}), "provider": request.provider, "api": request.api, "model": request.model}
    exact = _canonical({**head, "body": told})
    wording = turns[-1].text if turns and turns[-1].role in _USER else None
    if form is None or not wording:
        return Question(exact, exact, None)
    setting = {**told, form.turns: _without_wording(told[form.turns], form)}
    return Question(exact, _canonical({**head, "body": setting}), wording)


# -- what is unfit


def _form(request: CallRequest, turns: list[_Turn]) -> bool:
    """Of a form that is not read here."""
    if request.api is Api.EMBEDDINGS:
        return request.provider == "aws"
    return request.api not in (*_FORMS, Api.COMPLETIONS) or (request.api in _FORMS and not turns)


def _state(request: CallRequest, turns: list[_Turn]) -> bool:
    body = request.body
    if body.get("store") is True or any(body.get(name) is not None for name in _STATE):
        return True
    # A template of theirs, or a turn of theirs, by its name alone.
    template = request.api is Api.RESPONSES and body.get("prompt") is not None
    return template or any("item_reference" in turn.kinds for turn in turns)


def _background(request: CallRequest, turns: list[_Turn]) -> bool:
    return bool(request.body.get("background"))


def _choices(request: CallRequest, turns: list[_Turn]) -> bool:
    return request.choices > 1


def _logprobs(request: CallRequest, turns: list[_Turn]) -> bool:
    settings = _settings(request)
    named = ("logprobs", "top_logprobs", "responseLogprobs")
    # In completions 0 asks for them, too.
    asked = any(settings.get(name) is not None and settings.get(name) is not False for name in named)
    return asked or any("logprobs" in str(each) for each in _listed(request.body.get("include")))


def _modalities(request: CallRequest, turns: list[_Turn]) -> bool:
    """Audio or images in the answer."""
    settings = _settings(request)
    wanted = (*_listed(settings.get("modalities")), *_listed(settings.get("responseModalities")))
    named = ("audio", "speechConfig", "imageConfig")
    return any(str(each).lower() != "text" for each in wanted) or any(settings.get(name) for name in named)


def _server_tools(request: CallRequest, turns: list[_Turn]) -> bool:
    """Whether the provider may look something up, or run something, before it answers."""
    body = request.body
    if any(body.get(name) for name in _SERVER_TOOLS) or _SEARCHES.search(request.model):
        return True
    tools = _listed(body.get("tools"))
    if request.api is Api.GENERATE:
        return any(
            not set(_mapping(tool)) <= {"functionDeclarations", "function_declarations"} for tool in tools
        )
    if any(_mapping(tool).get("type") not in _OWN_TOOLS for tool in tools):
        return True
    known = {*_ITEMS, *_TEXTS, *_TOOL_TURNS} if request.api is Api.RESPONSES else set()
    parts = ("input_image", "input_file", "input_audio", "refusal", "summary_text", "reasoning_text")
    # An item of a kind that is not known is what a tool there did.
    return bool(known) and any(not turn.kinds <= {*known, *parts} for turn in turns)


def _elsewhere(request: CallRequest, turns: list[_Turn]) -> bool:
    """Whether what is asked about stands elsewhere, at an address where it may change."""
    form = None if request.api is None else _FORMS.get(request.api)
    return form is not None and any(_linked(request.body.get(form.turns)))


def _tools(request: CallRequest, turns: list[_Turn]) -> bool:
    body = request.body
    if any(body.get(name) for name in ("tools", "functions", "toolConfig")):
        return True
    return any(turn.role in ("tool", "function") or turn.kinds & _TOOL_TURNS for turn in turns)


def _temperature(request: CallRequest, turns: list[_Turn]) -> bool:
    """Whether the answer is drawn anew each time: unless it says 0, and models that take none do not say so."""
    if request.api is Api.EMBEDDINGS:
        return False
    said = _settings(request).get("temperature")
    return isinstance(said, bool) or not isinstance(said, int | float) or said != 0


# In this order: what is no matter of what may be allowed comes first.
_UNFIT: Mapping[str, Callable[[CallRequest, list[_Turn]], Any]] = {
    "form": _form,
    "state": _state,
    "background": _background,
    "choices": _choices,
    "logprobs": _logprobs,
    "modalities": _modalities,
    "server_tools": _server_tools,
    "elsewhere": _elsewhere,
    "tools": _tools,
    "temperature": _temperature,
}


# -- conversations


def _turns(given: Any, form: _Form) -> list[_Turn]:
    """The turns of a conversation; none where this is no conversation."""
    if isinstance(given, str):
        return [_Turn("user", given, frozenset())]
    if not isinstance(given, list) or not all(isinstance(turn, Mapping) for turn in given):
        return []
    return [_turn(turn, turn.get(form.within)) for turn in given]


def _turn(turn: Mapping[str, Any], content: Any) -> _Turn:
    own = [turn["type"]] if "type" in turn else []
    used = [name for name in ("tool_calls", "function_call") if turn.get(name)]
    parts = [_mapping(part) for part in _listed(content)]
    kinds = frozenset(map(str, [*own, *used, *(kind for part in parts for kind in _kinds(part))]))
    role = turn.get("role")
    text = content if isinstance(content, str) else _text_of(parts)
    # A turn with anything beside them (a name, a status, the id of an item) is equal only as a whole.
    plain = set(turn) <= {"role", "content", "parts", "type"} and turn.get("type", "message") == "message"
    return _Turn(role if isinstance(role, str) else None, text if plain else None, kinds)


def _kinds(part: Mapping[str, Any]) -> Iterator[str]:
    """What a part of a turn is: by its type, or, at Google's, by the field that it has."""
    if "type" in part:
        yield str(part["type"])
    else:
        yield from (name for name in part if name in _TOOL_TURNS)


def _text_of(parts: list[Mapping[str, Any]]) -> str | None:
    """What parts say that are plain text, all of them. `cache_control` only says what the provider may keep."""
    plain = all(
        set(part) <= {"type", "text", "cache_control"}
        and part.get("type", "text") in _TEXTS
        and isinstance(part.get("text"), str)
        for part in parts
    )
    return "\n".join(part["text"] for part in parts) if parts and plain else None


def _without_wording(given: Any, form: _Form) -> Any:
    """The conversation without what its last turn says."""
    if isinstance(given, str):
        return None
    return [*given[:-1], {**given[-1], form.within: None}]


def _linked(value: Any) -> Iterator[bool]:
    """Whether there are addresses in a conversation, where something is looked up."""
    if isinstance(value, list):
        for each in value:
            yield from _linked(each)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield name in _ELSEWHERE and isinstance(each, str) and not each.startswith("data:")
            if name not in _OF_TOOLS:
                yield from _linked(each)


# -- JSON


def _settings(request: CallRequest) -> Mapping[str, Any]:
    form = None if request.api is None else _FORMS.get(request.api)
    return (
        request.body if form is None or form.settings is None else _mapping(request.body.get(form.settings))
    )


def _canonical(value: Any) -> bytes:
    # In ASCII, since JSON can hold half a surrogate pair, and UTF-8 cannot.
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
