"""Warm grants: how many holds one engine draws and settles a second, one by one and by the batch, over HTTP.

Clients ask as fast as they are answered. One by one, each call is a request for a grant and one to settle it. Warm, a
grant holds 31 calls beside the one asked for, and all 32 are settled in one request. The engine has its journal, a
ceiling of a day and one for each task, and no collector. What it has counted must be what was settled, to the digit.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from beside import Beside
from connection import Connection, post
from result import Figure, show
from server import Policies

CLIENTS, BATCH = 16, 32
SECONDS = 4.0
USAGE = {"input_uncached": 100, "output": 50}
# Without a price a token counts at a thousandth of a dollar.
EACH = Decimal("0.150")
POLICIES = """\
version: 1
unpriced_rate: 1000 USD
ceilings:
  - {name: day, limit: 1000000000 USD, window: 24h}
  - {name: task, limit: 1000000000 USD, per: task}
"""


def main() -> None:
    """Print a line a figure."""
    show("holds drawn and settled by one engine", _figures())


def _figures() -> Iterator[Figure]:
    for name, spare in (("one by one", 0), (f"{BATCH} at a time", BATCH - 1)):
        with tempfile.TemporaryDirectory(prefix="switchgear-warm-") as folder:
            holds, cpu_s = _measured(Path(folder), spare)
        yield Figure(name, holds / SECONDS, "a second")
        yield Figure("  of the engine's processor, each", cpu_s / holds * 1e6, "µs")


def _measured(folder: Path, spare: int) -> tuple[int, float]:
    """How many holds were settled, and what processor time the engine used for it."""
    file = folder / "policies.yaml"
    file.write_text(POLICIES)
    engine = Policies(folder / "data", file, collector="http://127.0.0.1:9")
    try:
        engine.wait_ready()
        before = engine.cpu_s
        holds = Beside(_run, engine.url, spare).value()
        used = engine.cpu_s - before
        day = engine.budget("day")
        assert (Decimal(day["spent"]), day["calls_in_flight"]) == (holds * EACH, 0), (holds, day)
        return holds, used
    finally:
        engine.kill()


def _run(url: str, spare: int) -> int:
    return uvloop.run(_all(url, spare))


async def _all(url: str, spare: int) -> int:
    # An engine that starts grants nothing before it has waited for its collector.
    first = Connection(url)
    await _answer(first, "/v1/grants", _call("the-first", "t", 0))
    await _answer(first, "/v1/grants:finish", {"finished": [{"lease": "the-first", "do": "release"}]})
    first.close()
    until = time.perf_counter() + SECONDS
    return sum(
        await asyncio.gather(*(_client(Connection(url), each, spare, until) for each in range(CLIENTS)))
    )


async def _client(connection: Connection, number: int, spare: int, until: float) -> int:
    done = 0
    while time.perf_counter() < until:
        body = _call(f"warm-{number}-{done}", f"t-{number}-{done}", spare)
        grant = (await _answer(connection, "/v1/grants", body))["grant"]
        assert grant["calls"] == spare + 1, grant
        ended = {"model": "m", "usage": USAGE}
        if spare:
            leases = (f"{grant['id']}:{place}" for place in range(1, grant["calls"] + 1))
            items = [{"lease": lease, "do": "settle", **ended} for lease in leases]
            await _answer(connection, "/v1/grants:finish", {"finished": items})
        else:
            await _answer(connection, f"/v1/grants/{grant['id']}:settle", ended)
        done += grant["calls"]
    connection.close()
    return done


def _call(name: str, task: str, spare: int) -> dict[str, Any]:
    return {
        "id": name,
        "tenant": "acme",
        "workload": "w",
        "task": task,
        "provider": "none",
        "model": "m",
        "input_bytes": 400,
        "max_output_tokens": 100,
        "spare": spare,
        "wait": 10,
    }


async def _answer(connection: Connection, path: str, body: dict[str, Any]) -> Any:
    status, content = await connection.ask(post(path, body))
    if status != 200:
        sys.exit(f"{path} was answered {status}: {content[:300]!r}")
    return json.loads(content)


if __name__ == "__main__":
    main()
