"""Shared capacity of providers: whose turn it is, how much each may use, true limits, when to try again."""

from .lane import Lane, Taken, Use
from .lanes import LaneKey, Lanes
from .limits import Quota, Reported, parse
from .order import Backlog, Charge, FairOrder, Turn
from .retries import RetryBudget, RetryBudgets, Verdict
from .shares import Claim, Share, divide, offer, share_out

__all__ = [
    "Backlog",
    "Charge",
    "Claim",
    "FairOrder",
    "Lane",
    "LaneKey",
    "Lanes",
    "Quota",
    "Reported",
    "RetryBudget",
    "RetryBudgets",
    "Share",
    "Taken",
    "Turn",
    "Use",
    "Verdict",
    "divide",
    "offer",
    "parse",
    "share_out",
]
