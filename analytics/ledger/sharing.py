"""Sharing: what allocation rules move, as lines of kind `shared` that add up to 0.

Each move is two lines of its day: one takes the amount from where it arose, one gives it to whom it is for. Both name
the rule, and the workload whose work it was; the second says in `details` by which ratio, as FOCUS has it. Usage is
shared day by day, the charges of a month on its last day by the use of all its days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa

from ..allocation import Allocation, By, Cost, Party, Rule, allocate
from .calendar import Period
from .charges import Charged
from .line import AMOUNTS, COUNTS, LINES, MONEY, Kind

__all__ = ["allocations", "costs_of_calls", "costs_of_charges", "lines"]

_DAY = timedelta(days=1)
_NOTHING = Decimal(0)
_PARTY = ("tenant", "workload", "owner", "cost_centre")
_GIVEN = ("tenant", "owner", "cost_centre")
_TOKENS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_UNIT = {"idle": By.TOKENS, "shortfall": By.COST}


def costs_of_calls(usage: pa.Table) -> Mapping[str | None, list[Cost]]:
    """What the lines of calls cost each party on each day, by currency; None is use of which the cost is not known."""
    rows = (
        pl.DataFrame(usage)
        .group_by("currency", "day", *_PARTY)
        .agg(
            pl.when(pl.col("amount").is_not_null().any()).then(pl.col("amount").sum()).alias("amount"),
            pl.col("retry_amount").sum(),
            pl.sum_horizontal(_TOKENS).sum().alias("tokens"),
            pl.col("calls").sum(),
        )
    )
    found: dict[str | None, list[Cost]] = {}
    for row in rows.iter_rows(named=True):
        party = Party(**{name: row[name] for name in _PARTY})
        cost = Cost(
            row["day"],
            row["day"] + _DAY,
            party,
            row["amount"],
            row["retry_amount"] or _NOTHING,
            row["tokens"],
            row["calls"],
        )
        found.setdefault(row["currency"], []).append(cost)
    return found


def costs_of_charges(
    charged: Sequence[Charged], period: Period, rules: Sequence[Rule]
) -> Mapping[str | None, list[Cost]]:
    """What contracts charge in the period, by currency, as costs of all its days."""
    found: dict[str | None, list[Cost]] = {}
    for each in charged:
        party, kind = Party(tenant=each.tenant), each.term.value
        start, until = period.first_day, period.last_day + _DAY
        rule = next(
            (one for one in rules if one.in_force(start) and one.pool.takes(party, kind, further=False)), None
        )
        # What was committed is of use to a rule that counts in the same unit.
        committed = each.committed if rule is not None and _UNIT.get(kind) is rule.by else None
        cost = Cost(start, until, party, each.amount, charge=kind, committed=committed)
        found.setdefault(each.contract.currency, []).append(cost)
    return found


def allocations(
    usage: Mapping[str | None, Sequence[Cost]],
    charges: Mapping[str | None, Sequence[Cost]],
    rules: Sequence[Rule],
) -> Mapping[str, Allocation]:
    """What the rules make of cost in each currency. Use whose cost is not known counts by tokens and calls in each."""
    currencies = sorted({each for each in (*usage, *charges) if each is not None})
    unknown = usage.get(None, ())
    return {
        each: allocate([*usage.get(each, ()), *unknown, *charges.get(each, ())], rules, currency=each)
        for each in currencies
    }


def lines(found: Mapping[str, Allocation], *, of_charges: bool = False) -> pa.Table:
    """The lines of what was moved: of usage, or of charges, which stand on the last of their days.

    What leaves an origin is a line for each that gets a part of it, until they are combined.
    """
    moved = [
        (currency, move)
        for currency, allocation in found.items()
        for move in allocation.moves
        if (move.charge is not None) is of_charges
    ]
    moves = [move for _, move in moved]
    shared: dict[str, list[Any]] = {
        "day": [move.until - _DAY for move in moves],
        "kind": [Kind.SHARED.value] * len(moves),
        "workload": [move.origin.workload for move in moves],
        "currency": [currency for currency, _ in moved],
        "item": [move.charge for move in moves],
        "rule": [move.rule for move in moves],
        "reference": [_name(move.origin) for move in moves],
    }
    leaving = {name: [getattr(move.origin, name) for move in moves] for name in _GIVEN}
    coming = {name: [getattr(move.to, name) for move in moves] for name in _GIVEN}
    return pa.concat_tables(
        [
            _table(shared | leaving, [-move.amount for move in moves]),
            _table(
                shared | coming | {"details": [move.details for move in moves]},
                [move.amount for move in moves],
            ),
        ]
    )


def _table(columns: Mapping[str, list[Any]], amounts: list[Decimal]) -> pa.Table:
    count = len(amounts)
    nothing = pa.repeat(pa.scalar(_NOTHING, MONEY), count)
    amount = pa.array(amounts, MONEY)
    whole = {
        **{name: pa.array(values, LINES.field(name).type) for name, values in columns.items()},
        **dict.fromkeys(COUNTS, pa.repeat(pa.scalar(0, pa.int64()), count)),
        **dict.fromkeys(AMOUNTS, nothing),
        "amount_other": amount,
        "amount": amount,
    }
    return pa.Table.from_arrays(
        [whole.get(field.name, pa.nulls(count, field.type)) for field in LINES], schema=LINES
    )


def _name(party: Party) -> str | None:
    """Whose cost it was, as one word."""
    return "/".join(part for part in (party.tenant, party.workload) if part is not None) or None
