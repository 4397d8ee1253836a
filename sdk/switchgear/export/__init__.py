"""What of the spans reaches the collector, and how: at once, or from the disk when it is back."""

from .outbox import Counts, Outbox
from .recorder import Recorder, carries

__all__ = ["Counts", "Outbox", "Recorder", "carries"]
