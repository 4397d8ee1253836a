"""What people do to a running engine: force breakers, change a ceiling's limit for a time, stop a task.

Each is written into the engine's records, so that it holds for the engine that starts after this one too, and ends by
itself where it was given for a time. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from .accounts import Accounts, Forced
from .admission import GrantRequest
from .breaker import State
from .gate import Refusal
from .model import Override
from .records import Forced as ForcedRecord
from .records import Overridden, Record, Stopped
from .watch import Watch

__all__ = ["ByHand"]


@dataclass(slots=True)
class ByHand:
    """The verbs of one engine. `changed` is called with the time when calls that wait may fit after all."""

    accounts: Accounts
    watch: Watch
    records: list[Record]
    changed: Callable[[float], None]

    def force(
        self,
        ceilings: Collection[str],
        state: State | None,
        by: str,
        reason: str,
        until: float | None,
        now: float,
    ) -> None:
        """Force the breakers of these ceilings open, disable them, or (None) give them back.

        Tasks that begin later are forced too.
        """
        self.records.append(ForcedRecord(now, sorted(ceilings), state and state.value, by, reason, until))
        self.watch.force(ceilings, state, by, reason, until, now)
        self.changed(now)

    def override(self, override_id: str, override: Override, now: float) -> None:
        """Give a ceiling another limit until `override.until`; the same id again replaces it."""
        self.records.append(
            Overridden(
                now, override_id, override.ceiling, override.limit, override.until, override.author,
                override.reason, override.scope,
            )
        )  # fmt: skip
        self.accounts.overrides[override_id] = override
        self.accounts.limit(now)
        self.watch.overridden(override, override.author, override.reason, now)
        self.changed(now)

    def end_override(self, override_id: str, by: str, reason: str, now: float) -> bool:
        """Give a ceiling its own limit back. False where there is no such override (any more)."""
        ending = self.accounts.overrides.pop(override_id, None)
        if ending is None:
            return False
        self.records.append(Overridden(now, override_id, ending.ceiling, None, now, by, reason, ending.scope))
        self.accounts.limit(now)
        self.watch.overridden(ending, by, reason, now)
        self.changed(now)
        return True

    def stop_task(self, tenant: str, task: str, by: str, reason: str, now: float) -> None:
        """Refuse every further call of a task tree; what runs is not cut off."""
        self.records.append(Stopped(now, tenant, task, by, reason))
        self.accounts.stopped[tenant, task] = Forced(State.FORCED_OPEN, None, f"stopped by {by}: {reason}")
        self.watch.stopped(tenant, task, by, reason, now)
        self.changed(now)

    def stopped(self, request: GrantRequest) -> Refusal | None:
        """The refusal of a call whose task, or the tree that it belongs to, was stopped."""
        for task in dict.fromkeys((request.who.task, request.task_id)):
            stopped = task and self.accounts.stopped.get((request.who.tenant, task))
            if stopped:
                return Refusal(None, stopped.reason)
        return None

    def expire(self, now: float) -> None:
        """End what was given for a time that is over."""
        for name, forced in list(self.accounts.forced.items()):
            if forced.until is not None and now >= forced.until:
                self.force({name}, None, "engine", "the time it was forced for is over", None, now)
        for override_id, override in list(self.accounts.overrides.items()):
            if override.until <= now:
                self.end_override(override_id, "engine", "the time of the override is over", now)
