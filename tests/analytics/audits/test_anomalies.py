"""Anomalies: over a store and over the API, with cause, money and state; and only what a key may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from audited import MONDAY, audit, call, stored
from otlp_samples import Served, llm_span, request

from analytics.audits.anomalies_cause import Part, Task, cause
from analytics.audits.savings import savings
from analytics.prices import PriceBook
from analytics.reports import REPORTS
from collector.call import Call
from collector.keys.keyring import FILE_NAME, Keyring

HOUR = 3600.0
AS_OF = "2026-11-23T00:00:00Z"


def hourly(weeks: int, *, seed: int = 1, **fields: Any) -> list[Call]:
    """A call an hour at about a dollar, for weeks up to the end of the week of the range."""
    random = Random(seed)
    first = (1 - weeks) * 168
    return [
        call(hour * HOUR, f"{seed}-{hour}", output=random.randrange(90, 110), **fields)
        for hour in range(first, 168)
    ]


def rows(calls: Sequence[Call], **params: str) -> list[dict[str, Any]]:
    with stored(calls) as store:
        return audit(store, "audit_anomalies", as_of=params.pop("as_of", AS_OF), **params)


CALM = hourly(5)


def test_a_calm_workload_raises_nothing() -> None:
    assert rows(CALM) == []


def test_a_spike_is_told_with_its_hours_its_money_and_its_cause() -> None:
    many = [call((30 + n // 20) * HOUR + n, f"more-{n}", output=100) for n in range(40)]
    (row,) = rows([*CALM, *many])
    assert (row["kind"], row["state"], row["hours"]) == ("spike", "over", 2)
    assert row["started_at"] == MONDAY.replace(day=17, hour=6)
    assert row["actual"] == 40 + sum(
        Decimal(each.usage.output) / 100
        for each in CALM
        if each.usage and 30 * HOUR <= (each.started_at - MONDAY).total_seconds() < 32 * HOUR
    )
    assert row["impact"] == row["actual"] - row["expected"]
    assert row["expected"] == pytest.approx(Decimal(2), rel=Decimal("0.1"))
    assert Decimal(0) < row["beyond"] < row["impact"]
    assert row["cause"] == "calls"
    assert "42 calls where 2 are usual" in row["evidence"]


def test_one_task_that_cost_the_most_of_it_is_named() -> None:
    (row,) = rows([*CALM, *(call(30 * HOUR + n, "runaway", output=100) for n in range(40))])
    assert (row["cause"], row["task_id"]) == ("one task", "runaway")


def test_a_new_workload_is_told_once_and_is_no_anomaly_in_a_new_store() -> None:
    new = [call(hour * HOUR, f"n-{hour}", workload="fresh", output=100) for hour in range(100, 168)]
    (row,) = rows([*CALM, *new])
    assert (row["kind"], row["state"], row["cause"]) == ("new", "ongoing", "new workload")
    assert (row["actual"], row["impact"], row["beyond"]) == (68, 68, None)
    assert rows(new) == []


def test_a_stop_is_for_information() -> None:
    stopped = [each for each in CALM if (each.started_at - MONDAY).total_seconds() < 100 * HOUR]
    (row,) = rows([*stopped, *hourly(5, seed=2, workload="other")])
    assert (row["workload"], row["kind"], row["state"]) == ("writer", "stopped", "ongoing")
    assert row["impact"] < 0
    assert row["beyond"] == 0


def test_the_state_is_as_of_a_time() -> None:
    high = [call(hour * HOUR + 1, f"h-{hour}", output=900) for hour in range(60, 120)]
    states = {
        hours: rows([*CALM, *high], as_of=f"2026-11-{16 + hours // 24}T{hours % 24:02}:30:00Z")[0]["state"]
        for hours in (70, 110, 140)
    }
    assert states == {70: "new", 110: "ongoing", 140: "over"}


def test_a_small_impact_can_be_left_out() -> None:
    calls = [*CALM, *(call(30 * HOUR + n, "runaway", output=100) for n in range(40))]
    assert rows(calls, min_impact="41") == []
    assert len(rows(calls, min_impact="38")) == 1


def part(
    lag: int, calls: int, tokens: int, cost: str, *, model: str = "m", attempts: int | None = None
) -> Part:
    return Part(lag, model, calls, attempts or calls, tokens, Decimal(cost))


USUAL = [part(lag, 10, 1000, "1") for lag in (1, 2, 3)]


@pytest.mark.parametrize(
    ("now", "task", "name", "words"),
    [
        ([part(0, 50, 5000, "5")], None, "calls", "calls rose 5.0-fold"),
        ([part(0, 10, 5000, "5")], None, "tokens per call", "tokens a call rose from 100 to 500"),
        ([part(0, 10, 1000, "5")], None, "price", "a million tokens rose from 1,000.00 to 5,000.00"),
        (
            [part(0, 5, 500, "0.5"), part(0, 5, 500, "4.5", model="big")],
            None,
            "model mix",
            "big went from 0% to 50%",
        ),
        ([part(0, 15, 1500, "1.5", attempts=60)], None, "retries", "attempts a call rose from 1.00 to 4.00"),
        (
            [part(0, 50, 5000, "5")],
            Task("t-9", 40, Decimal(3), 5),
            "one task",
            "one task, t-9: 40 calls cost 3.00, 75%",
        ),
        ([part(0, 50, 5000, "5")], Task("t-9", 40, Decimal(3), 1), "calls", "calls rose"),
    ],
    ids=["calls", "tokens", "price", "mix", "retries", "task", "only-task"],
)
def test_the_cause_is_what_explains_most(now: list[Part], task: Task | None, name: str, words: str) -> None:
    found = cause([*now, *USUAL], task, Decimal(4), 3)
    assert found.name == name
    assert words in found.words


def test_calls_and_tokens_share_what_they_explain_by_their_logarithms() -> None:
    # 4 times the calls, 2 times the tokens a call: two thirds of ln 8 and one third.
    found = cause([part(0, 40, 8000, "8"), *USUAL], None, Decimal(7), 3)
    assert (found.name, found.share) == ("calls", pytest.approx(2 / 3))


def test_hours_at_which_nothing_usually_runs_have_no_factors() -> None:
    found = cause([part(0, 40, 8000, "8")], None, Decimal(8), 3)
    assert (found.name, found.share) == ("calls", None)
    assert "nothing usually runs at these hours" in found.words


def test_a_tenant_s_key_sees_only_its_own(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    keyring = Keyring(tmp_path / FILE_NAME)
    _, whole = keyring.create(["*"], ["ingest", "read"], now=now)
    _, own = keyring.create(["beta"], ["read"], now=now)
    reports = {**REPORTS, **savings(PriceBook().quote, PriceBook().models)}
    served = Served(tmp_path, reports=reports)
    try:
        spans = [
            llm_span(
                n,
                {
                    "switchgear.tenant": ("acme", "beta")[n % 2],
                    "switchgear.workload": "w",
                    "gen_ai.response.model": "gpt-4o-2024-08-06",
                },
            )
            for n in range(1, 9)
        ]
        served.http.headers["Authorization"] = f"Bearer {whole}"
        assert served.send(request(spans)).status_code == 200
        assert {row["tenant"] for row in asked(served, "audit_top_workloads")} == {"acme", "beta"}
        served.http.headers["Authorization"] = f"Bearer {own}"
        assert [(row["tenant"], row["share"]) for row in asked(served, "audit_top_workloads")] == [
            ("beta", 1.0)
        ]
        assert {row["tenant"] for row in asked(served, "audit_savings")} == {"beta"}
        assert asked(served, "audit_anomalies") == []
    finally:
        served.stop()


def asked(served: Served, name: str) -> list[dict[str, Any]]:
    params = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
    answer = served.http.get(f"/v1/reports/{name}", params=params)
    assert answer.status_code == 200, answer.text
    table = answer.json()
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
