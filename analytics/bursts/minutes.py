"""Minutes: which ones went above the committed rate, what each cost more, and who pays for it.

The charge of a minute is what the contract's statement charges for it: the tokens above, in each band, at the mean
price of the minute's tokens times the band's rate. Which tokens were the ones above is not known, so that all are in
proportion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from analytics.contracts.bands import slices
from analytics.contracts.exact import EXACT, stored
from analytics.contracts.terms import Burst

from .attribution import Method, Number, overage, split
from .call import MINUTE_US, Call

__all__ = ["Line", "Minute", "attributed", "charges"]

_Piece = tuple[str | None, str | None]
"""A workload and a task of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one task pays of a minute's charge, and the tokens that it took in that minute."""

    tenant: str
    workload: str | None
    task: str | None
    tokens: int | Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute above the committed rate. `charge` is None where none of its calls has a price: it is not known.

    The amounts of `lines` add up to the charge exactly; the largest stand first.
    """

    start_us: int
    tokens: int | Decimal
    charge: Decimal | None
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Use:
    """What the calls of one minute took; the cost is of those that have a price, None where none has."""

    tokens: int | Decimal = 0
    cost: Decimal | None = None


def charges(calls: Iterable[Call], burst: Burst) -> dict[int, Decimal | None]:
    """What each minute (UTC) that went above costs more, by its begin in microseconds, in order of time.

    Tokens without a price count towards the rate and add nothing to the charge: theirs is not known.
    """
    used: defaultdict[int, _Use] = defaultdict(_Use)
    for call in calls:
        if call.tokens:
            use = used[call.at_us - call.at_us % MINUTE_US]
            use.tokens += call.tokens
            if call.cost is not None:
                use.cost = call.cost if use.cost is None else use.cost + call.cost
    committed = burst.bands[0].start
    return {
        start: None if use.cost is None else _charge(use.cost, Decimal(use.tokens), burst)
        for start, use in sorted(used.items())
        if use.tokens > committed
    }


def attributed(
    calls: Iterable[Call],
    charged: Mapping[int, Decimal | None],
    *,
    committed_tpm: Number,
    weights: Mapping[str, Number],
    method: Method = Method.PROPORTIONAL,
) -> list[Minute]:
    """The charged minutes, each with what tenants, workloads and tasks pay of it.

    Tenants pay by `method`, with shares by `weights` of those that are active in that minute. No workload and no
    task holds a share: what a tenant pays is divided over them by their tokens in that minute.
    """
    used: dict[int, dict[str, dict[_Piece, int | Decimal]]] = {start: {} for start in charged}
    for call in calls:
        if call.tokens and (tenants := used.get(call.at_us - call.at_us % MINUTE_US)) is not None:
            pieces = tenants.setdefault(call.tenant, {})
            piece = call.workload, call.task
            pieces[piece] = pieces.get(piece, 0) + call.tokens
    found = []
    for start, charge in charged.items():
        totals = {tenant: sum(pieces.values()) for tenant, pieces in used[start].items()}
        lines: list[Line] = []
        if charge is not None:
            paid = overage(charge, totals, committed=committed_tpm, weights=weights, method=method)
            for tenant, owed in paid.items():
                # By fixed weights also a tenant pays that had no task in this minute.
                lines += _lines(tenant, owed, used[start].get(tenant) or {(None, None): 0})
        lines.sort(key=lambda line: -line.amount)
        found.append(Minute(start, sum(totals.values()), charge, tuple(lines)))
    return found


def _charge(cost: Decimal, tokens: Decimal, burst: Burst) -> Decimal:
    with localcontext(EXACT):
        parts = zip(burst.bands, slices(tokens, burst.bands), strict=True)
        return sum((stored(stored(cost * above / tokens) * band.rate) for band, above in parts), Decimal(0))


def _lines(tenant: str, owed: Decimal, pieces: Mapping[_Piece, int | Decimal]) -> list[Line]:
    """One line for each piece that pays. Without a name comes before every name, which has a character at least."""
    if len(pieces) == 1:
        (((workload, task), tokens),) = pieces.items()
        return [Line(tenant, workload, task, tokens, owed)]
    ordered = dict(sorted(pieces.items(), key=lambda item: (item[0][0] or "", item[0][1] or "")))
    return [
        Line(tenant, workload, task, pieces[workload, task], amount)
        for (workload, task), amount in split(owed, ordered).items()
    ]
