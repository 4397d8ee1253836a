"""`switchgear audit anomalies`: hours that cost more than usual, workloads that stopped, and new ones."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..calls import CallsError, MisuseError
from ..console import fail, misuse, plain, say
from ..tables import table
from .reporting import Question, Row, reports
from .wording import amount, number, times

__all__ = ["run"]

_NUMBERS = ("hours", "actual", "expected", "impact", "beyond usual")


def run(question: Question, *, collector: str, api_key: str | None, as_json: bool) -> int:
    """Print the audit; 0 without an anomaly, 1 with one that cost or where the collector cannot be asked, 2 for
    misuse.
    """
    try:
        (rows,) = reports(question, "audit_anomalies", collector=collector, api_key=api_key)
    except MisuseError as problem:
        return misuse(f"audit anomalies: {problem}")
    except CallsError as problem:
        return fail(f"audit anomalies: {problem}")
    if as_json:
        say(json.dumps({"anomalies": rows}, ensure_ascii=False))
    else:
        _show(rows)
    return int(any(row["kind"] != "stopped" for row in rows))


def _show(rows: Sequence[Row]) -> None:
    if not rows:
        say("No anomaly: every workload with a week of history cost what it usually does at these hours")
        return
    say(times(len(rows), "event"))
    table(
        ("kind", "state", "tenant", "workload", "owner", "from", "to", *_NUMBERS, "currency", "cause"),
        (
            (
                *(row[name] for name in ("kind", "state", "tenant", "workload", "owner")),
                *(row[name] for name in ("started_at", "ended_at")),
                number(row["hours"]),
                *(amount(row[name]) for name in ("actual", "expected", "impact", "beyond")),
                row["currency"],
                row["cause"],
            )
            for row in rows
        ),
        numbers=_NUMBERS,
    )
    for row in rows:
        share = "" if row["share"] is None else f" ({row['share']:.0%} of it)"
        say(
            f"\n{plain(row['tenant'])} / {plain(row['workload'] or '-')}, {row['kind']} of {row['started_at']}"
        )
        say(f"  {row['cause']}{share}: {plain(row['evidence'])}")
        based = f"; expected is the {row['baseline']}" if row["baseline"] else ""
        say(f"  could be known at {row['detected_at']}{based}")
