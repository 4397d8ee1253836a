"""Reminders: what owners have yet to do about the weekly reviews, told once to every destination that wants it."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .channels import Channel, DeliveryError, channel
from .messages import Message, one_line
from .model import Destination, NoticeSet

__all__ = ["TRIES", "Reminder", "message_of", "remind", "wanted"]

TRIES = 3
_PAUSE_S = 2.0
_MOST, _LINE_CHARS = 50, 300


@dataclass(frozen=True, slots=True)
class Reminder:
    """What `owner` has yet to do ("": whoever answers for all of it), in words, and as data for programs."""

    owner: str
    text: str
    data: Mapping[str, str]


def wanted(destination: Destination, reminders: Sequence[Reminder]) -> list[Reminder]:
    """Those that this destination is told."""
    return [each for each in reminders if destination.wants_reminder(each.owner)]


def message_of(reminders: Sequence[Reminder], now: datetime) -> Message:
    """One message of them; on one day the same reminders make the same id, so that a receiver knows it again."""
    lines = [one_line(each.text, _LINE_CHARS) for each in reminders[:_MOST]]
    if len(reminders) > _MOST:
        lines.append(f"And {len(reminders) - _MOST} more.")
    digest = hashlib.sha256("\n".join([f"{now:%Y-%m-%d}", *(each.text for each in reminders)]).encode())
    things = "1 thing is" if len(reminders) == 1 else f"{len(reminders)} things are"
    return Message(
        f"msg_{digest.hexdigest()[:32]}",
        "review.reminder",
        now,
        f"switchgear: {things} still to do for the weekly review",
        tuple(lines),
        {"reminders": [dict(each.data) for each in reminders]},
    )


async def remind(
    told: NoticeSet,
    reminders: Sequence[Reminder],
    now: datetime,
    *,
    tls: ssl.SSLContext | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, str | None]:
    """Tell each destination what it wants of them, in one message; by its name why it was not delivered, or None.

    A destination that wants none of them is not in the answer.
    """
    trusted = tls or ssl.create_default_context()

    async def tell(destination: Destination, message: Message) -> str | None:
        way = channel(destination.way, told.allowed, trusted)
        try:
            for tried in range(1, TRIES + 1):
                problem = await _tried(way, message, now)
                if problem is None:
                    return None
                if problem.final or tried == TRIES:
                    break
                await pause(_PAUSE_S * tried)
            return str(problem)
        finally:
            await way.close()

    messages = [
        (destination, message_of(found, now))
        for destination in told.destinations
        if (found := wanted(destination, reminders))
    ]
    problems = await asyncio.gather(*(tell(*each) for each in messages))
    return {destination.name: problem for (destination, _), problem in zip(messages, problems, strict=True)}


async def _tried(way: Channel, message: Message, now: datetime) -> DeliveryError | None:
    try:
        await way.send(message, now.timestamp())
    except DeliveryError as problem:
        return problem
    return None
