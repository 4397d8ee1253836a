"""Endings: the events by which a provider's stream ends when its maximum of output tokens is reached.

An ending sees the whole lines that were passed on, and knows from them what is still open.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..usage import Usage
from .formats import Format
from .response import ResponseSoFar

__all__ = ["Ending", "ending_of"]

_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
# Of a chunk that the next one has, or may have, another value of.
_OWN = ("choices", "usage", "obfuscation")


class Ending(ABC):
    """How a stream of one format is ended early."""

    ready = False
    """Whether enough was seen to end it."""
    closing = False
    """Whether its own end has begun: then there is nothing left to cut."""

    @abstractmethod
    def see(self, lines: bytes) -> None:
        """Whole lines have been passed on."""

    @abstractmethod
    def close(self, usage: Usage) -> bytes:
        """The events that end it here; `usage` is what was used until now."""


def ending_of(format_: Format, choices: int, *, streams_usage: bool) -> Ending | None:
    """The ending of a stream of this format; None for formats that are never cut."""
    match format_:
        case Format.CHAT | Format.COMPLETIONS:
            return _ChoicesEnding(format_, choices, streams_usage)
        case Format.MESSAGES:
            return _MessageEnding()
        case Format.RESPONSES:
            return _ResponseEnding()
        case _:
            return None


@dataclass(slots=True)
class _ChoicesEnding(Ending):
    """OpenAI's chat and completions: a last chunk of each choice, the usage where it was asked for, and [DONE]."""

    format: Format
    choices: int
    streams_usage: bool
    ready: bool = False
    closing: bool = False
    _head: dict[str, Any] = field(default_factory=dict)
    _finished: set[int] = field(default_factory=set)

    def see(self, lines: bytes) -> None:
        if self.ready and not _FINISHED.search(lines):
            return
        for event in _events(lines):
            for choice in event.get("choices") or ():
                if choice.get("finish_reason") is not None:
                    self._finished.add(choice.get("index"))
                if not self.ready:
                    self._head = {name: value for name, value in event.items() if name not in _OWN}
                    self.ready = True
        self.closing = len(self._finished) >= self.choices

    def close(self, usage: Usage) -> bytes:
        said: dict[str, Any] = {"delta": {}} if self.format is Format.CHAT else {"text": ""}
        open_ = [
            {"index": index, **said, "logprobs": None, "finish_reason": "length"}
            for index in range(self.choices)
            if index not in self._finished
        ]
        no_usage = {"usage": None} if self.streams_usage else {}
        events = [_data({**self._head, "choices": open_, **no_usage})]
        if self.streams_usage:
            counts = {
                "prompt_tokens": usage.input_total,
                "completion_tokens": usage.output,
                "total_tokens": usage.total,
            }
            events.append(_data({**self._head, "choices": [], "usage": counts}))
        return b"".join([*events, b"data: [DONE]\n\n"])


@dataclass(slots=True)
class _MessageEnding(Ending):
    """Anthropic's messages: what is open stops, the message says why, and stops."""

    ready: bool = False
    closing: bool = False
    _open: dict[int, None] = field(default_factory=dict)

    def see(self, lines: bytes) -> None:
        if b"message_" not in lines and b"content_block_st" not in lines:
            return
        for event in _events(lines):
            match event.get("type"):
                case "message_start":
                    self.ready = True
                case "content_block_start":
                    self._open[event["index"]] = None
                case "content_block_stop":
                    self._open.pop(event["index"], None)
                case "message_delta":
                    self.closing = True

    def close(self, usage: Usage) -> bytes:
        events: list[dict[str, Any]] = [
            {"type": "content_block_stop", "index": index} for index in self._open
        ]
        why = {"stop_reason": "max_tokens", "stop_sequence": None}
        events.append({"type": "message_delta", "delta": why, "usage": {"output_tokens": usage.output}})
        events.append({"type": "message_stop"})
        return b"".join(map(_named, events))


@dataclass(slots=True)
class _ResponseEnding(Ending):
    """OpenAI's responses: what is open is done, and the response, as far as it came, is incomplete."""

    ready: bool = False
    closing: bool = False
    _seen: ResponseSoFar = field(default_factory=ResponseSoFar)

    def see(self, lines: bytes) -> None:
        self._seen.keep(lines)
        self.ready = True

    def close(self, usage: Usage) -> bytes:
        response, unfinished = self._seen.read()
        number = self._seen.next_number
        events = [
            {"type": "response.output_item.done", "output_index": index, "item": item}
            for index, item in unfinished
        ]
        counts = {
            "input_tokens": usage.input_total,
            "input_tokens_details": {"cached_tokens": usage.cache_read},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.total,
        }
        why = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        events.append({"type": "response.incomplete", "response": {**response, **why, "usage": counts}})
        return b"".join(
            _named({**event, "sequence_number": number + place}) for place, event in enumerate(events)
        )


def _events(lines: bytes) -> Iterator[Mapping[str, Any]]:
    for line in lines.split(b"\n"):
        if line.startswith(b"data:"):
            try:
                event = json.loads(line[5:])
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def _data(event: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def _named(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + _data(event)
