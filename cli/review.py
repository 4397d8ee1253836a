"""`switchgear review`: the week's cost-ownership review as CSV, Parquet and HTML, from a running collector."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from analytics import registry, rendering
from analytics.reports import iso_week
from analytics.review import Review, compute

from .answers import key_refused, reason, stranger
from .client import connect
from .console import fail, misuse, say

__all__ = ["run"]

_TIMEOUT_S = 60.0
_DEFAULT_CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class _Facts:
    lines: list[dict[str, Any]]
    trips: list[dict[str, Any]]
    registry: registry.Registry
    watermark: str | None


class _RefusedError(Exception):
    """The collector answered, and not with the facts; the text says what it said."""


def run(week: str, *, out: Path, collector: str, api_key: str | None, as_json: bool) -> int:
    """Write `review-WEEK.csv`, `.parquet` and `.html` into `out` and say where they are; the exit code.

    0 with the files, 1 where the collector or the folder fails, 2 for a week that there is not. A week without
    calls is said and written all the same: that nothing was spent is a fact that an owner signs too.
    """
    try:
        start, _ = iso_week(week)
    except ValueError as problem:
        return misuse(f"review: --week {problem}")
    try:
        with connect(collector, api_key, timeout_s=_TIMEOUT_S) as client:
            facts = _fetch(client, week)
    except _RefusedError as problem:
        return fail(f"review: {problem}")
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(f"review: no collector answers at {collector} ({problem}); start one with: switchgear up")
    except UnicodeEncodeError:
        return misuse("review: SWITCHGEAR_API_KEY holds a character that no key has")
    except (ValueError, AttributeError, KeyError):
        return fail(f"review: {stranger(collector)}")
    review = _review(week, start, facts)
    try:
        paths = _write(review, out, facts.watermark)
    except OSError as problem:
        return fail(
            f"review: cannot write into {out}: {problem.strerror or problem}; choose a folder with --out"
        )
    _say(review, paths, as_json=as_json)
    return 0


def _fetch(client: httpx.Client, week: str) -> _Facts:
    coverage = _answer(client, "/v1/reports/coverage", {"from": _EPOCH, "to": _EPOCH}).json()
    document = _answer(client, "/v1/registry", {}).json()
    return _Facts(
        lines=_rows(client, "review", week),
        trips=_rows(client, "trips", week),
        registry=registry.parse({name: document.get(name, []) for name in ("workloads", "plans")}),
        watermark=coverage.get("watermark"),
    )


# The answer's watermark is wanted, not its row: an empty range costs nothing.
_EPOCH = "1970-01-01T00:00:00Z"


def _rows(client: httpx.Client, report: str, week: str) -> list[dict[str, Any]]:
    answer = _answer(client, f"/v1/reports/{report}", {"week": week, "format": "arrow"})
    with pa.ipc.open_stream(io.BytesIO(answer.content)) as stream:
        rows: list[dict[str, Any]] = stream.read_all().to_pylist()
    return [row | {"scope": _scope(row["scope"])} if "scope" in row else row for row in rows]


def _scope(value: object) -> Mapping[str, str]:
    """A trip's scope, which travels as JSON text or as a struct with NULL for what it does not name."""
    scope = json.loads(value) if isinstance(value, str) else value
    return {name: part for name, part in scope.items() if part is not None} if isinstance(scope, dict) else {}


def _answer(client: httpx.Client, path: str, params: Mapping[str, str]) -> httpx.Response:
    answer = client.get(path, params=dict(params))
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise _RefusedError(key_refused(answer))
    if not answer.is_success:
        raise _RefusedError(f"the collector answered {answer.status_code} to {path}: {reason(answer)}")
    return answer


def _review(week: str, start: date, facts: _Facts) -> Review:
    found = [line["currency"] for line in facts.lines if line["currency"]]
    planned = [plan.currency for plan in facts.registry.plans]
    return compute(
        week,
        start,
        lines=facts.lines,
        trips=facts.trips,
        registry=facts.registry,
        currency=next(iter(found + planned), _DEFAULT_CURRENCY),
    )


def _write(review: Review, out: Path, watermark: str | None) -> dict[str, Path]:
    out.mkdir(parents=True, exist_ok=True)
    paths = {kind: out / f"review-{review.week}.{kind}" for kind in ("csv", "parquet", "html")}
    paths["csv"].write_text(rendering.csv_text(review), encoding="utf-8", newline="")
    pq.write_table(rendering.parquet_table(review), paths["parquet"])
    page = rendering.html_page(review, generated_at=datetime.now(UTC), watermark=watermark)
    paths["html"].write_text(page, encoding="utf-8")
    return paths


def _say(review: Review, paths: Mapping[str, Path], *, as_json: bool) -> None:
    headline = review.headline(
        partial(rendering.money, currency=review.currency, digits=rendering.digits(review))
    )
    if as_json:
        total = {
            name: None if amount is None else f"{amount:f}"
            for name, amount in (
                ("actual", review.total.actual),
                ("plan", review.total.plan),
                ("variance", review.total.variance),
                ("week_on_week", review.total.change),
            )
        }
        counts = {
            "calls": review.total.calls,
            "unpriced_calls": review.total.unpriced_calls,
            "incomplete_calls": review.total.incomplete_calls,
            "breaker_trips": review.total.trips,
        }
        files = {kind: str(path) for kind, path in paths.items()}
        document = {"week": review.week, "currency": review.currency, **total, **counts, "files": files}
        say(json.dumps(document | {"headline": headline}, ensure_ascii=False))
        return
    say(headline)
    say(f"Week {review.week} is Monday {review.start} to Sunday {review.last_day}, in UTC.")
    for path in paths.values():
        say(f"  {path}")
