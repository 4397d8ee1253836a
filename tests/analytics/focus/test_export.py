"""The export of a company's months: sound by the validator, exact to the ledger, and readable by what people use."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from focus_data_toolkit import detect_focus_schema, lint_focus_1_4_structure, validate_dataset_bundle
from focus_world import BOTH, FIRST, HOSTILE, World

Said = dict[str, Any]
NAMES = {
    "cost-and-usage": "Cost and Usage",
    "billing-period": "Billing Period",
    "invoice-detail": "Invoice Detail",
    "contract-commitment": "Contract Commitment",
}


def rows(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sums(found: list[dict[str, str]], column: str, by: str) -> dict[str, Decimal]:
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in found:
        total[row[by]] += Decimal(row[column])
    return {name: amount for name, amount in total.items() if amount}


@pytest.mark.parametrize("name", NAMES)
def test_the_validator_finds_nothing_in_any_dataset(whole: Said, name: str) -> None:
    report = lint_focus_1_4_structure(name.replace("-", " "), rows(whole["files"][name]))
    assert (report.messages(), report.row_count) == ([], whole["rows"][name])


def test_the_validator_finds_nothing_between_the_datasets(whole: Said) -> None:
    bundle = {NAMES[name]: rows(path) for name, path in whole["files"].items()}
    report = validate_dataset_bundle(bundle)
    assert report.errors + report.warnings == []
    assert {"split_allocation", "billing_period_coverage", "no_duplicate_charge_keys"} <= set(
        report.checks_run
    )
    # A share that is changed is found: the check of shares really runs.
    share = next(row for row in bundle["Cost and Usage"] if row["x_SplitOriginId"])
    share["BilledCost"] = str(Decimal(share["BilledCost"]) + 1)
    assert [each.code for each in validate_dataset_bundle(bundle).errors] == ["FDT-ALLOC-002"]


def test_our_own_rules_find_nothing(world: World, whole: Said) -> None:
    assert whole["findings"] == []
    answer = world.run("check", whole["files"]["cost-and-usage"])
    assert (answer.exit_code, answer.output.split(": ")[1]) == (0, "no rule is broken\n")


@pytest.mark.parametrize("period", BOTH)
@pytest.mark.parametrize(
    ("by", "column"),
    [
        ("tenant", "SubAccountId"),
        ("cost_centre", "x_CostCentre"),
        ("workload", "x_AgentName"),
        ("model", "x_Model"),
        ("kind", "x_LedgerKind"),
    ],
)
def test_cost_by_whatever_is_the_ledgers(
    world: World, whole: Said, period: str, by: str, column: str
) -> None:
    charged = world.charged(period=period, by=by)
    told = {row[by] or "": Decimal(row["cost"]) for row in charged if row["cost"] is not None}
    if HOSTILE in told:
        told[f"'{HOSTILE}"] = told.pop(HOSTILE)
    found = of_period(whole, period)
    assert sums(found, "BilledCost", column) == {name: cost for name, cost in told.items() if cost}
    calls = sum(row["calls"] for row in charged)
    assert sum(int(row["x_Calls"]) for row in found) == calls > 90


@pytest.mark.parametrize("period", BOTH)
def test_tokens_and_cost_of_each_meter_are_the_ledgers(world: World, whole: Said, period: str) -> None:
    charged = world.charged(period=period, by="meter", kind="usage")
    tokens: defaultdict[str, int] = defaultdict(int)
    for row in charged:
        tokens[row["meter"]] += row["tokens"]
    found = [row for row in of_period(whole, period) if row["x_LedgerKind"] == "usage"]
    assert sums(found, "x_Tokens", "x_TokenType") == tokens
    costs = {row["meter"]: Decimal(row["cost"]) for row in charged if row["currency"]}
    assert sums(found, "BilledCost", "x_TokenType") == costs


def of_period(whole: Said, period: str) -> list[dict[str, str]]:
    """In Berlin October begins on the evening of 30 September."""
    start = {"2026-10": "2026-09-30T22:00:00Z", "2026-11": "2026-10-31T23:00:00Z"}[period]
    return [row for row in rows(whole["files"]["cost-and-usage"]) if row["BillingPeriodStart"] == start]


def test_the_totals_that_are_said_are_those_of_the_rows_and_of_both_periods(
    world: World, whole: Said
) -> None:
    total = sum(Decimal(row["BilledCost"]) for row in rows(whole["files"]["cost-and-usage"]))
    assert [(each["currency"], Decimal(each["amount"])) for each in whole["totals"]] == [("USD", total)]
    charged = [row for period in BOTH for row in world.charged(period=period) if row["currency"]]
    assert total == sum(Decimal(row["cost"]) for row in charged)
    assert whole["periods"] == [{"period": BOTH[0], "closed": True}, {"period": BOTH[1], "closed": False}]


def test_what_came_late_is_a_correction_in_the_open_period_with_its_own_day(whole: Said) -> None:
    found = [row for row in rows(whole["files"]["cost-and-usage"]) if row["ChargeClass"] == "Correction"]
    assert {(row["BillingPeriodStart"], row["ChargePeriodStart"]) for row in found} == {
        ("2026-10-31T23:00:00Z", "2026-10-28T23:00:00Z")
    }
    # Two calls of three meters; and the shares of the one that is the platform's, of which nothing is left to it.
    assert sorted({row["x_LedgerKind"] for row in found}) == ["shared", "usage"]
    assert sum(Decimal(row["BilledCost"]) for row in found if row["x_LedgerKind"] == "shared") == 0
    assert sum(int(row["x_Calls"]) for row in found) == 2
    assert {row["x_SplitOriginId"] for row in found} == {""}


def test_the_hour_that_is_put_back_is_in_a_day_of_25_hours(whole: Said) -> None:
    days = {(row["ChargePeriodStart"], row["ChargePeriodEnd"]) for row in of_period(whole, FIRST)}
    assert ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z") in days


def test_ratios_over_one_cost_add_up_to_exactly_1_and_shares_to_what_left_it(whole: Said) -> None:
    groups: defaultdict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows(whole["files"]["cost-and-usage"]):
        if row["x_SplitOriginId"]:
            groups[row["x_SplitOriginId"]].append(row)
    assert max(len(group) for group in groups.values()) > 1
    for group in groups.values():
        elements = [
            json.loads(row["AllocatedMethodDetails"], parse_float=Decimal)["Elements"] for row in group
        ]
        assert sum(Decimal(element["AllocatedRatio"]) for (element,) in elements) == 1
        assert {Decimal(row["x_SplitOriginCost"]) for row in group} == {
            sum(Decimal(row["BilledCost"]) for row in group)
        }


def test_a_cost_that_is_not_known_is_0_and_says_so(world: World, whole: Said) -> None:
    found = [row for row in rows(whole["files"]["cost-and-usage"]) if row["x_CostSource"] == "unknown"]
    # Two unpriced calls of three meters each; a call without usage, one of a hostile name with some of 0.
    assert {row["x_State"] for row in found} == {"unpriced", "incomplete"}
    assert {Decimal(row["BilledCost"]) for row in found} == {0}
    assert {(row["SkuPriceId"], row["ConsumedQuantity"], row["PricingQuantity"]) for row in found} == {
        ("", "", "")
    }
    assert sum(int(row["x_Tokens"]) for row in found) == 2 * (400 + 600 + 50)
    assert all("the cost is not known" in row["ChargeDescription"] for row in found)
    answer = world.run("focus", "--period", FIRST, "--out", str(world.folder / "told.csv"))
    assert "of 1 lines the cost is not known" in answer.stderr


def test_a_closed_month_is_booked_and_an_open_one_estimated(whole: Said) -> None:
    sources = {period: {row["x_CostSource"] for row in of_period(whole, period)} for period in BOTH}
    assert sources[BOTH[0]] == {"booked", "unknown"}
    assert sources[BOTH[1]] == {"booked", "estimated", "unknown"}
    assert {row["BillingPeriodStatus"] for row in rows(whole["files"]["billing-period"])} == {
        "Open",
        "Closed",
    }


def test_a_cloud_is_host_and_issuer_and_the_model_has_its_own_developer(whole: Said) -> None:
    found = [row for row in rows(whole["files"]["cost-and-usage"]) if row["x_Provider"] == "aws.bedrock"]
    assert {(row["HostProviderName"], row["InvoiceIssuerName"], row["ServiceName"]) for row in found} == {
        ("Amazon Web Services", "Amazon Web Services", "Amazon Bedrock")
    }
    assert {json.loads(row["SkuPriceDetails"])["x_ModelDeveloper"] for row in found} == {"Anthropic"}


def test_a_name_that_would_be_a_formula_is_guarded_where_a_spreadsheet_reads_it(
    world: World, whole: Said
) -> None:
    guarded = [row for row in rows(whole["files"]["cost-and-usage"]) if "HYPERLINK" in row["SubAccountId"]]
    assert {row["SubAccountId"] for row in guarded} == {f"'{HOSTILE}"}
    assert {json.loads(row["Tags"])["tenant"] for row in guarded} == {HOSTILE}
    said = world.export("plain.parquet", "--from", "2026-11-05", "--to", "2026-11-05")
    names = pl.read_parquet(said["files"]["cost-and-usage"])["SubAccountId"].unique().to_list()
    assert HOSTILE in names


def test_csv_gzipped_csv_and_parquet_hold_the_same(world: World) -> None:
    made = {end: world.export(f"same{end}", "--period", FIRST) for end in (".csv", ".csv.gz", ".parquet")}
    paths = {end: Path(said["files"]["cost-and-usage"]) for end, said in made.items()}
    columns = ["BilledCost", "ListCost", "x_Tokens"]
    plain = pl.read_csv(paths[".csv"], infer_schema=False)
    assert plain.equals(pl.read_csv(paths[".csv.gz"], infer_schema=False))
    stored = pl.read_parquet(paths[".parquet"])
    assert stored.columns == plain.columns
    assert stored.schema["BilledCost"] == pl.Decimal(38, 12)
    assert stored.select(columns).equals(
        plain.select(pl.col(name).cast(stored.schema[name]) for name in columns)
    )
    read = pd.read_csv(paths[".csv"], dtype={"BilledCost": "str"}, parse_dates=["ChargePeriodStart"])
    assert str(read["ChargePeriodStart"].dtype).startswith("datetime64")
    again = pd.read_parquet(paths[".parquet"])
    assert (len(read), len(again)) == (len(plain), len(stored))
    assert again["BilledCost"].sum() == sum(map(Decimal, read["BilledCost"]))


def test_of_days_there_is_what_was_charged_for_them_in_whichever_period(world: World) -> None:
    said = world.export("days.csv", "--from", "2026-10-28", "--to", "2026-10-30")
    found = rows(said["files"]["cost-and-usage"])
    assert {row["BillingPeriodStart"] for row in found} == {"2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"}
    charged = world.charged(**{"from": "2026-10-28", "to": "2026-10-30"})
    assert sum(Decimal(row["BilledCost"]) for row in found) == sum(
        Decimal(row["cost"]) for row in charged if row["currency"]
    )


def test_version_1_2_has_its_older_columns_and_no_newer(world: World) -> None:
    said = world.export("old.csv", "--period", FIRST, "--focus-version", "1.2", "--check")
    found = rows(said["files"]["cost-and-usage"])
    detected = detect_focus_schema(list(found[0]))
    assert (detected.dataset, detected.detected_version) == ("Cost and Usage", "1.2")
    assert {"ProviderName", "PublisherName"} <= found[0].keys()
    assert not {"ServiceProviderName", "AllocatedMethodId", "InvoiceDetailId"} & found[0].keys()
    assert "" not in {row["PublisherName"] for row in found}
    # What is no column of 1.4 but of 1.2 is all that a validator of 1.4 has to say.
    told = {each.column for each in lint_focus_1_4_structure("cost and usage", found).violations}
    assert told == {"ProviderName", "PublisherName", "ServiceProviderName", "HostProviderName"}


def test_a_folder_keeps_no_dataset_of_an_earlier_export(world: World) -> None:
    folder = world.folder / "kept"
    folder.mkdir()
    (folder / "invoice-detail.csv").write_text("of before\n")
    day = ("--from", "2026-11-05", "--to", "2026-11-05")
    said = world.export("kept", *day, "--datasets", "billing-period,invoice-detail")
    # Nothing of November is invoiced.
    assert sorted(path.name for path in folder.iterdir()) == ["billing-period.csv"]
    assert set(said["files"]) == {"billing-period"}


REFUSED = [
    ([], "name one: --period 2026-10, or --from"),
    (["--period", "2026-10", "--to", "2026-11"], "name one: --period"),
    (["--period", "October"], 'from: "October" is no period'),
    (["--period", "2026-13"], '"2026-13" is no period'),
    (["--from", "2026-11", "--to", "2026-10"], "to: 2026-10 is before from: 2026-11"),
    (["--from", "2020-01-01", "--to", "2026-10-01"], "more than 1100 days"),
    (["--period", "2026-10", "--datasets", "costs"], "'costs' is no dataset; there are: all, cost-and-usage"),
    (["--period", "2026-10", "--out", "x.csv", "--datasets", "billing-period"], "x.csv is one file"),
    (
        ["--period", "2026-10", "--focus-version", "1.2", "--datasets", "billing-period"],
        "FOCUS 1.2 has no other",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "problem"), REFUSED, ids=[" ".join(given) or "nothing" for given, _ in REFUSED]
)
def test_what_cannot_be_exported_is_misuse_and_said(world: World, arguments: list[str], problem: str) -> None:
    answer = world.run("focus", *arguments)
    assert answer.exit_code == 2
    assert problem in answer.stderr


def test_a_folder_that_cannot_be_written_is_said(world: World) -> None:
    (world.folder / "taken").write_text("a file")
    answer = world.run("focus", "--period", FIRST, "--out", str(world.folder / "taken"))
    assert answer.exit_code == 1
    assert "choose another --out" in answer.stderr


def test_a_month_that_is_closed_while_it_is_exported_is_refused(world: World) -> None:
    page = {"period": FIRST, "day": "2026-10-28", "closed": "false"}
    answer = world.served.http.get("/v1/reports/focus_lines", params=page)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "period: 2026-10 was closed while it was exported; export it again",
    )


@pytest.mark.parametrize("name", ["focus_pages", "focus_lines", "focus_invoices", "focus_contracts"])
def test_a_key_that_sees_a_part_exports_nothing(world: World, name: str) -> None:
    days = {"from": "2026-10-28", "to": "2026-10-29"}
    page = {"focus_lines": {"period": FIRST, "day": "2026-10-28"}, "focus_contracts": {}}
    with world.for_tenant("contoso") as client:
        answer = client.get(f"/v1/reports/{name}", params=page.get(name, days))
    assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (
        422,
        "an export is of the whole ledger",
    )


def test_what_is_no_file_of_focus_is_said_by_check(world: World, tmp_path: Path) -> None:
    assert world.run("check", str(tmp_path / "none.csv")).exit_code == 2
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    answer = world.run("check", str(tmp_path / "other.csv"), "--json")
    assert answer.exit_code == 1
    missing = {each["rule"] for each in json.loads(answer.stdout)["findings"]}
    assert {"BilledCost-missing", "ServiceProviderName-missing"} <= missing
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not at all")
    assert world.run("check", str(tmp_path / "broken.parquet")).exit_code == 1
