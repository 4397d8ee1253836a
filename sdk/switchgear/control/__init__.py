"""The line to the policy engine: decisions by long-poll, grants on request, what ended in small batches."""

from .control import Control
from .wire import Granted, Retry, Scope

__all__ = ["Control", "Granted", "Retry", "Scope"]
