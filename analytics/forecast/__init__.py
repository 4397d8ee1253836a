"""Forecast: what a period will have cost at its end, with a band, and whether that keeps to its plan."""

from __future__ import annotations

from .month import Forecast, Method, month_end
from .pacing import Pacing, Status, pacing

__all__ = ["Forecast", "Method", "Pacing", "Status", "month_end", "pacing"]
