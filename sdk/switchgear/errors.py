"""Errors that reach an agent.

    SwitchgearError
    +-- ConfigError         a setting or an argument that cannot be used
    +-- BudgetExceeded      a policy says no; final, never to be retried

A fault of switchgear's own (an engine or collector that is away) is never raised into an agent.
"""

from __future__ import annotations

from decimal import Decimal

from .decision import Decision

__all__ = ["BudgetExceeded", "ConfigError", "SwitchgearError", "denial_type"]


class SwitchgearError(Exception):
    """Base of what switchgear raises."""


class ConfigError(SwitchgearError, ValueError):
    """A setting or argument that cannot be used; says which, with its value, and what to do."""


class BudgetExceeded(SwitchgearError, RuntimeError):  # noqa: N818 - the public name, fixed by the design
    """A policy refuses this call. `decision` holds it all; the usual parts are at hand as properties.

    A RuntimeError as well: retry rules that know no error of ours take that for one which stays. LangGraph's default
    rule is such a one, and tries every error again that it does not know.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"{decision.action.value}: {decision.reason} (decision {decision.id})")
        self.decision = decision

    def __reduce__(self) -> tuple[type[BudgetExceeded], tuple[Decision]]:
        # Back from another process it is the plain class: the provider's SDK has let it through by then.
        return BudgetExceeded, (self.decision,)

    @property
    def reason(self) -> str:
        """Why, in a sentence for people."""
        return self.decision.reason

    @property
    def policy(self) -> str | None:
        """Which policy says so; None where none is named."""
        return self.decision.policy

    @property
    def decision_id(self) -> str:
        """The id by which the engine can explain the decision."""
        return self.decision.id

    @property
    def remaining(self) -> Decimal | None:
        """What the ceiling still has free, in `decision.currency`."""
        return self.decision.remaining

    @property
    def projection(self) -> Decimal | None:
        """What the scope was projected to spend."""
        return self.decision.projected

    @property
    def retry_after_s(self) -> float | None:
        """When asking again may make sense; None for a task's own budget, which does not come back."""
        return self.decision.retry_after_s


_denial_types: dict[type[Exception], type[BudgetExceeded]] = {}


def denial_type(sdk_error: type[Exception]) -> type[BudgetExceeded]:
    """BudgetExceeded as a subclass of a provider SDK's own base error.

    Provider SDKs pass their own errors through untouched and never retry them, while they wrap and retry whatever
    else is raised below them.
    """
    made = _denial_types.get(sdk_error)
    if made is None:
        made = type("BudgetExceeded", (BudgetExceeded, sdk_error), {"__module__": BudgetExceeded.__module__})
        _denial_types[sdk_error] = made
    return made
