"""`switchgear contracts`: what it prints, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import contracts as verb

FILE = """\
version: 1
contracts:
  - name: c
    provider: openai
    currency: USD
    from: 2026-01-01
    discounts: [{discount: 10%}]
    commitment: {monthly: 10 USD}
"""
PRICED = """\
at,provider,model,input_uncached,output,list_cost,currency
2026-11-24T12:00:00Z,openai,gpt-4o,1000,500,2.00,USD
2026-11-24T12:00:30Z,openai,gpt-4o,1000,500,,
2026-11-24T12:00:30Z,anthropic,claude-sonnet-4-5,1000,500,7,USD
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "contracts.yaml").write_text(FILE)
    return tmp_path / "contracts.yaml"


def usage(file: Path, text: str, name: str = "usage.csv") -> Path:
    (file.parent / name).write_text(text)
    return file.parent / name


def test_a_good_file_is_told_with_its_versions(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.check(file, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert verb.check(file, as_json=False) == 0
    version = told["contracts"][0]["version"]
    assert (told["contracts"][0]["name"], told["errors"]) == ("c", [])
    assert capsys.readouterr().out == f"{file}: fine: {version}\n"


def test_a_bad_file_is_exit_1_with_each_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(FILE.replace("10%", "10").replace("10 USD", "10"))
    assert verb.check(file, as_json=False) == 1
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == [
        f"{file}:7:28",
        f"{file}:8:27",
    ]
    assert verb.check(file, as_json=True) == 1
    assert len(json.loads(capsys.readouterr().out)["errors"]) == 2
    assert verb.explain(file, "2026-11", usage(file, PRICED), as_json=False) == 1


def test_a_month_is_explained_charge_by_charge(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.explain(file, "2026-11", usage(file, PRICED), as_json=True) == 0
    (month,) = json.loads(capsys.readouterr().out)
    assert [(charge["kind"], charge["amount"]) for charge in month["charges"]] == [
        ("usage", "2"),
        ("discount", "-0.2"),
        ("commitment", "1.8"),
        ("shortfall", "8.2"),
    ]
    assert (month["list_cost"], month["contracted_cost"], month["effective_cost"]) == ("2", "1.8", "10")
    assert month["unpriced_tokens"] == 1500
    assert (month["start"], month["end"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert verb.explain(file, "2026-11", usage(file, PRICED), as_json=False) == 0
    said, noted = capsys.readouterr()
    assert "1 rows fall to no contract that runs in 2026-11" in noted
    assert "10 % off 2 USD of *" in said
    assert "1,500 tokens have no list price" in said


def test_rows_without_a_list_cost_are_calls_and_priced_by_the_book(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {
        "at": "2026-11-24T13:00:00+01:00",
        "provider": "openai",
        "model": "gpt-4o",
        "input_uncached": 1000,
    }
    assert verb.explain(file, "2026-11", usage(file, json.dumps([call]), "usage.json"), as_json=True) == 0
    (month,) = json.loads(capsys.readouterr().out)
    assert month["list_cost"] == "0.0025"  # 1,000 at 2.50 a million


def test_rows_are_priced_by_the_users_prices_where_they_are_named(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = usage(file, "version: 1\nprices: []\nnone: 1\n", "prices.yaml")
    assert verb.explain(file, "2026-11", usage(file, CALL), prices, as_json=False) == 2
    assert "prices.yaml:3:1: none: no such setting here" in capsys.readouterr().err


def test_a_month_without_a_contract_says_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.explain(file, "2025-12", usage(file, PRICED), as_json=False) == 0
    assert capsys.readouterr().out == "no contract runs in 2025-12\n"


CALL = "at,provider,model,output\n2026-11-24T12:00:00Z,openai,gpt-4o,1\n"


@pytest.mark.parametrize(
    ("month", "text", "says"),
    [
        ("november", CALL, '"november" is no month; write "2026-11"'),
        ("2026-11", CALL.replace("Z,", ","), "row 1: at cannot be '2026-11-24T12:00:00'"),
        ("2026-11", CALL.replace("output", "outputs"), "row 1: no column 'outputs'"),
        ("2026-11", CALL.replace("gpt-4o", ""), "row 1: model is missing"),
        ("2026-11", CALL.replace(",1\n", ",-1\n"), "row 1: output cannot be '-1'"),
        ("2026-11", CALL.replace(",1\n", ",1e3\n"), "row 1: output cannot be '1e3'"),
        ("2026-11", CALL.replace(",1\n", ",1,2\n"), "row 1: no column 'None'"),
        ("2026-11", PRICED.replace("2.00", "nan"), "row 1: list_cost cannot be 'nan'"),
        ("2026-11", PRICED.replace("2.00", "1e999999"), "row 1: list_cost cannot be '1e999999'"),
        ("2026-11", CALL.replace(",1\n", f",{10**60}\n"), "row 1: output cannot be '1000"),
        ("2026-11", PRICED.replace("USD", "EUR", 1), "costs EUR, and the contract is in USD"),
        ("2026-11", CALL.replace(",1\n", f",{10**9}\n"), "output: 1000000000 tokens"),
    ],
)
def test_usage_that_cannot_be_read_is_one_clear_line_and_exit_2(
    file: Path, capsys: pytest.CaptureFixture[str], month: str, text: str, says: str
) -> None:
    assert verb.explain(file, month, usage(file, text), as_json=True) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert says in said


@pytest.mark.parametrize(
    "text",
    ["{", "{}", "[1]", "[" * 100_000, '[{"output": ' + "9" * 5000 + "}]"],
    ids=["cut", "object", "numbers", "deep", "long number"],
)
def test_json_that_is_no_list_of_rows_is_one_clear_line(
    file: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert verb.explain(file, "2026-11", usage(file, text, "usage.json"), as_json=False) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_is_not_there_is_misuse(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    away = file.parent / "away.yaml"
    assert verb.check(away, as_json=False) == verb.explain(file, "2026-11", away, as_json=False) == 2
    assert capsys.readouterr().err.count("there is no such file") == 2
