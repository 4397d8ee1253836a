"""Event streams of botocore, whose parsed events are metered as they pass, none of them held back.

An answer that outgrows its hold is held for more. It is never cut: its format has no ending of ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ..guard import Call
from ..streams import Flow, StreamMeter
from .taps import hold_more

__all__ = ["metered"]

_METRICS = "amazon-bedrock-invocationMetrics"
"""With them the last chunk of a streamed InvokeModel counts, also for models whose own chunks do not."""
_AS_CONVERSE = {
    "inputTokenCount": "inputTokens",
    "outputTokenCount": "outputTokens",
    "cacheReadInputTokenCount": "cacheReadInputTokens",
    "cacheWriteInputTokenCount": "cacheWriteInputTokens",
}


def metered(stream: Any, call: Call) -> Any:
    """The same event stream, which settles its call when it ends, fails, is closed or is dropped."""
    kind: Any = type(stream)
    made: Any = object.__new__(_metered(kind))
    made.__dict__.update(stream.__dict__)
    made.switchgear_call = call
    made.switchgear_flow = Flow(StreamMeter(call.request.provider), call.request, call.covers, cuts=False)
    return made


@cache
def _metered(kind: Any) -> type[Any]:
    """A class of event streams as this one, since instrumentations look for it."""

    class Metered(kind):  # type: ignore[misc]
        switchgear_call: Call
        switchgear_flow: Flow

        def __iter__(self) -> Iterator[Any]:
            try:
                for event in super().__iter__():
                    _feed(self.switchgear_flow.meter, event)
                    hold_more(self.switchgear_flow, self.switchgear_call)
                    yield event
            except Exception:
                self._settle()
                raise
            # Whoever leaves the loop may come back for the rest.
            self._settle()

        def close(self) -> None:
            self.switchgear_call.drop(self._settle)
            super().close()

        def __del__(self) -> None:
            self.switchgear_call.drop(self._settle)

        def _settle(self) -> None:
            meter = self.switchgear_flow.meter
            # Bedrock's prices are of the model that was asked for; in its events the maker calls it by another name.
            self.switchgear_call.settle(meter.usage(), None, meter.response_id)

    return Metered


def _feed(meter: StreamMeter, event: Mapping[str, Any]) -> None:
    chunk = event.get("chunk")
    if not isinstance(chunk, Mapping):
        meter.feed_event(event)
        return
    content: bytes = chunk.get("bytes", b"")
    meter.feed(b"data: " + content + b"\n")
    if _METRICS.encode() in content and meter.usage() is None:
        meter.feed_event({"usage": _counted(content)})


def _counted(content: bytes) -> dict[str, int]:
    try:
        counts = json.loads(content)[_METRICS]
        return {name: counts[theirs] for theirs, name in _AS_CONVERSE.items() if theirs in counts}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
