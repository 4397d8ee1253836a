"""Prices: what a usage costs as of a date, exactly."""

from __future__ import annotations

from .book import CURRENCY, PriceBook

__all__ = ["CURRENCY", "PriceBook"]
