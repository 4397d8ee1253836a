"""What the collector takes in: spans acknowledged a second, how soon they can be queried, and what that costs.

The real collector in a process of its own on a fresh folder, OTLP/HTTP protobuf in requests of 512 spans with 20
attributes each: one span in four billable, then all. The generator shares the machine; its part is printed. After the
figures are taken the collector is killed as the last acknowledgement arrives, started again, and counted anew. Beside
it, in the same run and on the same bytes, Arize Phoenix. `--ten-million` measures a full store instead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import peer
import ten_million
from load import Request, Sent, send
from result import Figure, booked_exactly, show
from server import Collector
from spans import ALL_BILLABLE, ONE_IN_FOUR, Kind

CORES = os.cpu_count() or 1
CONNECTIONS = 4
SECONDS, QUICK_SECONDS = 30.0, 10.0
SECONDS_BEFORE_KILL = 2.0
PEER_SECONDS, PEER_CAP_S = 10.0, 60.0


def main() -> None:
    """Print a line a figure, and with --json all of them as one document at the end."""
    arguments = _arguments()
    shown: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory(prefix="switchgear-ingest-", dir=arguments.folder) as folder:
        for title, figures in _sections(Path(folder), arguments):
            shown[title] = show(title, figures)
    if arguments.json:
        print(json.dumps({title: [asdict(each) for each in figures] for title, figures in shown.items()}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_SECONDS:.0f} s a load, not {SECONDS:.0f}"
    )
    parser.add_argument(
        "--ten-million", action="store_true", help="fill a store with 10 M calls and query it"
    )
    parser.add_argument("--no-peer", action="store_true", help="leave Arize Phoenix out")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="how many send at once")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON at the end")
    return parser.parse_args()


def _sections(folder: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, Iterator[Figure]]]:
    connections = arguments.connections
    if arguments.ten_million:
        yield "ten million calls", ten_million.measure(folder / "ten-million", connections=connections)
        return
    seconds = QUICK_SECONDS if arguments.quick else SECONDS
    yield "one span in four billable", _ingest(folder / "mixed", ONE_IN_FOUR, 40_000, seconds, connections)
    yield "all spans billable", _ingest(folder / "billable", ALL_BILLABLE, 15_000, seconds, connections)
    if not arguments.no_peer:
        yield f"{peer.PACKAGE}, one span in four billable", _phoenix(folder / "phoenix", connections)


def _ingest(
    data: Path, kinds: Sequence[Kind], wanted: int, seconds: float, connections: int
) -> Iterator[Figure]:
    request = Request(kinds)
    collector = Collector(data)
    try:
        collector.wait_ready()
        before = collector.cpu_s
        sent = send(collector.traces, request, connections=connections, seconds=seconds)
        cpu_s = collector.cpu_s - before
        lag = booked_exactly(collector, request, len(sent.acknowledged))
        yield from _rates(sent, request, wanted)
        yield Figure("from the last of these until all can be queried", lag, "s")
        yield Figure(
            "calls booked, each once, their cost exact", len(sent.acknowledged) * request.calls, "calls"
        )
        now, peak = collector.memory_mib()
        yield Figure("collector: memory at the end", now, "MiB", "at most 1,024")
        yield Figure("collector: memory at most", peak, "MiB")
        yield Figure("collector: spans a CPU second", len(sent.acknowledged) * request.spans / cpu_s, "spans")
        yield Figure("generator: share of the machine", 100 * sent.cpu_s / sent.seconds / CORES, "%")
        more = send(collector.traces, request, connections=connections, seconds=SECONDS_BEFORE_KILL, seed=1)
    finally:
        collector.kill()
    yield from _after_kill(data, request, len(sent.acknowledged) + len(more.acknowledged))


def _rates(sent: Sent, request: Request, wanted: int) -> Iterator[Figure]:
    rate = len(sent.acknowledged) * request.spans / sent.seconds
    yield Figure("acknowledged, on disk", rate, "spans/s", f"at least {wanted:,}")
    yield Figure("time to acknowledge, median", sent.quantile_ms(0.5), "ms")
    yield Figure("time to acknowledge, p99", sent.quantile_ms(0.99), "ms", "at most 100")
    yield Figure("told to come again (429, 503)", len(sent.refused), "requests")


def _after_kill(data: Path, request: Request, requests: int) -> Iterator[Figure]:
    """A start on what `kill -9` left."""
    collector = Collector(data)
    try:
        yield Figure("kill -9, then ready again after", collector.wait_ready(), "s", "at most 5")
        booked_exactly(collector, request, requests)
        yield Figure("acknowledged calls lost by that kill", 0, "calls", "0")
    finally:
        collector.kill()


def _phoenix(folder: Path, connections: int) -> Iterator[Figure]:
    try:
        outcome = peer.measure(
            Request(ONE_IN_FOUR), folder, connections=connections, send_s=PEER_SECONDS, cap_s=PEER_CAP_S
        )
    except peer.Unavailable as reason:
        print(f"  left out: {reason}", file=sys.stderr)
        return
    sent = outcome.sent
    yield Figure("acknowledged, in memory", outcome.spans / sent.seconds, "spans/s")
    yield Figure("time to acknowledge, p99", sent.quantile_ms(0.99), "ms")
    yield Figure("told to come again (429, 503)", len(sent.refused), "requests")
    yield Figure("written when the load ended", outcome.written, "spans")
    yield Figure("written a second, to the kill", outcome.written_at_kill / outcome.seconds, "spans/s")
    yield Figure("killed (-9) after", outcome.seconds, "s")
    yield Figure("acknowledged spans lost by that kill", outcome.spans - outcome.written_at_kill, "spans")
    yield Figure("memory at most", outcome.memory_mib, "MiB")


if __name__ == "__main__":
    main()
