"""Gemini's generateContent, as pure functions: a request in, bodies and events out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...usage import Usage
from .asked import Asked, Tool, Turn, Wants, answered, texts
from .openai import event
from .reading import counted, listed, maximum, needed, part

__all__ = ["answer", "error", "read", "stream"]

_MOST_CANDIDATES = 8


def read(model: str, body: Mapping[str, Any]) -> Asked:
    """The request in `body`."""
    contents = needed(body, "contents", list)
    config = part(body, "generationConfig")
    schema = part(config, "responseSchema") or part(config, "responseJsonSchema")
    as_json = config.get("responseMimeType") == "application/json"
    wants = Wants(
        model=model,
        maximum=maximum(config, "maxOutputTokens"),
        tools=[_tool(each) for tools in listed(body, "tools") for each in _declared(tools)],
        forced=_forced(part(part(body, "toolConfig"), "functionCallingConfig")),
        schema=schema if schema or as_json else None,
        choices=counted(config, "candidateCount", _MOST_CANDIDATES),
        says=("output", "cached", "reasoning"),
    )
    system = [Turn(_text(body["systemInstruction"]))] if part(body, "systemInstruction") else []
    return answered([*system, *(Turn(_text(content), _tells(content)) for content in contents)], wants)


def _declared(tools: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in listed(tools, "functionDeclarations") if isinstance(each.get("name"), str)]


def _tool(declared: Mapping[str, Any]) -> Tool:
    # Google takes both spellings of a field, and its SDK writes this one in the other.
    names = ("parameters", "parametersJsonSchema", "parameters_json_schema")
    return Tool(declared["name"], next((found for name in names if (found := part(declared, name))), {}))


def _forced(calling: Mapping[str, Any]) -> str | None:
    if calling.get("mode") != "ANY":
        return None
    names = calling.get("allowedFunctionNames")
    return str(names[-1]) if isinstance(names, list) and names else ""


def _text(content: Any) -> str:
    """What is said in a content's parts, and what tools answered, as its JSON has it."""
    parts = listed(content, "parts")
    answers = [part(each, "functionResponse").get("response") for each in parts]
    told = [str(value) for found in answers if isinstance(found, Mapping) for value in found.values()]
    return "\n".join([*texts(parts), *told])


def _tells(content: Any) -> bool:
    return any("functionResponse" in each for each in listed(content, "parts"))


def answer(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body."""
    parts: list[dict[str, Any]]
    if asked.tools:
        parts = [{"functionCall": {"name": call.name, "args": call.arguments}} for call in asked.tools]
    else:
        parts = [{"text": asked.text}]
    return _response(asked, response_id, parts, over=True)


def stream(asked: Asked, response_id: str, created: int) -> Iterator[bytes]:
    """The server-sent events of a streamed answer: each a whole response with the next piece of text."""
    if asked.tools:
        yield event(answer(asked, response_id, created))
        return
    pieces = asked.pieces(asked.text)
    for at, piece in enumerate(pieces, start=1):
        yield event(_response(asked, response_id, [{"text": piece}], over=at == len(pieces)))


def error(status: int, message: str) -> dict[str, Any]:
    """The error body that the API gives with this status."""
    return {"error": {"code": status, "message": message, "status": _ERRORS.get(status, "UNKNOWN")}}


_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def _response(asked: Asked, response_id: str, parts: list[dict[str, Any]], *, over: bool) -> dict[str, Any]:
    finish = {"finishReason": "MAX_TOKENS" if asked.cut_off and not asked.tools else "STOP"} if over else {}
    candidates = [
        {"content": {"parts": parts, "role": "model"}, **finish, "index": index}
        for index in range(asked.choices)
    ]
    # Each event counts what there is so far: what went in from the first on.
    usage = {"usageMetadata": _usage(asked.usage, over=over)} if asked.tells_usage else {}
    return {"candidates": candidates, **usage, "modelVersion": asked.model, "responseId": response_id}


def _usage(usage: Usage, *, over: bool) -> dict[str, Any]:
    # The prompt includes what was cached; thoughts stand beside the candidates.
    prompt = {"promptTokenCount": usage.input_total}
    if usage.cache_read:
        prompt["cachedContentTokenCount"] = usage.cache_read
    if not over:
        return {**prompt, "totalTokenCount": usage.input_total}
    thoughts = {"thoughtsTokenCount": usage.reasoning} if usage.reasoning else {}
    written = {"candidatesTokenCount": usage.output - usage.reasoning}
    return {**prompt, **written, **thoughts, "totalTokenCount": usage.total}
