"""switchgear: tags, guards and meters the LLM calls of AI agents."""

from . import guard
from .clients import http_client, wrap
from .context import Task, current_task, volatile
from .decision import Action, Decision
from .errors import BudgetExceeded, ConfigError, SwitchgearError
from .guard import guarded_tool
from .money import Money
from .processor import CostSpanProcessor
from .propagation import child_environment, extracted, inject
from .runtime import configure, flush, shutdown
from .scheduler import QueueFull, QueueTimeout, Scheduler
from .tasks import task
from .tier import Tier
from .usage import Usage

__all__ = [
    "Action",
    "BudgetExceeded",
    "ConfigError",
    "CostSpanProcessor",
    "Decision",
    "Money",
    "QueueFull",
    "QueueTimeout",
    "Scheduler",
    "SwitchgearError",
    "Task",
    "Tier",
    "Usage",
    "child_environment",
    "configure",
    "current_task",
    "extracted",
    "flush",
    "guard",
    "guarded_tool",
    "http_client",
    "inject",
    "shutdown",
    "task",
    "volatile",
    "wrap",
]
