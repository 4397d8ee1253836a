"""What can be wrong with a contract, or with what it is asked to charge."""

from __future__ import annotations

__all__ = ["ContractError"]


class ContractError(ValueError):
    """Usage or a month that a contract cannot charge: says which, and why."""
