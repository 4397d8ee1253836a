"""Allocation: shared cost is moved to whom it is for, by dated rules, and adds up to the last digit."""

from __future__ import annotations

from .document import RuleDocument, parse, problems
from .moves import Allocation, Applied, Cost, Kept, Move, allocate
from .rules import By, Method, Party, Pool, Rule, To

__all__ = [
    "Allocation",
    "Applied",
    "By",
    "Cost",
    "Kept",
    "Method",
    "Move",
    "Party",
    "Pool",
    "Rule",
    "RuleDocument",
    "To",
    "allocate",
    "parse",
    "problems",
]
