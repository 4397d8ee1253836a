"""Bursts: who caused what a provider charges above, or below, a committed rate."""

from .attribution import Method, at_percentile_95, overage, shares, split, underuse
from .call import Call
from .minutes import Line, Minute, attributed, charges
from .queueing import Smoothing, queued, smoothing
from .windows import WINDOWS_S, Peak, peaks

__all__ = [
    "WINDOWS_S",
    "Call",
    "Line",
    "Method",
    "Minute",
    "Peak",
    "Smoothing",
    "at_percentile_95",
    "attributed",
    "charges",
    "overage",
    "peaks",
    "queued",
    "shares",
    "smoothing",
    "split",
    "underuse",
]
