"""A price book that tests change, and a collector that re-rates by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
from otlp_samples import Served

from collector.pricing import Quote
from switchgear.usage import Usage

__all__ = ["EVER", "Book", "preview", "rerate"]

EVER = {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
_MILLION = 1_000_000


@dataclass
class Book:
    """So much for a million tokens of whichever kind, in the currency of the model; other models have no price."""

    version: str
    rates: Mapping[str, tuple[int, str]]

    def __call__(
        self, provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object
    ) -> Quote:
        rate, currency = self.rates.get(model or "", (None, None))
        if rate is None:
            return Quote(None, None, self.version)
        return Quote(Decimal(rate) * (usage.input_total + usage.output) / _MILLION, currency, self.version)

    def become(self, version: str, **rates: tuple[int, str]) -> None:
        """Be another book from now on."""
        self.version, self.rates = version, rates


def preview(http: httpx.Client, **asked: Any) -> dict[str, Any]:
    """What a rerate would do."""
    answer = http.post("/v1/rerate", json={**EVER, **asked})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rerate(served: Served, reason: str = "new prices", **asked: Any) -> dict[str, Any]:
    """Look, and write what was shown."""
    shown = preview(served.http, **asked)["shown"]
    return preview(served.http, **asked, write=True, reason=reason, shown=shown)
