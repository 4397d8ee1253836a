"""A window as a ring of sixty cells, with the sums that a forecast reads kept as cells close.

All sums are over closed cells; the open one is `cells[index & MASK]`. Adding is O(1), closing too, and memory is 64
floats whatever was spent.
"""

from __future__ import annotations

from .band import HORIZON_SHARE

__all__ = ["CELLS", "HORIZON", "MASK", "MIDDLE", "SHORT", "Ring"]

CELLS = 60
HORIZON = round(CELLS * HORIZON_SHARE)
SHORT = CELLS // 12
MIDDLE = CELLS // 4
MASK = 63


class Ring:
    """Spend by cell, and its sums over the last `SHORT`, `MIDDLE`, `CELLS` and `HORIZON` closed cells.

    `oldest` is the sum of the first `HORIZON` of the last `CELLS`: what leaves the window until the horizon, and what
    was spent one window ago at the times now to come.
    """

    __slots__ = ("cells", "horizon", "index", "long", "middle", "oldest", "short")

    def __init__(self) -> None:
        self.cells = [0.0] * (MASK + 1)
        self.index = 0
        self._sum()

    @property
    def silent(self) -> bool:
        """Whether the window holds nothing."""
        return self.long <= 0.0 and not any(self.cells)

    def add(self, amount: float, index: int) -> None:
        """Count an amount in the cell `index`, which must not be after the open one; one out of the window is gone."""
        age = self.index - index
        if age > CELLS:
            return
        self.cells[index & MASK] += amount
        if age:
            self.long += amount
            if age <= SHORT:
                self.short += amount
            if age <= HORIZON:
                self.horizon += amount
            if age <= MIDDLE:
                self.middle += amount
            if age > CELLS - HORIZON:
                self.oldest += amount

    def close(self) -> None:
        """The open cell ends, and the next one opens."""
        cells, index = self.cells, self.index
        amount = cells[index & MASK]
        gone = cells[(index - CELLS) & MASK]
        self.short += amount - cells[(index - SHORT) & MASK]
        self.horizon += amount - cells[(index - HORIZON) & MASK]
        self.middle += amount - cells[(index - MIDDLE) & MASK]
        self.long += amount - gone
        self.oldest += cells[(index - CELLS + HORIZON) & MASK] - gone
        self.index = index = index + 1
        cells[index & MASK] = 0.0
        if not index & MASK:
            # Sums of floats drift as terms come and go; once a round they are made anew.
            self._sum()

    def restore(self, cells: list[float], index: int) -> None:
        """Take up the cells of another ring whose open cell was `index`."""
        self.cells, self.index = list(cells), index
        self._sum()

    def jump(self, index: int) -> None:
        """Open the cell `index` after a silence longer than the window."""
        self.cells = [0.0] * (MASK + 1)
        self.index = index
        self._sum()

    def _sum(self) -> None:
        def last(count: int, end: int = self.index) -> float:
            return sum(self.cells[index & MASK] for index in range(end - count, end))

        self.short, self.middle, self.long, self.horizon = (
            last(SHORT),
            last(MIDDLE),
            last(CELLS),
            last(HORIZON),
        )
        self.oldest = last(HORIZON, self.index - CELLS + HORIZON)
