"""Lines of stores that tests fill, by the settings that a test writes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from analytics.ledger.live import LiveLines
from analytics.ledger.settings import load
from analytics.live import Followed, LivePrices

__all__ = ["NOW", "live", "prices_of"]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def live(prices: LivePrices, folder: Path, chargeback: str = "", now: datetime = NOW) -> LiveLines:
    """Lines of one store by these prices, and the text of a chargeback.yaml after its version; without one by none.

    Each store has its own: days are kept by what changes within one.
    """
    return LiveLines(
        prices, Followed("chargeback", _file(folder, "chargeback", chargeback), load), lambda: now
    )


def prices_of(folder: Path, prices: str = "", contracts: str = "") -> LivePrices:
    """Prices by the texts of a prices.yaml and a contracts.yaml."""
    return LivePrices(_file(folder, "prices", prices), _file(folder, "contracts", contracts))


def _file(folder: Path, name: str, text: str) -> Path | None:
    path = folder / f"{name}.yaml"
    path.write_text(f"version: 1\n{text}", encoding="utf-8")
    return path if text else None
