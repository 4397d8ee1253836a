"""Trials: a test message to every destination, once."""

from __future__ import annotations

import asyncio
import ssl
from datetime import datetime

from .channels import DeliveryError, channel
from .messages import test_message
from .model import Destination, NoticeSet

__all__ = ["try_each"]


async def try_each(
    told: NoticeSet, now: datetime, number: str, tls: ssl.SSLContext | None = None
) -> dict[str, str | None]:
    """Why a test message was not delivered, by destination, in the order of the file; None where it was."""
    trusted = tls or ssl.create_default_context()

    async def tried(destination: Destination) -> str | None:
        way = channel(destination.way, told.allowed, trusted)
        try:
            await way.send(test_message(now, number), now.timestamp())
        except DeliveryError as problem:
            return str(problem)
        finally:
            await way.close()
        return None

    problems = await asyncio.gather(*(tried(destination) for destination in told.destinations))
    return {
        destination.name: problem for destination, problem in zip(told.destinations, problems, strict=True)
    }
