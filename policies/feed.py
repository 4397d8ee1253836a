"""The engine's line to the collector: booked calls in; transitions and the registry out. All of it by HTTP.

The collector may be away: every loop goes on with a growing, jittered pause and picks up where it was.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from switchgear.jitter import JITTER
from switchgear.tier import Tier
from switchgear.usage import COUNTS, Usage

from .engine import BookedCall
from .model import PolicySet, Who
from .records import Position
from .runtime import Runtime
from .wire import registry

__all__ = ["OVERDUE_AFTER_S", "CollectorLine", "booked_call", "client"]

_log = logging.getLogger(__name__)
_FEED_WAIT_S = 20
_FEED_LIMIT = 5000
_AUDIT_BATCH = 500
# Places in the feed are written down so far apart: a start reads again that much more than it needs.
_POSITION_S = 10.0
_START_WITHOUT_S = 3.0
_SETTLEMENT_BATCH = 500
OVERDUE_AFTER_S = 60.0
"""How long a settled hold waits for its booking before it is handed over: exporters send within seconds, and spool."""


class CollectorLine:
    """Keeps one engine and one collector in step, for ever, once `run` is awaited."""

    def __init__(
        self,
        runtime: Runtime,
        client: httpx.AsyncClient,
        *,
        overdue_after_s: float = OVERDUE_AFTER_S,
        position: int = 0,
    ) -> None:
        self._runtime = runtime
        self._client = client
        self._overdue_after_s = overdue_after_s
        self._in_step_since: float | None = None
        self._registry_due = asyncio.Event()
        self._registry_due.set()
        self._logged = asyncio.Event()
        self.position = position
        self._positioned_at = float("-inf")
        self._heard = 0
        runtime.reloaded.append(lambda _: self._registry_due.set())
        runtime.log.followers.append(lambda _: self._logged.set())

    async def run(self) -> None:
        """Follow the feed, forward transitions, hand over settlements, push the registry."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_without())
            group.create_task(self._repeat("feed", self._follow))
            group.create_task(self._repeat("settlements", self._hand_over))
            group.create_task(self._repeat("audit", self._forward))
            group.create_task(self._repeat("registry", self._push))

    async def _repeat(self, name: str, step: Any) -> None:
        pause = 0.1
        while True:
            try:
                await step()
                pause = 0.1
            except Exception as error:  # noqa: BLE001 - whatever it is: without this loop nothing is counted any more
                if pause < 0.2:
                    _log.warning("collector %s: %s; trying again", name, error or type(error).__name__)
                await asyncio.sleep(pause * JITTER.uniform(0.5, 1.5))
                pause = min(pause * 2, 5.0)

    async def _follow(self) -> None:
        wait = 0 if self._in_step_since is None else _FEED_WAIT_S
        try:
            reply = await self._client.get(
                "/v1/feed",
                params={"after": self.position, "wait": wait, "limit": _FEED_LIMIT},
                timeout=_FEED_WAIT_S + 10,
            )
            reply.raise_for_status()
        except httpx.HTTPError:
            self._in_step_since = None
            raise
        self._heard += 1
        body = reply.json()
        if body["calls"]:
            self._runtime.booked([booked_call(call, self._runtime.engine.policies) for call in body["calls"]])
        self.position = int(body["next"])
        if len(body["calls"]) < _FEED_LIMIT:
            self._in_step()

    def _in_step(self) -> None:
        """All that the collector had was taken in."""
        runtime, now = self._runtime, self._runtime.clock()
        if self._in_step_since is None:
            self._in_step_since = now
        runtime.ready()
        if now - self._positioned_at >= _POSITION_S:
            self._positioned_at = now
            runtime.engine.records.append(Position(now, self.position))

    async def _start_without(self) -> None:
        """A collector that does not answer must not keep the agents from working: grants count from the journal."""
        heard = -1
        while heard != self._heard and not self._runtime.rebuilt.is_set():
            # One that answers has a day to tell of, perhaps: half of it is worse than waiting.
            heard = self._heard
            await asyncio.sleep(_START_WITHOUT_S)
        if not self._runtime.rebuilt.is_set():
            _log.warning("the collector does not answer; starting with the journal of grants alone")
            self._runtime.ready()

    async def _hand_over(self) -> None:
        """Tell the collector of holds that were settled a while ago and that it has told nothing of.

        After it was away the spans that were kept for it get as long to come. Told twice, it books one call.
        """
        await asyncio.sleep(min(1.0, self._overdue_after_s))
        before = self._runtime.clock() - self._overdue_after_s
        if self._in_step_since is None or self._in_step_since > before:
            return
        unbooked = self._runtime.engine.unbooked
        overdue = unbooked.overdue(before)
        for start in range(0, len(overdue), _SETTLEMENT_BATCH):
            batch = overdue[start : start + _SETTLEMENT_BATCH]
            body = {"settlements": [each.to_wire() for each in batch]}
            reply = await self._client.post("/v1/settlements", json=body)
            if reply.status_code == 422:
                _log.error("the collector books none of %d settlements: %s", len(batch), reply.text[:500])
            else:
                reply.raise_for_status()
                for reason in reply.json()["refused"]:
                    _log.warning("the collector does not book a settlement: %s", reason)
            unbooked.drop(each.lease for each in batch)

    async def _forward(self) -> None:
        # The collector ignores transitions that it has, so that starting over costs little and loses nothing.
        sent = 0
        while True:
            self._logged.clear()
            lines = self._runtime.log.since(sent)
            for start in range(0, len(lines), _AUDIT_BATCH):
                batch = lines[start : start + _AUDIT_BATCH]
                # By its hash: places in the log start over with a new log, hashes do not.
                body = {"transitions": [line | {"id": line["hash"]} for line in batch]}
                reply = await self._client.post("/v1/audit", json=body)
                first, last = batch[0]["id"], batch[-1]["id"]
                if reply.status_code == 422:
                    # Sent again it would be refused again, and what comes after it would never be told.
                    _log.error(
                        "the collector keeps none of transitions %d to %d: %s", first, last, reply.text[:500]
                    )
                else:
                    reply.raise_for_status()
                sent = last
            await self._logged.wait()

    async def _push(self) -> None:
        await self._registry_due.wait()
        body = registry(self._runtime.engine.policies)
        (await self._client.put("/v1/registry", json=body)).raise_for_status()
        self._registry_due.clear()


def booked_call(call: Mapping[str, Any], policies: PolicySet) -> BookedCall:
    """What the engine needs of one object in the feed. Raises KeyError or ValueError where it is none."""
    tenant, workload = call["tenant"], call.get("workload") or ""
    declared = policies.workload(tenant, workload)
    tier = (
        Tier(call["tier"]) if call.get("tier") in set(Tier) else (declared.tier if declared else Tier.BATCH)
    )
    counts = call.get("usage")
    named: dict[str, Any] = {} if counts is None else {name: int(counts[name]) for name in COUNTS}
    return BookedCall(
        key=call["key"],
        who=Who(
            tenant,
            workload,
            tier,
            call.get("root_task_id") or call.get("task_id"),
            call.get("provider"),
            call.get("model"),
            declared.owner if declared else None,
        ),
        usage=None if counts is None else Usage(**named),
        cost=None if call.get("cost") is None else Decimal(call["cost"]),
        ended_at=datetime.fromisoformat(call.get("ended_at") or call["started_at"]).timestamp(),
        lease=call.get("lease_id"),
        task_id=call.get("task_id"),
    )


def client(base_url: str, api_key: str | None) -> httpx.AsyncClient:
    """An HTTP client for a collector's address."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=10, verify=ssl.create_default_context()
    )
