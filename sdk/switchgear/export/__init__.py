"""What of the spans reaches the collector, and how: at once, or from the disk when it is back."""

from .counts import Counts
from .outbox import Outbox
from .recorder import Recorder, carries

__all__ = ["Counts", "Outbox", "Recorder", "carries"]
