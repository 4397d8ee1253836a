"""Counts a streamed answer as its chunks pass by; nothing is held back and nothing but counts is kept."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..usage import Usage, from_response
from ..usage.body import holders, tier_of
from .formats import Format, Marks, ends, format_of, marks_of, texts

__all__ = ["StreamMeter"]

_LINE_LIMIT = 1 << 20
_BYTES_PER_TOKEN = 4
# So many events are read for format and model: a stream that shows neither in these will not show them later.
_INTRODUCTION = 8
_TWO_BYTES = bytes(range(0xC0, 0xE0))
_USAGE = re.compile(rb'"usage(?:Metadata)?"\s*:\s*\{')


class StreamMeter:
    """Feed it the bytes of a server-sent event stream, as they come from the wire; ask it at any time.

    What the provider counts is taken as it says. Between its counts, which mostly come last, output is an estimate
    from the text that passed: four bytes a token, and no fewer tokens than pieces. It lies within a quarter of the
    truth for prose, code and JSON; thinking that is not streamed is not in it.
    """

    def __init__(self, provider: str, encoding: str = "") -> None:
        self._provider = provider
        # 32 + 15: zlib finds out whether it is gzip or zlib.
        self._inflate = zlib.decompressobj(47) if encoding in ("gzip", "deflate") else None
        self._readable = encoding in ("", "identity", "gzip", "deflate")
        self._rest = bytearray()
        self._introduction = _INTRODUCTION
        self._marks: Marks | None = None
        self._usage: dict[str, dict[str, Any]] = {}
        self._tools: Any = None
        self._begun_only = False
        self._counted = 0
        self._pieces = 0
        self._bytes = 0
        self.plain = encoding in ("", "identity")
        """Whether the bytes are the events themselves, and not packed."""
        self.format: Format | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.service_tier: str | None = None
        """The last that was said: a stream may begin with the one that was asked for."""
        self.finished = False
        """Whether the stream came to its own end."""

    def feed(self, chunk: bytes) -> bytes:
        """Take in the next chunk; returns the whole lines that it completes.

        A stream that cannot be read leaves the usage unknown; it never raises.
        """
        if not self._readable:
            return b""
        if self._inflate is not None:
            try:
                chunk = self._inflate.decompress(chunk)
            except zlib.error:
                self._readable = False
                return b""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._rest += chunk
            if len(self._rest) > _LINE_LIMIT:
                self._rest.clear()
            return b""
        lines = chunk if end == len(chunk) else chunk[:end]
        if self._rest:
            lines = bytes(self._rest) + lines
            self._rest.clear()
        if end < len(chunk):
            self._rest += chunk[end:]
        self._take(lines)
        return lines

    def feed_event(self, event: Mapping[str, Any]) -> None:
        """Take in an event that its SDK has parsed already, of Bedrock's event streams or any other."""
        self.format = self.format or format_of(event)
        for text in texts(event):
            self._count(text.encode(errors="surrogatepass"))
        self._note(event)
        self.finished |= ends(event)

    @property
    def output_so_far(self) -> int:
        """Output tokens until now: what the provider has counted, and an estimate of what has come since."""
        return self._counted + max(self._pieces, -(-self._bytes // _BYTES_PER_TOKEN))

    def usage(self) -> Usage | None:
        """The counts that the provider sent of the whole answer; None where they did not come."""
        running = self._begun_only or self._pieces > 0 or (self.format is Format.GEMINI and not self.finished)
        return None if running else self._told()

    def estimate(self, input_bytes: int) -> Usage | None:
        """What was used until now, for a stream that ends early; None where nothing of an answer has come.

        The input is as the provider said, where it has, else a fourth of the request's bytes. It is no count: whoever
        settles or shows it has to say that it is an estimate.
        """
        if not self.output_so_far:
            return None
        told = self._told() or Usage(input_uncached=-(-input_bytes // _BYTES_PER_TOKEN))
        return replace(told, output=max(self.output_so_far, told.reasoning))

    def _told(self) -> Usage | None:
        if not self._usage:
            return None
        tools = {} if self._tools is None else {"tool_usage": self._tools}
        try:
            return from_response(self._provider, {**self._usage, **tools})
        except ValueError:
            return None

    def _take(self, lines: bytes) -> None:
        if self._introduction and (self._marks is None or self.model is None):
            self._introduce(lines)
        # Parsing every delta would cost as much as the stream itself; only some lines carry counts.
        since = lines.find(b'"usage')
        if since >= 0:
            since = self._read_usage(lines, since)
        marks = self._marks
        if marks is None:
            return
        first = lines.find(marks.before_text, max(since, 0))
        if first >= 0:
            self._read_text(lines, first, marks)
        if marks.near_end in lines and marks.end.search(lines):
            self.finished = True

    def _introduce(self, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            if not self._introduction or (self._marks is not None and self.model is not None):
                return
            if line.startswith(b"data:"):
                self._introduction -= 1
                event = _event(line)
                if self.format is None and (found := format_of(event)) is not None:
                    self.format, self._marks = found, marks_of(found)
                self._name(event)

    def _read_usage(self, lines: bytes, start: int) -> int:
        """Read the lines that carry counts; returns where the last of them ends, 0 where none does."""
        end = 0
        while found := _USAGE.search(lines, max(start, end)):
            end = lines.index(b"\n", found.start())
            self._note(_event(lines[lines.rfind(b"\n", 0, found.start()) + 1 : end]))
        return end

    def _read_text(self, lines: bytes, start: int, marks: Marks) -> None:
        if marks.no_text is not None and marks.no_text in lines:
            start = lines.rfind(b"\n", 0, start) + 1
            lines = b"\n".join(line for line in lines[start:].split(b"\n") if marks.no_text not in line)
            start = 0
        for text in marks.text.findall(lines, start):
            self._count(text)

    def _count(self, text: bytes) -> None:
        """Count a piece of text: its bytes, as far as they make tokens."""
        if not text:
            return
        size = len(text)
        if not text.isascii():
            # Alphabets of two bytes a letter need no more tokens than Latin.
            size = len(text.translate(None, _TWO_BYTES))
        if b"\\" in text:
            # An escape is a byte more than what it stands for; \u and four digits are one such letter, or three bytes.
            size -= text.count(b"\\") + 2 * (text.count(b"\\u") + text.count(b"\\u0"))
        self._pieces += 1
        self._bytes += size

    def _name(self, event: Mapping[str, Any]) -> None:
        """Model, id and service tier, where the event says them."""
        for holder in holders(event):
            self.service_tier = tier_of(holder) or self.service_tier
            model = holder.get("model") or holder.get("modelVersion")
            if isinstance(model, str) and model:
                self.model = model
                self.response_id = holder.get("id") or holder.get("responseId") or self.response_id

    def _note(self, event: Mapping[str, Any]) -> None:
        """Take the counts of an event: they are cumulative, and replace what was told or estimated before."""
        self._name(event)
        told = False
        for holder in holders(event):
            for name in ("usage", "usageMetadata"):
                counts = holder.get(name)
                if isinstance(counts, Mapping):
                    told = True
                    kept = self._usage.setdefault(name, {})
                    kept.update({kind: count for kind, count in counts.items() if count is not None})
            self._tools = holder.get("tool_usage", self._tools)
        if told:
            # A message says at its begin what went in, and counts its output when it ends.
            self._begun_only = event.get("type") == "message_start"
            counted = self._told()
            self._counted = counted.output if counted is not None else self._counted
            self._pieces = self._bytes = 0


def _event(line: bytes) -> Mapping[str, Any]:
    """The event in a data line; an empty one where there is none."""
    try:
        event = json.loads(line[5:])
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
