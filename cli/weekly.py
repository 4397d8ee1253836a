"""`switchgear review --schedule`: publishes the last week's review on Mondays, writes its files, and reminds.

It looks once a day. A week that was missed, by however much, is made up for; what fails is said and tried again.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from types import FrameType
from typing import Never

from analytics.reports import iso_week

from . import reminding
from . import review as verb
from .asking import NoAnswerError
from .collectors import Asked
from .console import misuse, note
from .paths import notice_path

__all__ = ["EndedError", "run"]

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=15)
_AT_MOST = 8
"""Weeks that are made up for, and whose files are kept up to date."""
_REMINDED = ".reminded"
"""The file that says on which day owners were last reminded, so that a restart does not do it again."""


class EndedError(Exception):
    """Somebody asked it to end."""


def run(
    ask: Asked,
    *,
    out: Path,
    kinds: Sequence[str],
    at: str,
    notices: Path | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Stay until SIGTERM or Ctrl-C; 0 then, 2 for a time of day that there is not."""
    try:
        hour = time_of_day.fromisoformat(at)
    except ValueError:
        return misuse(f"review: --at {at!r} is no time of day; write 06:00")
    pause = _FIRST_PAUSE
    note(f"review: every Monday at {hour:%H:%M} UTC last week's is published and written into {out}")
    try:
        with _ending():
            while True:
                began = _last(now(), hour)
                done = _tended(ask, out, kinds, notices, began, now())
                until = began + _DAY if done else now() + pause
                pause = _FIRST_PAUSE if done else min(2 * pause, _LONGEST_PAUSE)
                while (left := (until - now()).total_seconds()) > 0:
                    sleep(left)
    except (EndedError, KeyboardInterrupt):
        note("review: ended")
        return 0


def _last(now: datetime, hour: time_of_day) -> datetime:
    """When it was that time of day last."""
    at = datetime.combine(now.astimezone(UTC).date(), hour, UTC)
    return at if at <= now else at - _DAY


def _tended(
    ask: Asked, out: Path, kinds: Sequence[str], notices: Path | None, began: datetime, now: datetime
) -> bool:
    """Publish what is wanted by `began`, write what may have changed, and remind; whether it was done."""
    try:
        known = sorted(each["week"] for each in ask.get(verb.REVIEWS)["reviews"])
    except NoAnswerError:
        return False
    for week in _missing(known[-1] if known else None, began.date()):
        if verb.run(ask, week, out=out, kinds=kinds, publish=True) != 0:
            return False
    # A signature stands in the files too.
    for week in known[-_AT_MOST:]:
        if verb.run(ask, week, out=out, kinds=kinds) != 0:
            return False
    if notice_path(notices) is not None:
        _remind(ask, out, notices, now)
    return True


def _missing(last: str | None, today: date) -> list[str]:
    """The weeks that are over and follow the last that was published; only the last of all where none was."""
    over = today - _WEEK - timedelta(days=today.weekday())
    first = over if last is None else iso_week(last)[0] + _WEEK
    first = max(first, over - (_AT_MOST - 1) * _WEEK)
    return [f"{monday:%G-W%V}" for monday in _mondays(first, over)]


def _mondays(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += _WEEK


def _remind(ask: Asked, out: Path, notices: Path | None, now: datetime) -> None:
    """Once a day. A destination that cannot be reached has been named, and is told again the next day."""
    noted = out / _REMINDED
    if noted.exists() and noted.read_text(encoding="utf-8").strip() == f"{now:%Y-%m-%d}":
        return
    reminding.run(ask, notices, now=now)
    noted.write_text(f"{now:%Y-%m-%d}\n", encoding="utf-8")


@contextmanager
def _ending() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does, whatever it is at."""

    def end(_: int, __: FrameType | None) -> Never:
        raise EndedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
