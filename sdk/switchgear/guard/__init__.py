"""The guard: what happens around a model call before it is sent and after it was answered.

`call`, `call_async` and `guarded_tool` are for what no client stands before that `switchgear.wrap` knows.
"""

from .anything import call, call_async, guarded_tool
from .attempts import Answer, Failure, Wire
from .calls import Call
from .current import current, install, is_off
from .guard import Guard
from .steps import Script, drive, drive_async

__all__ = [
    "Answer",
    "Call",
    "Failure",
    "Guard",
    "Script",
    "Wire",
    "call",
    "call_async",
    "current",
    "drive",
    "drive_async",
    "guarded_tool",
    "install",
    "is_off",
]
