"""What windows will hold: bands with their parts, that follow each scope's own past errors."""

from .band import HORIZON_SHARE, TAUS, Band, Schedule
from .periods import CalendarForecast
from .rolling import RollingForecast

__all__ = [
    "HORIZON_SHARE",
    "TAUS",
    "Band",
    "CalendarForecast",
    "RollingForecast",
    "Schedule",
]
