"""Reporting: the named reports that an audit is made of, asked of a running collector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import httpx

from analytics.reports import iso_week
from collector.wire import rfc3339

from ..answers import key_refused, reason, stranger
from ..calls import CallsError, MisuseError, instant
from ..client import connect

__all__ = ["Question", "Row", "reports"]

_TIMEOUT_S = 60.0

Row = Mapping[str, Any]
"""One row of a report: amounts and instants are text, as they travel."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was typed. `names` holds the filters that were given: tenant, workload, owner."""

    start: str | None
    end: str | None
    week: str | None
    names: Mapping[str, str]
    top: int

    @property
    def range(self) -> tuple[datetime, datetime]:
        """The range in UTC, of --from and --to or of --week. Raises MisuseError for anything else."""
        if self.week is not None:
            if self.start is not None or self.end is not None:
                raise MisuseError("--week is a range of its own; leave out --from and --to")
            try:
                monday, after = iso_week(self.week)
            except ValueError as problem:
                raise MisuseError(f"--week {problem}") from None
            return datetime.combine(monday, time(), UTC), datetime.combine(after, time(), UTC)
        if self.start is None or self.end is None:
            raise MisuseError("name the range with --from and --to, or with --week 2026-W47")
        start, end = instant("--from", self.start), instant("--to", self.end)
        if end <= start:
            raise MisuseError(f"--to {self.end} is not after --from {self.start}")
        return start, end


def reports(
    question: Question, *names: str, collector: str, api_key: str | None
) -> tuple[Sequence[Row], ...]:
    """The rows of each report of that name. Raises MisuseError for a bad question, CallsError without an answer."""
    start, end = question.range
    params = {"from": rfc3339(start), "to": rfc3339(end), "top": str(question.top), **question.names}
    try:
        with connect(collector, api_key, timeout_s=_TIMEOUT_S) as client:
            return tuple(_rows(client.get(f"/v1/reports/{name}", params=params)) for name in names)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise CallsError(
            f"no collector answers at {collector} ({problem}); start one with: switchgear up"
        ) from problem
    except UnicodeEncodeError:
        raise MisuseError("SWITCHGEAR_API_KEY holds a character that no key has") from None
    except (ValueError, KeyError, TypeError):
        raise CallsError(stranger(collector)) from None


def _rows(answer: httpx.Response) -> Sequence[Row]:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise CallsError(key_refused(answer))
    if not answer.is_success:
        raise CallsError(f"the collector answered {answer.status_code}: {reason(answer)}")
    document = answer.json()
    return [dict(zip(document["columns"], row, strict=True)) for row in document["rows"]]
