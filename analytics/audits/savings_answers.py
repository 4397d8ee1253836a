"""Savings by answers that were given before: what a cache in shadow mode has seen, and which mode that speaks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..caching.bounds import MILLION, needed, upper

__all__ = ["Advice", "advice"]

BOUND = Decimal("0.02")
"""How many of the answers that are served for their meaning may be wrong, unless a policy says otherwise."""
_LABELS = needed(float(BOUND))


@dataclass(frozen=True, slots=True)
class Advice:
    """Which mode, what it saves of what was paid, on how many calls, and why."""

    mode: str
    calls: int
    saving: Decimal
    confidence: str
    evidence: str
    next_step: str


def advice(row: Mapping[str, Any]) -> Advice | None:
    """What the outcomes of one workload and model speak for; None where there would have been nothing to serve.

    A row counts requests that were `looked_up`, of which `exact` and, by meaning, judged `same`, judged `different` or
    `unjudged` ones would have been answered, with `exact_cost` and `same_cost`.
    """
    exact, same, different = row["exact"], row["same"], row["different"]
    judged = same + different
    most = upper(different, judged) if judged else MILLION
    evidence = _evidence(row, judged, most)
    if same and most <= BOUND * MILLION:
        return Advice(
            "on",
            exact + same,
            row["exact_cost"] + row["same_cost"],
            "high",
            evidence,
            "set `mode: on` under `cache` in the policy for this workload; audits go on, and a drift revokes",
        )
    if exact:
        return Advice(
            "exact",
            exact,
            row["exact_cost"],
            "high",
            evidence,
            "set `mode: exact` under `cache` in the policy for this workload: only the very same request is answered"
            + (f"; for more, {_labels(judged, different)}" if judged else ""),
        )
    if same:
        return Advice(
            "shadow",
            same,
            row["same_cost"],
            "low",
            evidence,
            f"stay in shadow: {_labels(judged, different)}",
        )
    return None


def _evidence(row: Mapping[str, Any], judged: int, most: int) -> str:
    said = f"of {row['looked_up']:,} requests {row['exact']:,} had been answered before word for word"
    if judged:
        share = row["different"] / judged
        said += (
            f", {judged:,} by an answer of the same meaning that was judged: {row['different']:,} wrong ({share:.1%}, "
            f"with 90 % confidence at most {most / MILLION:.1%})"
        )
    return said + (f"; {row['unjudged']:,} were not judged" if row["unjudged"] else "")


def _labels(judged: int, different: int) -> str:
    if different:
        return f"{judged:,} were judged and {different:,} were wrong, too many for at most {BOUND:.0%}"
    return f"{judged:,} of at least {_LABELS} labels are there to be sure of at most {BOUND:.0%} wrong"
