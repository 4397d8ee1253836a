"""Due: who has to be reminded of what: reviews that they have not signed, and actions that are overdue. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from .document import Action

__all__ = ["AFTER_DAYS", "Due", "Standing", "due"]

AFTER_DAYS = 2
"""How long after it was published a review may stand unsigned before somebody is reminded."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A published review, and whose signature it wants."""

    week: str
    published_on: date
    hash: str
    sealed: bool
    unsigned: Sequence[str]


@dataclass(frozen=True, slots=True)
class Due:
    """What `owner` has yet to do since a day; "" is whoever signs for all of it. `what` is signature or action."""

    owner: str
    what: str
    week: str
    since: date
    text: str


def due(
    today: date, reviews: Iterable[Standing], actions: Iterable[Action], after_days: int = AFTER_DAYS
) -> list[Due]:
    """Everything that is due on `today`, by owner, and for one owner the longest due first."""
    found = [each for review in reviews for each in _unsigned(today, review, after_days)]
    found += [
        Due(each.owner, "action", each.week, each.due, _overdue(each, today))
        for each in actions
        if each.state in ("open", "overdue") and each.due < today
    ]
    return sorted(found, key=lambda each: (each.owner == "", each.owner, each.since, each.what, each.text))


def _unsigned(today: date, review: Standing, after_days: int) -> Iterable[Due]:
    waits = (today - review.published_on).days
    if review.sealed or waits < after_days:
        return
    since = f"published on {review.published_on}, {_days(waits)} ago"
    sign = f"switchgear review sign --week {review.week} --hash {review.hash[:16]} --name NAME"
    for owner in review.unsigned:
        text = f'{owner}: the review of {review.week} is not signed ({since}). {sign} --owner "{owner}"'
        yield Due(owner, "signature", review.week, review.published_on, text)
    if not review.unsigned:
        text = f"Every owner has signed {review.week}; it is not sealed yet ({since}). {sign} --all"
        yield Due("", "signature", review.week, review.published_on, text)


def _overdue(action: Action, today: date) -> str:
    late = _days((today - action.due).days)
    done = f"switchgear review action set {action.id} done"
    return f"{action.owner}: {action.text} (of {action.week}) was due on {action.due}, {late} ago. {done}"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
