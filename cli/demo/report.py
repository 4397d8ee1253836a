"""The end of the demo on paper: the table, the checks, and the same as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from .checks import Check, ceilings_hold, every_call_booked_once, interactive_waits_less
from .figures import Allowance, Figures, Run, figures

__all__ = ["Result", "check_lines", "compare", "table", "to_json"]

_INTERACTIVE = "brightline"


@dataclass(frozen=True, slots=True)
class Result:
    """Both runs by tenant, the ceilings they are held against, and the verdicts."""

    seed: int
    allowances: Mapping[str, Allowance]
    without: Mapping[str, Figures]
    guarded: Mapping[str, Figures]
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def compare(seed: int, without: Run, guarded: Run, allowances: Mapping[str, Allowance]) -> Result:
    """The result of two runs of one scene."""
    before = {tenant: figures(tenant, without, allowance) for tenant, allowance in allowances.items()}
    after = {tenant: figures(tenant, guarded, allowance) for tenant, allowance in allowances.items()}
    checks = (
        ceilings_hold(after, {tenant: allowance.limit for tenant, allowance in allowances.items()}),
        interactive_waits_less(_INTERACTIVE, before[_INTERACTIVE], after[_INTERACTIVE]),
        every_call_booked_once(guarded),
    )
    return Result(seed, allowances, before, after, checks)


def table(result: Result) -> Table:
    """Per tenant and run: what it cost, how long it waited, what came of its tasks."""
    drawn = Table(
        title="2 a.m.: three tenants, one provider account",
        caption=_caption(result),
        box=None,
        padding=(0, 1, 0, 0),
    )
    drawn.add_column("\ntenant")
    drawn.add_column("switch-\ngear")
    for heading in ("\ncalls", "cost\nUSD", "\n429s", "p95\nwait s"):
        drawn.add_column(heading, justify="right")
    for heading in ("tasks\nfinished", "\ndegraded", "\nfailed", "over\nceiling"):
        drawn.add_column(heading, justify="right")
    for tenant in result.allowances:
        drawn.add_row(tenant, "without", *_cells(result.without[tenant]))
        drawn.add_row("", "with", *_cells(result.guarded[tenant]), end_section=True)
    return drawn


def _cells(row: Figures) -> tuple[Text, ...]:
    over = Text(f"{row.over:.4f}", style="red" if row.over > row.largest else "")
    texts = (
        *(str(row.calls), f"{row.cost:.4f}", str(row.limited), f"{row.wait_p95_s:.2f}"),
        *(str(row.finished), str(row.degraded), str(row.failed)),
    )
    return (*map(Text, texts), over)


def _caption(result: Result) -> str:
    ceilings = ", ".join(
        f"{tenant} {allowance.limit:f} USD" for tenant, allowance in result.allowances.items()
    )
    window_s = next(iter(result.allowances.values())).window_s
    return f"Compressed time: {window_s:g} s stand for an hour. Ceilings in any {window_s:g} s: {ceilings}."


def check_lines(checks: Sequence[Check]) -> list[Text]:
    """One line a check, a tick or a cross before it."""
    return [
        Text.assemble(
            ("✓ ", "green") if check.passed else ("✗ ", "bold red"), check.name, (f": {check.detail}", "dim")
        )
        for check in checks
    ]


def to_json(result: Result) -> dict[str, Any]:
    """The result as JSON values; money as decimal strings."""

    def rows(of: Mapping[str, Figures]) -> dict[str, dict[str, Any]]:
        money = ("cost", "peak", "over", "largest")
        return {
            tenant: asdict(row) | {name: f"{getattr(row, name):f}" for name in money}
            for tenant, row in of.items()
        }

    return {
        "seed": result.seed,
        "currency": "USD",
        "ceilings": {
            tenant: {"limit": f"{allowance.limit:f}", "window_s": allowance.window_s}
            for tenant, allowance in result.allowances.items()
        },
        "without": rows(result.without),
        "with": rows(result.guarded),
        "checks": [asdict(check) for check in result.checks],
        "passed": result.passed,
    }
