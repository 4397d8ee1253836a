"""Reads a streamed response's usage as its chunks pass by; nothing is held back and nothing but counts is kept."""

from __future__ import annotations

import json
import zlib
from typing import Any

from .usage import Usage, UsageError, from_response
from .usage.body import holders

__all__ = ["StreamMeter"]

_LINE_LIMIT = 1 << 20


class StreamMeter:
    """Feed it the bytes of a server-sent event stream, as they come from the wire; then ask for usage, model and id."""

    def __init__(self, provider: str, encoding: str) -> None:
        self._provider = provider
        # 32 + 15: zlib finds out whether it is gzip or zlib.
        self._inflate = zlib.decompressobj(47) if encoding in ("gzip", "deflate") else None
        self._readable = encoding in ("", "identity", "gzip", "deflate")
        self._rest = b""
        self._usage: dict[str, Any] = {}
        self._tools: Any = None
        self.model: str | None = None
        self.response_id: str | None = None

    def feed(self, chunk: bytes) -> None:
        """Take in the next chunk. A stream that cannot be read leaves the usage unknown; it never raises."""
        if not self._readable:
            return
        if self._inflate is not None:
            try:
                chunk = self._inflate.decompress(chunk)
            except zlib.error:
                self._readable = False
                return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._rest = b""
        for line in lines:
            # Parsing every delta would cost as much as the stream itself; only these lines carry counts.
            if line.startswith(b"data:") and (
                b'"usage"' in line or (self.model is None and b'"model"' in line)
            ):
                self._read(line[5:])

    def usage(self) -> Usage | None:
        """The counts seen, None where the stream sent none (or was cut before it did)."""
        if not self._usage:
            return None
        try:
            tools = {} if self._tools is None else {"tool_usage": self._tools}
            return from_response(self._provider, {"usage": self._usage, **tools})
        except UsageError:
            return None

    def _read(self, data: bytes) -> None:
        try:
            event = json.loads(data)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        # Chat: top level. Responses: under "response". Anthropic: first under "message", then top level deltas,
        # whose counts are cumulative and replace the first ones.
        for holder in holders(event):
            if holder.get("model"):
                self.model, self.response_id = holder["model"], holder.get("id") or self.response_id
            usage = holder.get("usage")
            if isinstance(usage, dict):
                self._usage.update({name: count for name, count in usage.items() if count is not None})
            self._tools = holder.get("tool_usage", self._tools)
