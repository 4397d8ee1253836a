"""Notices: who is told, and how, when a breaker warns, trips or recovers, and what is to do for a weekly review."""

from .files import NoticeFileError, load
from .model import NoticeSet
from .reminders import Reminder, remind, wanted
from .teller import Notices, Tally
from .trial import try_each

__all__ = [
    "NoticeFileError",
    "NoticeSet",
    "Notices",
    "Reminder",
    "Tally",
    "load",
    "remind",
    "try_each",
    "wanted",
]
