"""Branching: the rows of the report `task_tree` as one tree, each branch with what all of it comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ..look import count, money

__all__ = ["Branch", "Kind", "grown", "in_order"]

_NOTHING = Decimal(0)
# The calls that a task with branches made itself are a branch a model, where they are this part of the tree; else one.
_LEAST = Decimal("0.02")
_NAMED = 2
# So many tasks of which each started one task alone are drawn as one.
_CHAIN = 4


class Kind(StrEnum):
    """What a branch is."""

    TASK = "task"
    CALLS = "calls"
    """Calls of its parent itself, to one model."""
    CHAIN = "chain"
    """Tasks of which each started the next."""
    REST = "rest"
    """Tasks that the report left out."""


@dataclass(slots=True)
class Branch:
    """A part of a task tree, with all that hangs on it: its sums are those of its whole branch."""

    kind: Kind
    name: str
    """The task's id; of calls the model; of others what they are, in our words."""
    task: str | None = None
    """The id of the task that is chosen with it; None: none is."""
    workload: str | None = None
    models: tuple[str, ...] = ()
    costs: dict[str, Decimal] = field(default_factory=dict)
    """Known cost by currency."""
    calls: int = 0
    attempts: int = 0
    unknown: int = 0
    """Calls whose cost is not known, or not all of it."""
    unpriced: int = 0
    tasks: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    own_cost: Decimal = _NOTHING
    children: list[Branch] = field(default_factory=list)
    is_dearest: bool = False
    """Whether it lies on the way from the root along the dearest branch each time."""

    @property
    def weight(self) -> Decimal:
        """How much of the picture it takes: its known cost. Currencies are not added up but for drawing."""
        return sum(self.costs.values(), _NOTHING)

    @property
    def retries(self) -> int:
        """Attempts beyond the first of each call."""
        return self.attempts - self.calls

    def cost_words(self) -> str:
        """Its cost: an em dash where calls have none that is known; nothing was spent where there are no calls."""
        if not self.costs:
            return money(None) if self.calls else money(_NOTHING)
        known = " + ".join(money(amount, currency) for currency, amount in sorted(self.costs.items()))
        return f"over {known}" if self.unknown else known

    def sum_words(self) -> str:
        """Its cost and its calls, for one line."""
        own = "own " if self.kind is Kind.CALLS else ""
        return f"{self.cost_words()} · {count(self.calls)} {own}call{'' if self.calls == 1 else 's'}"

    def add(self, row: Mapping[str, Any]) -> None:
        """Take the sums of a row, or of another branch's, into this one's."""
        if row["cost"] is not None:
            currency = row["currency"] or "USD"
            self.costs[currency] = self.costs.get(currency, _NOTHING) + row["cost"]
        self.calls += row["calls"]
        self.attempts += row["attempts"]
        self.unpriced += row["unpriced_calls"]
        self.unknown += row["unpriced_calls"] + row["incomplete_calls"]
        self._span(row["first_at"], row["last_at"])

    def gather(self, child: Branch) -> None:
        """Take in what a branch on it comes to."""
        for currency, amount in child.costs.items():
            self.costs[currency] = self.costs.get(currency, _NOTHING) + amount
        self.calls += child.calls
        self.attempts += child.attempts
        self.unpriced += child.unpriced
        self.unknown += child.unknown
        self.tasks += child.tasks
        self._span(child.first_at, child.last_at)

    def _span(self, first_at: datetime | None, last_at: datetime | None) -> None:
        if first_at is not None:
            self.first_at = min(first_at, self.first_at or first_at)
        if last_at is not None:
            self.last_at = max(last_at, self.last_at or last_at)


def grown(rows: Sequence[Mapping[str, Any]]) -> Branch | None:
    """The tree that the rows are of, the dearest branches first; None of no rows."""
    if not rows:
        return None
    own: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if not row["rest"]:
            own.setdefault(row["task_id"], []).append(row)
    branches = {task: _task(task, each) for task, each in own.items()}
    least = _LEAST * sum((row["cost"] or _NOTHING for row in rows), _NOTHING)
    below: dict[str, list[Branch]] = {}
    for task, each in own.items():
        if (parent := each[0]["parent_task_id"]) is not None:
            below.setdefault(parent, []).append(branches[task])
    for parent, rest in _rests(rows).items():
        below.setdefault(parent, []).append(rest)
    # The report names parents before their children: from the last to the first, each is whole before it is counted.
    for task in reversed(own):
        branch, children = branches[task], below.get(task, [])
        if children:
            branch.children = [*children, *_own_calls(own[task], branch, least)]
            for child in children:
                branch.gather(child)
            branch.children.sort(key=lambda child: (child.kind is Kind.REST, -child.weight, -child.calls))
    root = branches[next(iter(own))]
    for branch, _ in in_order(root):
        branch.children = [_shortened(child) for child in branch.children]
    _mark_dearest(root)
    return root


def in_order(root: Branch) -> Iterator[tuple[Branch, int]]:
    """Every branch with its level, the root's being 0; each before those on it."""
    waiting = [(root, 0)]
    while waiting:
        branch, level = waiting.pop()
        # What it hangs on is looked at once it was yielded: whoever goes through it may change it.
        yield branch, level
        waiting.extend((child, level + 1) for child in reversed(branch.children))


def _task(task: str, rows: Sequence[Mapping[str, Any]]) -> Branch:
    branch = Branch(Kind.TASK, task, task, rows[0]["workload"], tasks=1)
    for row in rows:
        branch.add(row)
    branch.models = tuple(dict.fromkeys(_model(row) for row in rows if row["calls"]))
    branch.own_cost = branch.weight
    return branch


def _model(row: Mapping[str, Any]) -> str:
    return row["model"] or row["sku"] or "(no model)"


def _rests(rows: Sequence[Mapping[str, Any]]) -> dict[str, Branch]:
    found: dict[str, Branch] = {}
    for row in rows:
        if row["rest"]:
            rest = found.setdefault(row["parent_task_id"], Branch(Kind.REST, "", row["parent_task_id"]))
            rest.add(row)
            rest.tasks += row["tasks"]
            rest.name = f"and {count(rest.tasks)} more task{'' if rest.tasks == 1 else 's'}"
    return found


def _own_calls(rows: Sequence[Mapping[str, Any]], branch: Branch, least: Decimal) -> list[Branch]:
    """The calls that a task made itself, as branches beside its tasks, so that all branches add up to it."""
    made: dict[str, Branch] = {}
    apart = branch.own_cost >= least
    together = _models(branch.models)
    for row in rows:
        if row["calls"]:
            name = _model(row) if apart else together
            made.setdefault(name, Branch(Kind.CALLS, name, branch.task, branch.workload)).add(row)
    return list(made.values())


def _models(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1} other models"


def _shortened(branch: Branch) -> Branch:
    """The branch, with the tasks of which each started one alone as one where they are many."""
    chain = [branch]
    while (after := _only_task(chain[-1])) is not None:
        chain.append(after)
    if len(chain) <= _CHAIN or branch.kind is not Kind.TASK:
        return branch
    last = chain[-1]
    own = Branch(Kind.CALLS, f"of these {len(chain) - 1} tasks", branch.task)
    for task in chain[:-1]:
        for child in task.children:
            if child.kind is Kind.CALLS:
                own.gather(child)
    made = Branch(Kind.CHAIN, f"{len(chain) - 1} tasks in a row", branch.task, branch.workload)
    made.gather(branch)
    made.children = sorted([last, *([own] if own.calls else [])], key=lambda child: -child.weight)
    return made


def _only_task(branch: Branch) -> Branch | None:
    tasks = [child for child in branch.children if child.kind is not Kind.CALLS]
    return tasks[0] if len(tasks) == 1 and tasks[0].kind is Kind.TASK else None


def _mark_dearest(root: Branch) -> None:
    branch = root
    branch.is_dearest = True
    while branch.children and branch.children[0].weight > 0 and branch.children[0].kind is not Kind.REST:
        branch = branch.children[0]
        branch.is_dearest = True
