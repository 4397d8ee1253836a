"""Documents: effects as programs and pages read them. Amounts are decimal strings, lengths seconds, times RFC 3339."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from collector.wire import decimal_text, rfc3339

from ..model import PolicySet
from .effects import Recordings
from .judging import Effect, Foresight, Judged, Money

__all__ = ["backtest_document", "moment", "policy_document"]


def backtest_document(
    recordings: Recordings, tried: Sequence[tuple[str, PolicySet, Effect]]
) -> dict[str, Any]:
    """What each policy set, under the name of its file, would have done to the same calls: one or more of both."""
    calls = recordings.calls
    return {
        "from": moment(calls[0].started_at),
        "to": moment(calls[-1].started_at),
        "calls": len(calls),
        "recorded": _sum(recordings.money),
        "currency": tried[0][1].currency,
        "files": [
            {
                "file": name,
                "version": policies.version,
                "saved": _sum(effect.saved),
                "waited_without_policy": effect.without_policy,
                "policies": [policy_document(judged) for judged in effect.policies],
            }
            for name, policies, effect in tried
        ],
    }


def policy_document(judged: Judged) -> dict[str, Any]:
    """One policy of an effect."""
    return {
        "policy": judged.ceiling.name,
        "shadow": judged.ceiling.shadow,
        "unit": judged.ceiling.unit.value,
        "limit": decimal_text(judged.ceiling.limit),
        "highest": None if judged.highest is None else decimal_text(judged.highest),
        "breaches": judged.breaches,
        "opening": _foresight(judged.opening),
        "slowing": _foresight(judged.slowing),
        "opened": judged.opened,
        "refused": _sum(judged.refused),
        "gave_up": _sum(judged.gave_up),
        "stopped_needlessly": _sum(judged.needless),
        "waited": judged.waited,
        "mean_wait_s": judged.mean_wait_s,
        "degraded": judged.degraded,
        "saved_by_degrading": _sum(judged.saved_by_degrading),
        "breaches_left": judged.breaches_left,
        "largest_excess": decimal_text(judged.largest_excess),
    }


def moment(seconds: float) -> str:
    """A moment of a recording, to the second."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC).replace(microsecond=0))


def _sum(money: Money) -> dict[str, Any]:
    return {"calls": money.calls, "amount": decimal_text(money.amount), "of_unknown_cost": money.unknown}


def _foresight(foresight: Foresight) -> dict[str, Any]:
    return {
        "trips": foresight.trips,
        "false_trips": foresight.false_trips,
        "breaches_seen_before": len(foresight.leads),
        "leads_s": [round(lead, 3) for lead in foresight.leads],
        "median_lead_s": foresight.median_lead_s,
    }
