"""Replays: what a kept answer told of itself when it was given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..streams import StreamMeter
from ..usage import Usage, from_response

if TYPE_CHECKING:
    from ..cache.model import Answer

__all__ = ["told_in"]


def told_in(provider: str, answer: Answer) -> tuple[Usage | None, str | None]:
    """(what was used for it, the id by which its provider knows it); None where it does not say."""
    if answer.content_type.startswith("text/event-stream"):
        meter = StreamMeter(provider)
        meter.feed(answer.body)
        return meter.usage(), meter.response_id
    try:
        body = json.loads(answer.body)
        return from_response(provider, body), body.get("id", body.get("responseId"))
    except (ValueError, RecursionError):
        return None, None
