"""What agents are tested against, without a provider's key and without any service: imported only where it is used.

`provider` runs a fake model provider.
"""

from .fake import Latency, Price, Provider
from .faults import Fault
from .limits import Limits
from .log import TOO_MANY, Log, Refused, Served
from .running import provider

__all__ = [
    "TOO_MANY",
    "Fault",
    "Latency",
    "Limits",
    "Log",
    "Price",
    "Provider",
    "Refused",
    "Served",
    "provider",
]
