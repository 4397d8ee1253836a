"""Charts: the review's pictures as SVG. A document always has the same ones, byte for byte.

Colours are told apart by people who see few of them (Okabe and Ito 2008). Cost that grew is warm, never green; cost
that fell is blue. Text is drawn as outlines, so that a page needs no font.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .document import Review
from .fonts import drawable
from .wording import day, digits, money, short_money

__all__ = ["CHARTS", "drawn"]

INK, SOFT, LINE = "#16202c", "#55616f", "#dfe3e8"
WARM, COOL, PLAIN = "#d55e00", "#0072b2", "#8a94a1"
_TENANTS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442")
_OTHERS = "#c4cad1"
_MOST_OWNERS = 12
_CUT_ABOVE = 0.8
_STYLE: Any = {
    "svg.hashsalt": "switchgear",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.parse_math": False,
}


def drawn(name: str, review: Review) -> str | None:
    """The chart of that name, as an SVG document; None where there is nothing to draw."""
    with mpl.rc_context(_STYLE):
        figure = CHARTS[name](review)
        if figure is None:
            return None
        out = io.BytesIO()
        # No date in it: the same review has the same bytes.
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    return out.getvalue().decode()


def _daily(review: Review) -> Figure | None:
    """Each day's cost by tenant, and last week's line."""
    tenants = list(dict.fromkeys(name for each in review.days for name, _ in each.by_tenant))
    totals = [sum((float(cost) for _, cost in each.by_tenant), 0.0) for each in review.days]
    before = [None if each.before is None else float(each.before) for each in review.days]
    if not any(totals) and not any(before):
        return None
    figure, axes = _plot(6.6, 2.5)
    bottom = [0.0] * len(review.days)
    places = range(len(review.days))
    for place, tenant in enumerate(tenants):
        heights = [float(dict(each.by_tenant).get(tenant, Decimal(0))) for each in review.days]
        colour = _OTHERS if tenant is None else _TENANTS[place % len(_TENANTS)]
        name = "all others" if tenant is None else _cut(tenant, 22)
        axes.bar(
            places, heights, 0.64, bottom=bottom, color=colour, label=name, edgecolor="white", linewidth=0.6
        )
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    if any(before):
        values = [float("nan") if value is None else value for value in before]
        axes.plot(places, values, color=INK, linewidth=1.2, marker="o", markersize=3, label="last week")
    axes.set_xticks(list(places), [day(each.day).replace(" ", "\n", 1) for each in review.days])
    axes.set_ylim(0, max([*totals, *(value or 0.0 for value in before)]) * 1.08)
    _money_axis(axes, review.currency, "y")
    axes.set_ylabel(f"Cost a day, {review.currency}")
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.02), frameon=False, handlelength=1.1, labelspacing=0.45
    )
    return figure


def _owners(review: Review) -> Figure | None:
    """What each owner spent, and the mark of its plan."""
    lines = [line for line in review.owners if line.actual or line.plan]
    if not lines:
        return None
    lines = lines[:_MOST_OWNERS][::-1]
    figure, axes = _plot(9.4, 0.62 + 0.27 * len(lines))
    for place, line in enumerate(lines):
        actual, plan = float(line.actual or 0), None if line.plan is None else float(line.plan)
        over = plan is not None and actual > plan
        axes.barh(place, actual, 0.56, color=WARM if over or line.owner is None else COOL)
        if plan is not None:
            axes.plot([plan, plan], [place - 0.4, place + 0.4], color=INK, linewidth=2, solid_capstyle="butt")
    axes.set_yticks(range(len(lines)), [_cut(line.owner or "UNOWNED", 26) for line in lines])
    axes.set_xlim(0, max(float(max(line.actual or 0, line.plan or 0)) for line in lines) * 1.05)
    _money_axis(axes, review.currency, "x")
    axes.set_xlabel(
        f"Cost of the week, {review.currency}; the mark is the plan, warm is over plan or unowned"
    )
    return figure


def _bridge(review: Review) -> Figure | None:
    """From last week's cost to this week's, step by step."""
    bridge = review.bridge
    if not bridge.start and not bridge.end:
        return None
    places = digits(review.total.actual)
    steps = [step for step in bridge.steps if step.amount]
    names = ["last week", *(step.name for step in steps), "this week"]
    figure, axes = _plot(9.4, 2.6)
    axes.bar(0, float(bridge.start), 0.6, color=PLAIN)
    level = bridge.start
    levels = [bridge.start]
    for place, step in enumerate(steps, start=1):
        after = level + step.amount
        colour = WARM if step.amount > 0 else COOL
        axes.bar(place, float(abs(step.amount)), 0.6, bottom=float(min(level, after)), color=colour)
        axes.plot([place - 0.7, place + 0.3], [float(level)] * 2, color=SOFT, linewidth=0.7)
        axes.annotate(
            ("+" if step.amount > 0 else "") + money(step.amount, review.currency, places),
            (place, float(max(level, after))),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
        )
        level = after
        levels.append(level)
    last = len(names) - 1
    axes.plot([last - 0.7, last + 0.3], [float(level)] * 2, color=SOFT, linewidth=0.7)
    axes.bar(last, float(bridge.end), 0.6, color=INK)
    for place, value in ((0, bridge.start), (last, bridge.end)):
        axes.annotate(
            money(value, review.currency, places),
            (place, float(value)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
        )
    axes.set_xticks(range(len(names)), names)
    bottom, top = _span([float(value) for value in levels])
    axes.set_ylim(bottom, top)
    _money_axis(axes, review.currency, "y", exact=bottom > 0)
    axes.set_ylabel(
        f"Cost of a week, {review.currency}" + ("\n(axis does not begin at 0)" if bottom > 0 else "")
    )
    return figure


def _span(levels: Sequence[float]) -> tuple[float, float]:
    """The ends of the bridge's axis: from 0, except where the steps would be too small to see beside the whole."""
    low, high = min(levels), max(levels)
    if low > _CUT_ABOVE * high > 0 and low < high:
        return low - (high - low), high + (high - low) * 0.25
    return min(0.0, low * 1.15), (high or -low) * 1.15


def _forecast(review: Review) -> Figure | None:
    """The month so far, what it will have cost by its end, and the plan."""
    found = review.headline.forecast
    if found is None:
        return None
    figure, axes = _plot(6.6, 0.85)
    high = max(found.high, found.plan or Decimal(0), found.spent)
    if not high:
        return None
    axes.barh(0, float(found.high - found.low), 0.62, left=float(found.low), color="#b9d4e8")
    axes.barh(0, float(found.spent), 0.34, color=COOL)
    axes.plot([float(found.expected)] * 2, [-0.31, 0.31], color=COOL, linewidth=2, solid_capstyle="butt")
    if found.plan is not None:
        axes.plot([float(found.plan)] * 2, [-0.46, 0.46], color=INK, linewidth=2.4, solid_capstyle="butt")
    axes.set_xlim(0, float(high) * 1.04)
    axes.set_ylim(-0.6, 0.6)
    axes.set_yticks([])
    _money_axis(axes, review.currency, "x")
    plan = "; black: plan" if found.plan is not None else ""
    axes.set_xlabel(
        f"{found.month}, {review.currency}. Dark: so far; pale: 80 % band at the month's end{plan}"
    )
    return figure


CHARTS: Mapping[str, Callable[[Review], Figure | None]] = MappingProxyType(
    {"daily": _daily, "forecast": _forecast, "owners": _owners, "bridge": _bridge}
)


def _plot(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty plot of so many inches, without a frame."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def _money_axis(axes: Axes, currency: str, which: str, *, exact: bool = False) -> None:
    """Grid and labels of an axis of money, in short, or `exact` where its ends lie close together."""

    def label(value: float, _: object) -> str:
        amount = Decimal(str(round(value, 6)))
        if not exact:
            return short_money(amount, currency)
        return money(amount, currency, 0 if amount == amount.to_integral_value() else 2)

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(label))
    axis.grid(visible=True, color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)


def _cut(text: str, most: int) -> str:
    """A name that fits, without what no font has."""
    plain = drawable(text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
