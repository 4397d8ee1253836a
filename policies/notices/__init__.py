"""Notices: who is told, and how, when a breaker warns, trips or recovers."""

from .files import NoticeFileError, load
from .model import NoticeSet
from .teller import Notices, Tally
from .trial import try_each

__all__ = ["NoticeFileError", "NoticeSet", "Notices", "Tally", "load", "try_each"]
