"""switchgear: tags, guards and meters the LLM calls of AI agents."""

from .clients import http_client, wrap
from .context import Task, current_task, task
from .decision import Action, Decision
from .errors import BudgetExceeded, ConfigError, SwitchgearError
from .money import Money
from .processor import CostSpanProcessor
from .runtime import configure, flush, shutdown
from .tier import Tier
from .usage import Usage

__all__ = [
    "Action",
    "BudgetExceeded",
    "ConfigError",
    "CostSpanProcessor",
    "Decision",
    "Money",
    "SwitchgearError",
    "Task",
    "Tier",
    "Usage",
    "configure",
    "current_task",
    "flush",
    "http_client",
    "shutdown",
    "task",
    "wrap",
]
