"""`switchgear policies backtest`: what policy files would have done to recorded calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from analytics.documents import DocumentError
from policies.files import load
from policies.model import Ceiling, PolicySet, Unit
from policies.trials.documents import backtest_document, moment
from policies.trials.effects import effect
from policies.trials.judging import Effect, Foresight, Judged
from policies.trials.recorded import RecordedCall

from .calls import CallsError, MisuseError
from .console import FAILED, fail, misuse, note, say
from .recordings import Wanted, progress, recorded
from .tables import table

__all__ = ["run"]

_PLACES = Decimal("0.01")
_ASSUMED = (
    "Assumed: a refused call vanishes and those after it come as they did; one that waits gives up as the SDK does; "
    "a degraded one uses as many tokens (docs/policy-tools.md)"
)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A policy file and what it would have done."""

    file: Path
    policies: PolicySet
    effect: Effect


def run(files: Sequence[Path], wanted: Wanted, *, as_json: bool) -> int:
    """Replay the calls through the engine under each file and print what it would have done; the exit code.

    1 where a file or the calls cannot be read, else 0: an effect is what was asked for, and no finding.
    """
    if len(files) > 2:
        return misuse("policies backtest: compare two files at most")
    try:
        sets = [load(file) for file in files]
        recordings = recorded(wanted, sets)
    except DocumentError as problem:
        for line in str(problem).splitlines():
            note(line)
        return FAILED
    except MisuseError as problem:
        return misuse(f"policies backtest: {problem}")
    except CallsError as problem:
        return fail(f"policies backtest: {problem}")
    tried = [
        _Tried(file, policies, effect(policies, recordings, progress(str(file), len(recordings.calls))))
        for file, policies in zip(files, sets, strict=True)
    ]
    if as_json:
        told = [(str(each.file), each.policies, each.effect) for each in tried]
        say(json.dumps(backtest_document(recordings, told), ensure_ascii=False, indent=2))
    else:
        _print(recordings.calls, tried)
    return 0


def _print(calls: Sequence[RecordedCall], tried: Sequence[_Tried]) -> None:
    currency = tried[0].policies.currency
    total = tried[0].effect.recorded
    say(
        f"{len(calls):,} calls from {moment(calls[0].started_at)} to {moment(calls[-1].started_at)}, "
        f"{_money(total.amount)} {currency}"
        + (f", {total.unknown:,} of unknown cost" if total.unknown else "")
    )
    if total.unknown:
        note("the engine counts a call of unknown cost by the file's unpriced_rate; sums here do not")
    beside = len(tried) > 1
    say("\nWas it right: breaches that did happen, and what the breakers did before them")
    columns = ["breaches", "highest", "limit", "trips", "false", "seen before", "lead"]
    columns += ["slowed", "falsely", "slowed before", "slow lead"]
    _by_policy(tried, columns, _right, beside=beside)
    say(f"\nWhat it would have done, in {currency}")
    columns = ["refused", "gave up", "cost", "needless", "waited", "mean wait", "degraded", "saved", "excess"]
    _by_policy(tried, columns, _done, beside=beside)
    for each in tried:
        saved = each.effect.saved
        say(
            f"\n{each.file}: {_money(total.amount - saved.amount)} of {_money(total.amount)} {currency} would have "
            f"been spent, {_money(saved.amount)} less"
            + (
                f"; {each.effect.without_policy:,} calls waited for a provider or behind other calls"
                if each.effect.without_policy
                else ""
            )
        )
    say(_ASSUMED)


def _by_policy(
    tried: Sequence[_Tried],
    columns: Sequence[str],
    cells: Callable[[Judged], list[object]],
    *,
    beside: bool,
) -> None:
    """A row for each policy, and where two files are compared one of each file below the other."""
    names = list(dict.fromkeys(judged.ceiling.name for each in tried for judged in each.effect.policies))
    rows = [
        [name, *([each.file.name] if beside else []), *cells(judged)]
        for name in names
        for each in tried
        for judged in each.effect.policies
        if judged.ceiling.name == name
    ]
    table(["policy", *(["file"] if beside else []), *columns], rows, numbers=columns)


def _right(judged: Judged) -> list[object]:
    return [
        f"{judged.breaches:,}",
        None if judged.highest is None else _amount(judged.highest, judged.ceiling),
        _amount(judged.ceiling.limit, judged.ceiling) + (" (shadow)" if judged.ceiling.shadow else ""),
        *_foreseen(judged.opening),
        *_foreseen(judged.slowing),
    ]


def _foreseen(foresight: Foresight) -> list[object]:
    lead = foresight.median_lead_s
    return [
        f"{foresight.trips:,}",
        f"{foresight.false_trips:,}",
        f"{len(foresight.leads):,}",
        None if lead is None else _length(lead),
    ]


def _done(judged: Judged) -> list[object]:
    stopped = judged.refused.amount + judged.gave_up.amount
    return [
        f"{judged.refused.calls:,}",
        f"{judged.gave_up.calls:,}",
        _money(stopped),
        _money(judged.needless.amount),
        f"{judged.waited:,}",
        None if judged.mean_wait_s is None else _length(judged.mean_wait_s),
        f"{judged.degraded:,}",
        _money(stopped + judged.saved_by_degrading.amount),
        _amount(judged.largest_excess, judged.ceiling),
    ]


def _amount(amount: Decimal, ceiling: Ceiling) -> str:
    return f"{int(amount):,} tokens" if ceiling.unit is Unit.TOKENS else _money(amount)


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(_PLACES):,}" if amount == 0 or amount >= 1 else f"{amount:.4f}"


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
