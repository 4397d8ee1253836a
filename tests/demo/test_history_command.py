"""`switchgear demo --history`, small, with a real collector: what it books and what it writes beside it."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import pytest
from otlp_samples import Served

from analytics.contracts.files import load
from cli.demo.history.command import run

CALLS = 1_000
MOST_USUAL = {
    "length": "21d",
    "seed": 7,
    "calls": CALLS,
    "end": "2026-11-23",
    "plant": ("all",),
    "as_json": True,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    data = tmp_path_factory.mktemp("history") / "data"
    assert run(**MOST_USUAL, data=data) == 0
    return data


@pytest.fixture(scope="module")
def truth(made):
    return json.loads((made / "history" / "truth.json").read_text())


def lines(made, name):
    with (made / "history" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_call_is_booked_at_its_price(made, truth):
    with Served(made) as served:
        booked = served.rows(
            "SELECT strftime(started_at, '%Y-%m'), sum(cost) FROM calls WHERE cost IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        ((calls, attempts, incomplete, unpriced),) = served.rows(
            """SELECT count(*), sum(attempts), count(*) FILTER (state = 'incomplete'),
                      count(*) FILTER (state = 'unpriced') FROM calls"""
        )
        ends = dict(served.rows("SELECT outcome, count(*) FROM task_ends GROUP BY 1"))
        ((refused,),) = served.rows("SELECT count(*) FROM not_billed")
    assert {month: Decimal(cost) for month, cost in booked} == {
        month: Decimal(cost) for month, cost in truth["cost"]["by_month"].items()
    }
    assert calls == truth["calls"] == CALLS + 480 + 800
    assert int(attempts) == truth["attempts"]
    assert (incomplete, unpriced) == (truth["incomplete_calls"], truth["unpriced_calls"])
    assert ends == {outcome: count for outcome, count in truth["task_ends"].items() if count}
    assert refused == 0


def test_the_last_owners_of_the_papers_are_in_the_registry(made, truth):
    last = {(line["tenant"], line["workload"]): line["owner"] for line in lines(made, "registry.csv")}
    with Served(made) as served:
        registered = served.rows("SELECT DISTINCT tenant, workload, owner FROM calls WHERE owner IS NOT NULL")
    assert registered
    moved = truth["planted"]["move"]
    assert last[moved["tenant"], moved["workload"]] == moved["to"]["owner"]
    assert (truth["unowned"][0]["tenant"], truth["unowned"][0]["workload"]) not in last


def test_plans_and_revenue_are_of_the_months_and_everybody_in_them(made, truth):
    months = {"2026-11"}
    centres = {line["cost_centre"] for line in lines(made, "registry.csv")}
    plans = lines(made, "plans.csv")
    assert {line["month"] for line in plans} == months
    assert {line["cost_centre"] for line in plans} <= centres
    assert {line["currency"] for line in plans} == {"USD"}
    revenue = lines(made, "revenue.csv")
    assert {line["tenant"] for line in revenue} <= set(truth["cost"]["by_tenant"])
    assert all(Decimal(line["amount"]) > 0 for line in (*plans, *revenue))


def test_the_invoices_bill_what_was_booked_and_what_was_planted_beside_it(made, truth):
    for bill in truth["invoices"]:
        page = json.loads(
            (made / "history" / "invoices" / f"{bill['provider']}-{bill['month']}.json").read_text(),
            parse_float=Decimal,
        )
        results = [each for bucket in page["data"] for each in bucket["results"]]
        billed = sum(
            Decimal(each["amount"]["value"])
            if bill["provider"] == "openai"
            else Decimal(each["amount"]) / 100
            for each in results
        )
        parts = [Decimal(bill[part]) for part in ("booked", "untold", "unpriced", "unseen")]
        assert billed.quantize(Decimal("1e-6")) == Decimal(bill["amount"]).quantize(Decimal("1e-6"))
        assert sum(parts) == Decimal(bill["amount"])
        assert 0 < parts[3] <= Decimal("0.003") * (sum(parts) - parts[3])
    by_provider = {bill["provider"]: Decimal(0) for bill in truth["invoices"]}
    for bill in truth["invoices"]:
        by_provider[bill["provider"]] += Decimal(bill["booked"])
    assert by_provider == {name: Decimal(truth["cost"]["by_provider"][name]) for name in by_provider}


def test_the_contracts_are_ones_that_can_be_read(made):
    assert load(made / "history" / "contracts.yaml")


def test_the_same_history_again_books_nothing_twice_and_another_is_refused(made, truth, capsys):
    capsys.readouterr()
    assert run(**MOST_USUAL, data=made) == 0
    assert json.loads(capsys.readouterr().out)["cost"] == truth["cost"]["total"]
    assert run(**{**MOST_USUAL, "seed": 8}, data=made) == 1
    assert "has another history" in capsys.readouterr().err


def test_a_folder_with_calls_of_its_own_is_left_alone(tmp_path, capsys):
    data = tmp_path / "data"
    from history import filled

    filled(data, days=7, tenants=4, workloads=10, calls=200)
    assert run(**MOST_USUAL, data=data) == 1
    assert "has 200 calls that are of no history" in capsys.readouterr().err
    assert not (data / "history").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"length": "90x"}, "no length of time"),
        ({"length": "2h"}, "write whole days or weeks"),
        ({"end": "2126-01-01"}, "a full hour of the past"),
        ({"end": "2026-11-20T08:30:00Z"}, "a full hour of the past"),
        ({"end": "soon"}, "no instant"),
        ({"plant": ("mole",)}, "there are: herd, loop, move"),
    ],
    ids=lambda value: str(value),
)
def test_what_makes_no_sense_is_misuse_and_starts_nothing(wrong, said, tmp_path, capsys):
    data = tmp_path / "data"
    assert run(**{**MOST_USUAL, **wrong}, data=data) == 2
    assert said in capsys.readouterr().err
    assert not data.exists()
