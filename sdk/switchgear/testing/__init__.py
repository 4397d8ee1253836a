"""What agents are tested against, without a provider's key and without any service: imported only where it is used.

`provider` runs a fake model provider. `decisions` runs a stand-in for the policy engine that decides by script.
`VirtualClock` is time that a test moves by hand.
"""

from .clock import VirtualClock
from .engine import Engine, Settled, decisions
from .fake import Latency, Price, Provider
from .faults import Fault
from .limits import Limits
from .log import TOO_MANY, Log, Refused, Served
from .running import provider
from .script import AwayError, Question, Script, allow, away, degrade, deny, throttle, wrap_up

__all__ = [
    "TOO_MANY",
    "AwayError",
    "Engine",
    "Fault",
    "Latency",
    "Limits",
    "Log",
    "Price",
    "Provider",
    "Question",
    "Refused",
    "Script",
    "Served",
    "Settled",
    "VirtualClock",
    "allow",
    "away",
    "decisions",
    "degrade",
    "deny",
    "provider",
    "throttle",
    "wrap_up",
]
