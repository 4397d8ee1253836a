"""Outcome: how a task ended, so that its cost can be divided by what came of it."""

from __future__ import annotations

from enum import StrEnum

from .errors import BudgetExceeded

__all__ = ["Outcome", "outcome_of"]


class Outcome(StrEnum):
    """How a task ended."""

    SUCCEEDED = "succeeded"
    """It returned, and did not say that it failed."""
    FAILED = "failed"
    """An exception ended it, or it said so itself."""
    STOPPED = "stopped"
    """A policy refused a call, and it ended with that."""
    ABANDONED = "abandoned"
    """It was cancelled or interrupted: nobody waited for its end."""


def outcome_of(error: BaseException | None, *, failed: bool) -> Outcome:
    """How a task ended that `error` left (None: it returned), or that said itself that it `failed`.

    A generator that is left early gets GeneratorExit: it is abandoned.
    """
    match error:
        case None:
            return Outcome.FAILED if failed else Outcome.SUCCEEDED
        case BudgetExceeded():
            return Outcome.STOPPED
        case Exception():
            return Outcome.FAILED
        case _:
            return Outcome.ABANDONED
