"""Prices: what a usage costs as of a date, exactly."""

from __future__ import annotations

from .book import PriceBook
from .listed import CURRENCY

__all__ = ["CURRENCY", "PriceBook"]
