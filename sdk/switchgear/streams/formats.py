"""The formats of streamed answers: how each is known by its first events, where its text stands, how it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Format", "Marks", "ends", "format_of", "marks_of", "texts"]


class Format(StrEnum):
    """What a stream's events look like."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"
    CONVERSE = "converse"


@dataclass(frozen=True, slots=True)
class Marks:
    """How to find, in the bytes of whole lines, the model's text, and that the stream has come to its own end.

    No mark can stand within a text: there its quotes would have backslashes before them.
    """

    before_text: bytes
    """Where it does not stand, there is no text."""
    text: re.Pattern[bytes]
    """Its group is a piece of text, as a JSON string without its quotes."""
    near_end: bytes
    """Where it does not stand, `end` need not be looked for."""
    end: re.Pattern[bytes]
    no_text: bytes | None = None
    """In a line with it, what looks like text is none."""


# The text itself, with all its backslashes; what was taken once is never looked at again.
_STRING = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_DONE = re.compile(rb"^data:\s*\[DONE\]", re.MULTILINE)


def _keyed(*names: str, before: bytes = b"") -> re.Pattern[bytes]:
    return re.compile(before + rb'"(?:' + "|".join(names).encode() + rb')"\s*:\s*' + _STRING)


_MARKS: Mapping[Format, Marks] = {
    Format.CHAT: Marks(
        b'"delta"',
        _keyed("content", "arguments", "reasoning_content", "reasoning", "refusal"),
        b"[DONE]",
        _DONE,
    ),
    Format.COMPLETIONS: Marks(b'"text"', _keyed("text"), b"[DONE]", _DONE),
    Format.RESPONSES: Marks(
        b'"delta"',
        _keyed("delta"),
        b'"usage"',
        re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete|failed)"'),
        no_text=b'"response.audio.delta"',
    ),
    Format.MESSAGES: Marks(
        b'"delta"',
        # What a server's tool found stands under "text", too, but in no delta.
        _keyed("text", "partial_json", "thinking", before=rb'"delta"\s*:\s*\{[^{}]{0,64}?'),
        b"message_stop",
        re.compile(rb'"type"\s*:\s*"message_stop"'),
    ),
    Format.GEMINI: Marks(b'"text"', _keyed("text"), b"finishReason", re.compile(rb'"finishReason"\s*:\s*"')),
}
_OBJECTS = {"chat.completion.chunk": Format.CHAT, "text_completion": Format.COMPLETIONS}
_ENDS = ("message_stop", "response.completed", "response.incomplete", "response.failed")
_CONVERSE = ("messageStart", "contentBlockStart", "contentBlockDelta")


def format_of(event: Mapping[str, Any]) -> Format | None:
    """The format that an event is of; None where it does not show."""
    kind, choices = event.get("type"), event.get("choices")
    if kind == "message_start":
        return Format.MESSAGES
    if isinstance(kind, str) and kind.startswith("response."):
        return Format.RESPONSES
    if known := _OBJECTS.get(str(event.get("object"))):
        return known
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return Format.CHAT if "delta" in choices[0] else Format.COMPLETIONS
    if "candidates" in event or "usageMetadata" in event:
        return Format.GEMINI
    return Format.CONVERSE if any(name in event for name in _CONVERSE) else None


def marks_of(format_: Format) -> Marks | None:
    """How to find the text in the bytes of this format; None where it does not come as a stream of text events."""
    return _MARKS.get(format_)


def ends(event: Mapping[str, Any]) -> bool:
    """Whether the stream has come to its own end with this event; what follows it may still count."""
    reasons = (candidate.get("finishReason") for candidate in _objects(event.get("candidates")))
    return event.get("type") in _ENDS or "messageStop" in event or any(reasons)


def texts(event: Mapping[str, Any]) -> Iterator[str]:
    """The pieces of text in one event, whichever format it is of: what the model said, thought and passed to tools."""
    kind, delta = str(event.get("type")), event.get("delta")
    if isinstance(delta, str):
        if kind.startswith("response.") and kind != "response.audio.delta":
            yield delta
    elif isinstance(delta, Mapping):
        yield from _strings(delta, "text", "partial_json", "thinking")
    for choice in _objects(event.get("choices")):
        yield from _strings(choice, "text")
        said = choice.get("delta")
        if isinstance(said, Mapping):
            yield from _strings(said, "content", "reasoning_content", "reasoning", "refusal")
            for call in _objects(said.get("tool_calls")):
                yield from _strings(call.get("function"), "arguments")
    for candidate in _objects(event.get("candidates")):
        content = candidate.get("content")
        for piece in _objects(content.get("parts") if isinstance(content, Mapping) else None):
            yield from _strings(piece, "text")
    block = event.get("contentBlockDelta")
    if isinstance(block, Mapping) and isinstance(said := block.get("delta"), Mapping):
        yield from _strings(said, "text")
        yield from _strings(said.get("toolUse"), "input")
        yield from _strings(said.get("reasoningContent"), "text")


def _strings(of: Any, *names: str) -> Iterator[str]:
    if isinstance(of, Mapping):
        yield from (value for name in names if isinstance(value := of.get(name), str))


def _objects(values: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(values, list | tuple):
        yield from (value for value in values if isinstance(value, Mapping))
