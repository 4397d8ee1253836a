"""Amazon Bedrock's Converse and InvokeModel (of Anthropic's models), as pure functions: a request in, bodies out."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from ...usage import Usage
from . import anthropic
from .asked import Asked, BadRequestError, Tool, ToolCall, Turn, Wants, answered, compact, texts
from .eventstream import frame
from .reading import listed, maximum, needed, part

__all__ = [
    "answer",
    "error",
    "error_name",
    "invoked",
    "read",
    "read_invocation",
    "stream",
    "stream_invoked",
]


def read(model: str, body: Mapping[str, Any]) -> Asked:
    """The request in a Converse body."""
    messages = needed(body, "messages", list)
    config = part(body, "toolConfig")
    choice = part(config, "toolChoice")
    forced = part(choice, "tool").get("name") or ("" if "any" in choice else None)
    wants = Wants(
        model=model,
        maximum=maximum(part(body, "inferenceConfig"), "maxTokens"),
        tools=[_tool(part(each, "toolSpec")) for each in listed(config, "tools") if "toolSpec" in each],
        forced=forced if isinstance(forced, str) else None,
        says=("output", "cached", "write_5m", "write_1h"),
    )
    system = [Turn("\n".join(texts(body["system"])))] if body.get("system") else []
    return answered([*system, *(_turn(message) for message in messages)], wants)


def _tool(spec: Mapping[str, Any]) -> Tool:
    if not isinstance(spec.get("name"), str):
        raise BadRequestError("toolSpec: name is missing")
    return Tool(spec["name"], part(part(spec, "inputSchema"), "json"))


def _turn(message: Any) -> Turn:
    results = [part(block, "toolResult") for block in listed(message, "content") if "toolResult" in block]
    said = [*texts(message), *(text for result in results for text in texts(result.get("content")))]
    return Turn("\n".join(said), result=bool(results))


def answer(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body of Converse."""
    content: list[dict[str, Any]]
    if asked.tools:
        content = [{"toolUse": _use(call, response_id, at)} for at, call in enumerate(asked.tools)]
    else:
        content = [{"text": asked.text}]
    usage = {"usage": _usage(asked.usage)} if asked.tells_usage else {}
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _stop(asked),
        **usage,
        "metrics": {"latencyMs": 1},
    }


def stream(asked: Asked, response_id: str, created: int) -> Iterator[bytes]:
    """The frames of a streamed Converse, in order; the caller spaces them in time."""
    for kind, value in _events(asked, response_id, created):
        yield _event(kind, value)


def _events(asked: Asked, response_id: str, created: int) -> Iterator[tuple[str, dict[str, Any]]]:
    whole = answer(asked, response_id, created)
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(whole["output"]["message"]["content"]):
        at = {"contentBlockIndex": index}
        use = block.get("toolUse")
        if use is not None:
            begun = {"toolUseId": use["toolUseId"], "name": use["name"]}
            yield "contentBlockStart", {"start": {"toolUse": begun}, **at}
            deltas: list[dict[str, Any]] = [
                {"toolUse": {"input": piece}} for piece in asked.pieces(compact(use["input"]))
            ]
        else:
            deltas = [{"text": piece} for piece in asked.pieces(block["text"])]
        for delta in deltas:
            yield "contentBlockDelta", {"delta": delta, **at}
        yield "contentBlockStop", at
    yield "messageStop", {"stopReason": whole["stopReason"]}
    told = {"usage": whole["usage"]} if asked.tells_usage else {}
    yield "metadata", {**told, "metrics": whole["metrics"]}


def read_invocation(model: str, body: Mapping[str, Any]) -> Asked:
    """The request in a body for one of Anthropic's models, which says so."""
    if "anthropic_version" not in body:
        raise BadRequestError(
            "only bodies of Anthropic's models are known here: anthropic_version is missing"
        )
    return anthropic.read(model, body)


def invoked(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body of such a model."""
    return anthropic.answer(asked, response_id, created)


def stream_invoked(asked: Asked, response_id: str, created: int) -> Iterator[bytes]:
    """The model's own events, each as a chunk of bytes in a frame; the last one has Bedrock's counts, too."""
    for value in anthropic.events(asked, response_id, created):
        said = value
        if value["type"] == "message_stop" and asked.tells_usage:
            counts = {
                "inputTokenCount": asked.usage.input_uncached,
                "outputTokenCount": asked.usage.output,
                "cacheReadInputTokenCount": asked.usage.cache_read,
                "cacheWriteInputTokenCount": asked.usage.cache_write_5m + asked.usage.cache_write_1h,
                "invocationLatency": 1,
                "firstByteLatency": 1,
            }
            said = {**value, "amazon-bedrock-invocationMetrics": counts}
        yield _event("chunk", {"bytes": base64.b64encode(compact(said).encode()).decode()})


def error(status: int, message: str) -> dict[str, Any]:
    """The error body that the API gives."""
    return {"message": message}


def error_name(status: int) -> str:
    """What the API calls an error with this status, in a header."""
    return _ERRORS.get(status, "InternalServerException")


_ERRORS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


def _event(kind: str, value: Mapping[str, Any]) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, compact(value).encode())


def _use(call: ToolCall, response_id: str, at: int) -> dict[str, Any]:
    return {"toolUseId": f"tooluse_{response_id[-16:]}{at}", "name": call.name, "input": call.arguments}


def _stop(asked: Asked) -> str:
    if asked.tools:
        return "tool_use"
    return "max_tokens" if asked.cut_off else "end_turn"


def _usage(usage: Usage) -> dict[str, Any]:
    # The input count leaves out what was read from or written to the cache.
    written = {"5m": usage.cache_write_5m, "1h": usage.cache_write_1h}
    details = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in written.items() if tokens]
    return {
        "inputTokens": usage.input_uncached,
        "outputTokens": usage.output,
        "totalTokens": usage.total,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": sum(written.values()),
        **({"cacheDetails": details} if details else {}),
    }
