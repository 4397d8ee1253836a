"""What an agent saw: each call and each task, as its process writes them down for the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["CallEnd", "CallSeen", "Outcome", "TaskEnd", "TaskSeen", "judge"]


class CallEnd(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    DEGRADED = "degraded"
    """Answered by another model than the one that was asked for."""
    DENIED = "denied"
    """Refused by a policy (`BudgetExceeded`)."""
    FAILED = "failed"
    """Lost to the provider's limits after all retries, or to any other error."""


class TaskEnd(StrEnum):
    """How a task ended."""

    FINISHED = "finished"
    DEGRADED = "degraded"
    """With an answer, but from a lesser model, or wrapped up early with what was there."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CallSeen:
    """One call. `elapsed_s` is all that the agent waited: queueing, attempts, pauses between them, the answer."""

    response_id: str | None
    elapsed_s: float
    end: CallEnd


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """One task."""

    id: str
    workload: str
    end: TaskEnd


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that one tenant's agents saw in a run."""

    tenant: str
    calls: Sequence[CallSeen]
    tasks: Sequence[TaskSeen]

    def write(self, file: Path) -> None:
        """Save as JSON, whole or not at all."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(file)

    @classmethod
    def read(cls, file: Path) -> Outcome:
        """The outcome that `write` saved."""
        saved = json.loads(file.read_text())
        return cls(
            saved["tenant"],
            [CallSeen(one["response_id"], one["elapsed_s"], CallEnd(one["end"])) for one in saved["calls"]],
            [TaskSeen(one["id"], one["workload"], TaskEnd(one["end"])) for one in saved["tasks"]],
        )


def judge(planned: int, ends: Sequence[CallEnd], tolerance: float) -> TaskEnd:
    """How a task of `planned` calls ended whose calls ended so; those that it never began are missing.

    A task without a single answer failed, and so did one that lost more than `tolerance` of its calls to
    errors. A denial is no loss: the task wrapped up.
    """
    answered = sum(end in (CallEnd.ANSWERED, CallEnd.DEGRADED) for end in ends)
    lost = sum(end is CallEnd.FAILED for end in ends)
    if answered == 0 or lost > tolerance * planned:
        return TaskEnd.FAILED
    whole = answered == planned and CallEnd.DEGRADED not in ends
    return TaskEnd.FINISHED if whole else TaskEnd.DEGRADED
