"""A few dozen amounts beside a figure, as bars. Pure; HTML."""

from __future__ import annotations

from collections.abc import Sequence

from ..look import attribute

__all__ = ["spark"]


def spark(values: Sequence[float], alt: str) -> str:
    """The amounts from left to right, each as high as its part of the highest. Empty where there is nothing to show."""
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    bars = "".join(f'<i style="height:{max(0.0, 100 * value / top):.0f}%"></i>' for value in values)
    return f'<span class="sg-spark" role="img" aria-label="{attribute(alt)}">{bars}</span>'
