"""Warm: spare holds that an agent keeps, so that its next calls need not ask: drawn here, refilled beside, given back.

As the SDK does it: it asks where it has none, has more fetched in the background when half of them are used and the
last answer brought some, and gives back what it has as soon as an answer brings none: there is no more plenty then. So
it does with what it has not drawn for two seconds, and at its end.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple

from connection import Connection, post

__all__ = ["Warm"]

_IDLE_S = 2.0
_COME_AGAIN_S = 0.05
_SIZES = ("input_bytes", "max_output_tokens")


class _Hold(NamedTuple):
    lease: str
    asked: dict[str, Any]

    def suits(self, body: dict[str, Any]) -> bool:
        """Whether such a call is no larger than the one that this was held for."""
        return all(body.get(size, 0) <= self.asked.get(size, 0) for size in _SIZES)


class Warm:
    """The spare holds of one agent; `gate` is the connection that fetches and gives back."""

    def __init__(self, gate: Connection) -> None:
        self.gate = gate
        self._holds: deque[_Hold] = deque()
        self._gave = 0
        """How many spare ones the last answer brought."""
        self._drawn_at = time.monotonic()
        self._fetching: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._watching = asyncio.create_task(self._watch())

    def draw(self, body: dict[str, Any]) -> str | None:
        """A hold for a call that would ask with this body; None where there is none that suits."""
        hold = next((each for each in self._holds if each.suits(body)), None)
        if hold is None:
            return None
        self._holds.remove(hold)
        self._drawn_at = time.monotonic()
        if self._gave and len(self._holds) <= self._gave // 2 and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch({**body, "id": f"{body['id']}-more", "wait": 0}))
        return hold.lease

    @property
    def has_any(self) -> bool:
        """Whether it keeps something, for whichever calls."""
        return bool(self._holds)

    async def told(self, body: dict[str, Any], grant: dict[str, Any] | None) -> None:
        """Keep what a grant holds beyond the call that asked; where that is nothing, give back the rest."""
        if grant is not None and grant["calls"] > 1:
            self._keep(body, grant, drawn=1)
        elif self._holds:
            await self._give_back()

    def _keep(self, body: dict[str, Any], grant: dict[str, Any], *, drawn: int) -> None:
        self._gave = grant["calls"] - 1
        numbers = range(drawn + 1, grant["calls"] + 1)
        self._holds.extend(_Hold(f"{grant['id']}:{number}", body) for number in numbers)
        self._drawn_at = time.monotonic()

    async def close(self) -> None:
        """Give all back."""
        self._watching.cancel()
        if self._fetching is not None:
            await self._fetching
        await self._give_back()
        self.gate.close()

    async def _fetch(self, body: dict[str, Any]) -> None:
        self._gave = 0
        answer = await self._ask("/v1/grants", body)
        if answer is None:
            # It may have been given all the same.
            await self._tell([{"lease": body["id"], "do": "release"}])
        elif answer["grant"] is not None:
            self._keep(body, answer["grant"], drawn=0)
        self._fetching = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_S / 4)
            if self._holds and time.monotonic() - self._drawn_at >= _IDLE_S:
                await self._give_back()

    async def _give_back(self) -> None:
        holds, self._holds = self._holds, deque()
        if holds:
            await self._tell([{"lease": each.lease, "do": "release", "calls": 1} for each in holds])

    async def _tell(self, items: list[dict[str, Any]]) -> None:
        """Said until it is heard: each of these is given back once."""
        told = None
        while told is None:
            told = await self._ask("/v1/grants:finish", {"finished": items})

    async def _ask(self, path: str, body: dict[str, Any]) -> Any:
        """The answer; None while the gate is away. Raises RuntimeError for one that no retry mends."""
        async with self._busy:
            with suppress(OSError):
                status, content = await self.gate.ask(post(path, body))
                if status == 200:
                    return json.loads(content)
                if status < 500:
                    raise RuntimeError(f"{path} was answered {status}: {content[:300]!r}")
            await asyncio.sleep(_COME_AGAIN_S)
            return None
