"""Chargeback as its users have it: a generated company, a real collector, and the verbs from month end to the books."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result
from server import Collector
from typer.testing import CliRunner
from waiting import until

from cli.demo.history.command import run as history
from cli.main import app

MONTH, WEEK = "2026-10", "2026-W47"
HOUSE = """version: 1
prices:
  - {provider: openai, models: [house-llama-70b-legal], currency: USD, input: 2, cache_read: 0.2, output: 8}
"""
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company's five weeks up to 23 November, with a herd, a loop and a move in them."""
    folder = tmp_path_factory.mktemp("company") / "data"
    assert (
        history(
            length="35d", seed=7, calls=1_000, end="2026-11-23", plant=("all",), data=folder, as_json=True
        )
        == 0
    )
    return folder


@pytest.fixture(scope="module")
def truth(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "history" / "truth.json").read_text())
    return found


@pytest.fixture(scope="module")
def run(data: Path) -> Iterator[Run]:
    """The command line, and a collector on the folder that goes by the company's settings and a file of prices."""
    (data / "prices.yaml").write_text("version: 1\nprices: []\n")
    settings = data / "history" / "chargeback.yaml"
    collector = Collector(
        data,
        environment={"SWITCHGEAR_CHARGEBACK": str(settings), "SWITCHGEAR_PRICES": str(data / "prices.yaml")},
    )
    collector.wait_ready()
    yield lambda *told: CliRunner().invoke(app, [*told, "--collector", collector.url])
    collector.stop()


def told(result: Result, code: int = 0) -> dict[str, Any]:
    """The JSON that it printed, having ended with `code`."""
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def speaks(run: Run) -> set[str]:
    """What speaks against the close, but for notes."""
    found = run("ledger", "close", MONTH, "--check", "--json")
    return {each["code"] for each in json.loads(found.stdout)["blockers"] if each["weight"] != "warning"}


def prices_anew(run: Run, *span: str) -> bool:
    """Whether a rerate, which is not written, gives calls a price that have none."""
    found = run("rerate", *span, "--json")
    if found.exit_code == 1 and "the price book is no longer" in found.stderr:
        # The collector took the file over while it was at it, and asks to be asked again.
        return False
    assert found.stdout, found.output
    return any(line["newly_priced"] for line in json.loads(found.stdout)["totals"])


def causes(found: dict[str, Any], provider: str) -> dict[str, Decimal]:
    """What the month's difference of a provider is made of."""
    (one,) = (each for each in found["providers"] if each["provider"] == provider)
    return {cause: Decimal(amount) for cause, amount in one["causes"].items()}


def test_a_month_goes_from_its_blockers_to_the_books(
    run: Run, data: Path, truth: dict[str, Any], tmp_path: Path
) -> None:
    assert speaks(run) == {"unpriced", "unowned"}
    refused = run("ledger", "close", MONTH)
    assert (refused.exit_code, "stays open" in refused.output) == (1, True)

    # The residual is what was planted: calls that no span told of, those without a price, those that nobody metered.
    files = [str(path) for path in sorted((data / "history" / "invoices").glob(f"*-{MONTH}.json"))]
    reconciled = told(run("reconcile", *files, "--month", MONTH, "--json"))
    for bill in truth["invoices"]:
        if bill["month"] == MONTH:
            made_of = causes(reconciled, bill["provider"])
            assert made_of.pop("unpriced", Decimal(0)) == Decimal(bill["unpriced"])
            assert sum(made_of.values()) == Decimal(bill["untold"]) + Decimal(bill["unseen"])

    # As the blockers say: prices and a rerate, and an owner in the template.
    (data / "prices.yaml").write_text(HOUSE)
    template = tmp_path / "unowned.csv"
    assert run("registry", "export", "--unowned", "--out", str(template)).exit_code == 0
    named = pl.read_csv(template, infer_schema=False)
    assert named.rows() != []
    named.with_columns(owner=pl.lit("Ines"), cost_centre=pl.lit("CC-110")).write_csv(template)
    assert run("registry", "import", str(template)).exit_code == 0
    span = ("--from", f"{MONTH}-01", "--to", "2026-11-01")
    # The collector looks at its files now and then: until it has, a rerate finds nothing to write.
    until(lambda: prices_anew(run, *span), "the collector goes by the new prices", 60)
    rerated = run("rerate", *span, "--write", "--reason", "the house model has a price")
    assert rerated.exit_code == 0, rerated.output
    assert speaks(run) == set()

    booked = told(run("reconcile", "--month", MONTH, "--book", "--json"))
    assert all(each["within"] for each in booked["providers"] if each["within"] is not None)
    closed = told(run("ledger", "close", MONTH, "--json"))
    (total,) = (Decimal(each["amount"]) for each in closed["totals"] if each["currency"])
    assert told(run("ledger", "verify", "--json"))["findings"] == []

    # The books, the statements and the export are the ledger.
    journal = list(csv.DictReader(io.StringIO(run("ledger", "journal", MONTH).stdout)))
    for side in ("debit", "credit"):
        assert sum(Decimal(line[side] or 0) for line in journal) == round(total, 2)
    out = tmp_path / "focus.parquet"
    assert run("export", "focus", "--period", MONTH, "--out", str(out)).exit_code == 0
    assert pl.read_parquet(out)["BilledCost"].sum() == total


def test_what_was_planted_is_found_and_named(run: Run, truth: dict[str, Any], tmp_path: Path) -> None:
    herd, loop, move = (truth["planted"][name] for name in ("herd", "loop", "move"))
    found = run("audit", "retries", "--week", WEEK)
    assert found.exit_code == 1
    assert f"{len(herd['tasks'])} tasks, {herd['calls']} retried calls" in found.output
    assert f"{herd['model']} ({herd['provider']})" in found.output
    found = run("audit", "fanout", "--week", WEEK)
    assert (found.exit_code, loop["task"] in found.output) == (1, True)

    made = run("review", "--week", WEEK, "--only", "json", "--out", str(tmp_path))
    assert made.exit_code == 0, made.output
    (path,) = tmp_path.glob("*.json")
    review = json.loads(path.read_bytes())
    assert [each["task"] for each in review["loops"]] == [loop["task"]]
    assert len(review["herds"]) == 1
    assert {move["to"]["owner"], None} <= {each["owner"] for each in review["owners"]}
