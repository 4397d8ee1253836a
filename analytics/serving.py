"""Serving: all that analytics adds to a collector: named reports, and the routes of the ledger and of reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.extension import Extension
from collector.reporting import Report

from .audits.bursts import bursts
from .audits.savings import savings
from .focus import report as focus
from .ledger import api as ledger
from .ledger import reports as charged
from .ledger.live import LiveLines
from .ledger.settings import load
from .live import Followed, LivePrices, follow
from .reports import REPORTS
from .reviews import api as reviews

__all__ = ["Added", "added"]


@dataclass(frozen=True, slots=True)
class Added:
    """What a collector is started with."""

    reports: Mapping[str, Report]
    extensions: Sequence[Extension]


def added(prices: LivePrices, chargeback: Path | None, software: str) -> Added:
    """What goes by these prices and by the file chargeback.yaml, which is followed; None is its defaults.

    `software` stands in the manifests of closed periods. Raises DocumentError for a file that cannot be used.
    """
    settings = Followed("chargeback", chargeback, load)
    follow(settings)
    lines = LiveLines(prices, settings)
    reports = {
        **REPORTS,
        **charged.reports(lines),
        **focus.reports(lines, lambda: prices.contracts.contracts),
        **bursts(lambda: prices.contracts),
        **savings(prices.quote, lambda provider: prices.book.models(provider)),
    }
    return Added(
        reports,
        (
            ledger.extension(lines.of_period, lambda: lines.chargeback, software),
            reviews.extension(lines, reports),
        ),
    )
