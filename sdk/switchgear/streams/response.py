"""What an OpenAI response holds so far, put together from the events of its stream."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ResponseSoFar"]

_INDEX = re.compile(rb'"output_index"\s*:\s*(\d+)')
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d+)')
_ITEM_DONE = re.compile(rb'"type"\s*:\s*"response\.output_item\.done"')
# Where an item keeps what the deltas of each type add to: in a list of parts, by its index, or in itself.
_PARTS = {
    "response.output_text": ("content", "content_index", "text"),
    "response.refusal": ("content", "content_index", "refusal"),
    "response.reasoning_text": ("content", "content_index", "text"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text"),
}
_WHOLE = {
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.code_interpreter_call_code": "code",
}
_NEW_PARTS = {
    "response.content_part.added": ("content", "content_index"),
    "response.reasoning_summary_part.added": ("summary", "summary_index"),
}


@dataclass(slots=True)
class ResponseSoFar:
    """Keeps the stream's lines as they are, and reads them only when asked: most streams come to their own end.

    Of an item that is done only its last event is kept.
    """

    _lines: list[bytes] = field(default_factory=list)
    _number: int = -1

    def keep(self, lines: bytes) -> None:
        """Whole lines have been passed on."""
        self._lines.append(lines)
        if b"output_item.done" in lines and _ITEM_DONE.search(lines):
            self._forget_deltas()

    @property
    def next_number(self) -> int:
        """What the next event is numbered."""
        for lines in reversed(self._lines):
            if numbers := _NUMBER.findall(lines):
                return max(int(numbers[-1]), self._number) + 1
        return self._number + 1

    def read(self) -> tuple[dict[str, Any], list[tuple[int, dict[str, Any]]]]:
        """The response with what of its output is there, and of that what was not done, each by its index."""
        response: dict[str, Any] = {}
        items: dict[int, dict[str, Any]] = {}
        open_: dict[int, dict[str, Any]] = {}
        for line in self._data_lines():
            event = json.loads(line[5:])
            match event.get("type"):
                case "response.created":
                    response = event["response"]
                case "response.output_item.added":
                    open_[event["output_index"]] = items[event["output_index"]] = event["item"]
                case "response.output_item.done":
                    items[event["output_index"]] = event["item"]
                    open_.pop(event["output_index"], None)
                case _ if event.get("output_index") in open_:
                    _add(open_[event["output_index"]], event)
        for item in open_.values():
            item["status"] = "incomplete"
        return {**response, "output": [items[index] for index in sorted(items)]}, sorted(open_.items())

    def _forget_deltas(self) -> None:
        self._number = self.next_number - 1
        lines = self._data_lines()
        done = {index[1] for line in lines if _ITEM_DONE.search(line) and (index := _INDEX.search(line))}
        self._lines = [
            line + b"\n"
            for line in lines
            if _ITEM_DONE.search(line) or (index := _INDEX.search(line)) is None or index[1] not in done
        ]

    def _data_lines(self) -> list[bytes]:
        return [line for line in b"".join(self._lines).split(b"\n") if line.startswith(b"data:")]


def _add(item: dict[str, Any], event: Mapping[str, Any]) -> None:
    """Add to an item what an event has of it."""
    kind, delta = event["type"], str(event.get("delta"))
    name, is_delta = kind.removesuffix(".delta"), kind.endswith(".delta")
    if kind in _NEW_PARTS:
        parts, index = _NEW_PARTS[kind]
        item.setdefault(parts, [])[event[index] :] = [event["part"]]
    elif is_delta and name in _PARTS:
        parts, index, text = _PARTS[name]
        if event[index] < len(item.get(parts) or ()):
            part = item[parts][event[index]]
            part[text] = part.get(text, "") + delta
    elif is_delta and name in _WHOLE:
        item[_WHOLE[name]] = (item.get(_WHOLE[name]) or "") + delta
