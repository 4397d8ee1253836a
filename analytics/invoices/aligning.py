"""Aligning: the lines of one provider on both sides under the same names, and no finer than both sides tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from .line import ALL, InvoiceLine
from .names import labels
from .results import OurLine

__all__ = ["PRIORITY", "Group", "Place", "grouped"]

PRIORITY = "Priority Tier"
"""The item of what Anthropic's cost report leaves out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where lines of both sides meet."""

    day: date
    model: str | None
    project: str | None
    item: str | None


@dataclass(slots=True)
class Group:
    """The lines of both sides in one place."""

    main: str
    """The currency of a place where nothing has an amount."""
    ours: list[OurLine] = field(default_factory=list)
    theirs: list[InvoiceLine] = field(default_factory=list)

    @property
    def currencies(self) -> list[str]:
        """Those of all amounts; without any, those of lines that have no price."""
        priced = {line.currency for line in self.ours if line.amount is not None}
        billed = {line.currency for line in self.theirs if line.amount is not None}
        return sorted(priced | billed) or [
            self.main or min((line.currency for line in self.ours), default=self.main)
        ]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds to compare one by one; all as one where what is billed names a model and no kind."""
        billed = {line.kind for line in self.theirs if line.amount is not None}
        mine = {line.kind for line in self.ours}
        if billed == {"other"} and mine - billed:
            return (ALL,)
        return tuple(sorted(mine | {line.kind for line in self.theirs}))


def grouped(
    ours: Sequence[OurLine],
    theirs: Sequence[InvoiceLine],
    projects: Mapping[str, str],
    main: str,
    *,
    priority_apart: bool,
) -> dict[Place, Group]:
    """Every line of both sides in its place.

    Models are told apart if what is billed names any, else days are compared whole. Projects are told apart if the two
    sides share one, by `projects` (ours to theirs; "" is what has none there), and if what is billed and what is used,
    where a report says, name any.
    What is billed for no model (a search, storage) stands alone, by its name.
    """
    billed = [line for line in theirs if line.amount is not None] or list(theirs)
    used = [line for line in theirs if line.amount is None]
    by_model = any(line.model for line in billed)
    by_project = bool(
        {projects.get(line.project, line.project) for line in ours if line.project}
        & {line.project for line in billed}
    ) and (not used or any(line.project for line in used))
    label = labels((line.model for line in ours if line.model), (line.model for line in theirs if line.model))
    groups: dict[Place, Group] = defaultdict(lambda: Group(main))
    for mine in ours:
        known = projects.get(mine.project, mine.project) if mine.project and by_project else None
        project = known or None
        model = label[mine.model] if mine.model and by_model else None
        apart = PRIORITY if priority_apart and mine.service_tier == "priority" else None
        groups[Place(mine.day, model, project, apart)].ours.append(mine)
    for line in theirs:
        model = label[line.model] if line.model and by_model else None
        alone = by_model and model is None
        apart = (
            PRIORITY if priority_apart and line.service_tier == "priority" else line.item if alone else None
        )
        groups[Place(line.day, model, line.project if by_project else None, apart)].theirs.append(line)
    return groups
