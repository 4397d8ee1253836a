"""Ledger: the spans of calls that held a grant, and whether engine, collector and caller then say the same sums."""

from __future__ import annotations

import http.client
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random
from urllib.parse import urlsplit

from decisions_pairs import CALL_S, MODEL, PROVIDER, Pair
from decisions_scene import SENTINEL, Scene, Scope
from load import PROTOBUF
from spans import TENANTS, Kind, MadeSpan, MadeTrace, encoded

from analytics.prices import PriceBook
from switchgear import attributes
from switchgear.usage import Usage

__all__ = ["book", "cost", "mismatches"]

BOOKED_WITHIN_S = 120.0
_SPANS_A_REQUEST = 512
_ASKED_AGAIN_S = 0.1
_BOOK = PriceBook()


@cache
def cost(usage: Usage) -> Decimal:
    """What the provider bills for it."""
    found = _BOOK.quote(PROVIDER, MODEL, usage, datetime.now(UTC)).cost
    assert found is not None, f"{MODEL} has no price: the ledger would not check costs"
    return found


def book(scene: Scene, pairs: Sequence[Pair]) -> None:
    """Send a span for each call, and one of the sentinel after them; return when the engine has heard of that one.

    The feed is in order, so that it then has heard of all.
    """
    last = Pair(Scope(SENTINEL, "last", "last"), "", pairs[-1].usage, time.time(), 0.0, 0.0)
    random = Random(len(pairs))
    for begin in range(0, len(pairs), _SPANS_A_REQUEST):
        _send(scene, pairs[begin : begin + _SPANS_A_REQUEST], random)
    _send(scene, [last], random)
    until = time.monotonic() + BOOKED_WITHIN_S
    while Decimal(scene.policies.budget(SENTINEL)["spent"]) == 0:
        assert time.monotonic() < until, (
            f"the engine has not heard of the last span in {BOOKED_WITHIN_S:.0f} s"
        )
        time.sleep(_ASKED_AGAIN_S)


def mismatches(scene: Scene, pairs: Iterable[Pair], *, booked: bool) -> list[str]:
    """The tenants for whom engine and caller, and where all is `booked` the collector, do not say the same sums."""
    billed: defaultdict[str, Decimal] = defaultdict(Decimal)
    for pair in pairs:
        billed[pair.scope.tenant] += cost(pair.usage)
    ledger: dict[str, Decimal] = billed
    if booked:
        rows = scene.collector.rows("SELECT tenant, sum(cost)::VARCHAR FROM calls GROUP BY tenant")
        ledger = {tenant: Decimal(total) for tenant, total in rows}
    wrong = []
    for tenant in TENANTS:
        budget = scene.policies.budget(tenant)
        counted, held = Decimal(budget["spent"]), Decimal(budget["held"])
        if not (counted == ledger.get(tenant, 0) == billed[tenant] and held == 0):
            said = f"counted {counted}, held {held}, booked {ledger.get(tenant)}, billed {billed[tenant]}"
            wrong.append(f"{tenant}: {said}")
    return wrong


def _send(scene: Scene, pairs: Sequence[Pair], random: Random) -> None:
    target = urlsplit(scene.collector.traces)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
    headers = {"Content-Type": PROTOBUF, "Authorization": f"Bearer {scene.key}"}
    connection.request("POST", target.path, encoded([_trace(pair, random) for pair in pairs]), headers)
    answer = connection.getresponse()
    assert answer.status == 200, (answer.status, answer.read()[:300])
    connection.close()


def _trace(pair: Pair, random: Random) -> MadeTrace:
    ended_ns = int(pair.ended_at * 1e9)
    times = tuple(struct.pack("<Q", at) for at in (ended_ns - int(CALL_S * 1e9), ended_ns))
    told = {
        attributes.TENANT: pair.scope.tenant,
        attributes.WORKLOAD: pair.scope.workload,
        attributes.TASK_ID: pair.scope.task,
        attributes.TASK_ROOT_ID: pair.scope.task,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.usage.input_tokens": pair.usage.input_total,
        "gen_ai.usage.output_tokens": pair.usage.output,
    }
    if pair.lease:
        told[attributes.LEASE_ID] = pair.lease
    span = MadeSpan(Kind.CHAT, random.randbytes(8), b"", (times[0], times[1]), (0, 0), told)
    return MadeTrace(random.randbytes(16), [span], [])
