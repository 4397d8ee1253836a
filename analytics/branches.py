"""Branches: the tasks of one tree, each with what hangs below it, folded to those that cost most. Pure.

    tree = Branches("run-1", parents, costs, calls)
    tree.level("run-1"), tree.kept(40)

A task whose parent made no call stands below a task without calls, and what hangs on nothing but itself below the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

__all__ = ["Branches"]

_NOTHING = Decimal(0)


class Branches:
    """One tree. `parents` names the parent of each task that made calls, None where it says none; the root's is not
    looked at. `costs` and `calls` are a task's own; an unknown cost weighs nothing."""

    def __init__(
        self,
        root: str,
        parents: Mapping[str, str | None],
        costs: Mapping[str, Decimal | None],
        calls: Mapping[str, int],
    ) -> None:
        self.root = root
        self._parents = _hung(root, parents)
        self._levels = self._levelled()
        self._cost = {task: costs.get(task) or _NOTHING for task in self._levels}
        self._calls = {task: calls.get(task, 0) for task in self._levels}
        # What is deepest first: each adds its sum to its parent's once its own is whole.
        for task in sorted(self._levels, key=self._levels.__getitem__, reverse=True):
            if task != root:
                parent = self._parents[task]
                self._cost[parent] += self._cost[task]
                self._calls[parent] += self._calls[task]

    def __iter__(self) -> Iterator[str]:
        """All tasks, those without calls among them, no parent after its children."""
        return iter(self._levels)

    def __contains__(self, task: object) -> bool:
        return task in self._levels

    def parent(self, task: str) -> str | None:
        """The task that it hangs on; None of the root."""
        return None if task == self.root else self._parents[task]

    def level(self, task: str) -> int:
        """1 of the root."""
        return self._levels[task]

    def kept(self, most: int) -> list[str]:
        """At most so many tasks, those whose branches cost most and then have most calls; none without its parent.

        Parents first, and the dearer before the others.
        """

        def order(task: str) -> tuple[Decimal, int, int, str]:
            # No branch costs more than the one it hangs on, so a parent always comes before its children.
            return -self._cost[task], -self._calls[task], self._levels[task], task

        return sorted(self._levels, key=order)[:most]

    def below(self, task: str) -> list[str]:
        """A task of the tree and all that hangs on it, no parent after its children."""
        branch = {task}
        for each in self:
            if each != self.root and self._parents[each] in branch:
                branch.add(each)
        return [each for each in self if each in branch]

    def above(self, task: str, among: frozenset[str]) -> str:
        """The nearest task on the way to the root that is one of these."""
        while task not in among:
            task = self._parents[task]
        return task

    def _levelled(self) -> dict[str, int]:
        below: dict[str, list[str]] = {}
        for task, parent in self._parents.items():
            below.setdefault(parent, []).append(task)
        levels = {self.root: 1}
        for task in (reached := [self.root]):
            for child in below.get(task, ()):
                levels[child] = levels[task] + 1
                reached.append(child)
        return levels


def _hung(root: str, parents: Mapping[str, str | None]) -> dict[str, str]:
    """The parent of each task but the root, so that every way up ends there."""
    hung = {task: parent or root for task, parent in parents.items() if task != root}
    for parent in list(hung.values()):
        if parent != root:
            hung.setdefault(parent, root)
    sure = {root}
    for start in list(hung):
        way: dict[str, None] = {}
        task = start
        while task not in sure and task not in way:
            way[task] = None
            task = hung[task]
        if task not in sure:
            hung[task] = root
        sure.update(way)
    return hung
