"""The scheduler: who of a process's waiting model calls goes next.

`line`, `pace`, `reserve` and `lane` are the order itself, with time as an argument; `gate` and `waiters` let threads
and event loops wait; `scheduler` and `slot` are what a program uses.
"""

from .errors import QueueFull, QueueTimeout
from .lane import Use
from .scheduler import Scheduler
from .slot import FREE, Slot

__all__ = ["FREE", "QueueFull", "QueueTimeout", "Scheduler", "Slot", "Use"]
