"""What a request asks of the "model", whatever the format, and what the model will do: the same for the same request.

The text of a request may carry a marker that fixes the answer:

    [[demo output=300 cached=640 reasoning=20 write_5m=100 write_1h=50 tool=search args={"q": "tides"}]]

All keys are optional. The first five are counts of tokens; without `output` the length is drawn from a generator seeded
by the text. `tool` orders a call of one of the request's tools, once or several times, each with the `args` that follow
it (else with some that its schema allows). The last marker of a conversation counts, and its tools are called once:
when their results are there, the answer is text. Input is counted from the text's size.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...usage import Usage
from .schema import instance

__all__ = [
    "Asked",
    "BadRequestError",
    "Embeds",
    "Tool",
    "ToolCall",
    "Turn",
    "Wants",
    "answered",
    "compact",
    "texts",
]

_CHARACTERS_PER_TOKEN = 4
_BEGINS, _ENDS = "[[demo", "]]"
_COUNTS = ("output", "cached", "reasoning", "write_5m", "write_1h")
_LONGEST_DRAWN = 2_000
_WORDS = 12


class BadRequestError(ValueError):
    """A body that the provider's API would refuse with 400."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a request offers, with the JSON schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model calls."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def json(self) -> str:
        """The arguments as the text that OpenAI has for them."""
        return compact(self.arguments)


@dataclass(frozen=True, slots=True)
class Turn:
    """A part of a conversation; `result` where it is what a tool said."""

    text: str
    result: bool = False


@dataclass(frozen=True, slots=True)
class Wants:
    """What a request says beside its conversation."""

    model: str
    maximum: int | None = None
    tools: Sequence[Tool] = ()
    forced: str | None = None
    """The tool that must be called: its name, or "" for any of them."""
    schema: Mapping[str, Any] | None = None
    """Of the JSON that the answer must be."""
    choices: int = 1
    streamed: bool = False
    tells_usage: bool = True
    says: Collection[str] = _COUNTS
    """The counts that the format has words for: what it cannot say does not happen."""


@dataclass(frozen=True, slots=True)
class Embeds:
    """Texts of which vectors are asked, of how many dimensions, and whether as base64."""

    inputs: Sequence[str]
    dimensions: int
    base64: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and its answer. `usage` is what serving it costs in tokens, over all choices."""

    model: str
    usage: Usage
    streamed: bool
    tells_usage: bool
    cut_off: bool
    """The answer would have been longer than the caller's maximum."""
    choices: int
    text: str
    tools: Sequence[ToolCall]
    embeds: Embeds | None = None
    """What to embed, where that is what is asked."""

    def pieces(self, text: str, count: int = 4) -> list[str]:
        """A text in at most so many parts, as streams send it."""
        size = max(1, -(-len(text) // count))
        return [text[at : at + size] for at in range(0, len(text), size)]


@dataclass(slots=True)
class _Marks:
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    tools: list[tuple[str, Mapping[str, Any] | None]] = field(default_factory=list)


def answered(turns: Sequence[Turn], wants: Wants) -> Asked:
    """The request and what comes of it. The output never exceeds the caller's maximum."""
    marked = max((at for at, turn in enumerate(turns) if _BEGINS in turn.text), default=None)
    marks = _marks(turns[marked].text) if marked is not None else _Marks()
    told = marked is not None and any(turn.result for turn in turns[marked + 1 :])
    calls = _calls(marks, wants, told=told)
    text = "\n".join(turn.text for turn in turns)
    counts = {name: count if name in wants.says else 0 for name, count in marks.counts.items()}
    wanted, usage = _usage(text, counts, wants)
    return Asked(
        model=wants.model,
        usage=usage,
        streamed=wants.streamed,
        tells_usage=wants.tells_usage,
        cut_off=wanted * wants.choices > usage.output,
        choices=wants.choices,
        text=_prose(wanted, wants),
        tools=calls,
    )


def texts(value: Any) -> Iterator[str]:
    """The texts in a message's content, of any format that has them under `text` or `content`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts(value.get("text") or value.get("content"))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def compact(value: Any) -> str:
    """JSON without spaces, as providers send it."""
    return json.dumps(value, separators=(",", ":"))


def _calls(marks: _Marks, wants: Wants, *, told: bool) -> Sequence[ToolCall]:
    offered = {tool.name: tool for tool in wants.tools}
    if marks.tools and not told:
        for name, _ in marks.tools:
            if name not in offered:
                raise BadRequestError(f"marker: the request offers no tool {name!r}")
        return [
            ToolCall(name, given if given is not None else instance(offered[name].schema))
            for name, given in marks.tools
        ]
    if wants.forced is None or not offered:
        return ()
    # Frameworks list the tool that takes the final answer last.
    chosen = offered.get(wants.forced) or wants.tools[-1]
    return [ToolCall(chosen.name, instance(chosen.schema))]


def _usage(text: str, counts: Mapping[str, int], wants: Wants) -> tuple[int, Usage]:
    """How many tokens the model would like to write, and the usage once the maximum has cut it."""
    draw = random.Random(zlib.crc32(text.encode(errors="replace")))  # noqa: S311 - a workload, not a secret
    wanted = counts["output"] or min(_LONGEST_DRAWN, max(1, round(draw.lognormvariate(5.0, 0.6))))
    each = wanted if wants.maximum is None else min(wanted, wants.maximum)
    output = each * wants.choices
    tokens_in = max(1, len(text) // _CHARACTERS_PER_TOKEN)
    cached = min(counts["cached"], tokens_in)
    write_5m = min(counts["write_5m"], tokens_in - cached)
    write_1h = min(counts["write_1h"], tokens_in - cached - write_5m)
    return wanted, Usage(
        input_uncached=tokens_in - cached - write_5m - write_1h,
        cache_read=cached,
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        output=output,
        reasoning=min(counts["reasoning"], output),
    )


def _marks(text: str) -> _Marks:
    """What the last marker in a text says."""
    marks, at = _Marks(), text.rindex(_BEGINS) + len(_BEGINS)
    while True:
        while text[at : at + 1].isspace():
            at += 1
        if text.startswith(_ENDS, at):
            return marks
        name, equals, _ = text[at:].partition("=")
        if not equals or not name.isidentifier():
            raise BadRequestError(f"marker: {text[at : at + 20]!r} is neither key=value nor its end")
        at = _mark(marks, name, text, at + len(name) + 1)


def _mark(marks: _Marks, name: str, text: str, at: int) -> int:
    """Take the value at a place in the text; where it ends."""
    if name == "args":
        try:
            given, end = json.JSONDecoder().raw_decode(text, at)
        except ValueError as error:
            raise BadRequestError(f"marker: args: {error}") from None
        if not marks.tools or not isinstance(given, dict):
            raise BadRequestError("marker: args is an object after a tool")
        marks.tools[-1] = marks.tools[-1][0], given
        return end
    end = at
    while end < len(text) and not text[end].isspace() and not text.startswith(_ENDS, end):
        end += 1
    value = text[at:end]
    if name == "tool":
        marks.tools.append((value, None))
    elif name in marks.counts and value.isascii() and value.isdigit() and len(value) < _WORDS:
        marks.counts[name] = int(value)
    else:
        raise BadRequestError(f"marker: {f'{name}={value}'!r} is no count of {', '.join(_COUNTS)}")
    return end


def _prose(tokens: int, wants: Wants) -> str:
    if wants.schema is not None:
        return compact(instance(wants.schema))
    # Short on purpose: the count in `usage` is what is billed, the words only have to be there.
    most = tokens if wants.maximum is None else min(tokens, wants.maximum)
    return " ".join(["word"] * min(most, _WORDS))
