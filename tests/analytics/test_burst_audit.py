"""`switchgear audit bursts`: from a file and from a running collector, and what it says of a flood."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from otlp_samples import BASE_NS, SHARED, Served, llm_span, request

from analytics import calls as paged
from analytics.bursts import peaks
from cli import calls
from cli.audit import bursts
from cli.audit.bursts import Question

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bursts.md"
TRACE = SHARED / "traces" / "azure2023_code.csv"
NOTHING_ASKED = Question(
    start=None,
    end=None,
    calls=None,
    provider=None,
    tenant=None,
    committed_tpm=None,
    bands=(),
    contract=None,
    burst=None,
    method="proportional",
    shares=(),
    max_delay="10m",
    measure="tokens",
    top=10,
)
HEAD = "started_at,tenant,workload,task_id,tier,provider,model,input_uncached,cache_read,output,cost,currency"
# 60 tokens of acme's and 90 of globex's in one minute; cache reads count towards no rate.
ROWS = (
    "2026-11-16T10:00:01Z,acme,writer,t1,interactive,openai,gpt-4o,40,1000,20,0.060,USD",
    "2026-11-16T10:00:02Z,globex,reader,t2,background,openai,gpt-4o,90,0,0,0.090,USD",
    "2026-11-16T10:02:00Z,acme,writer,t1,interactive,openai,gpt-4o,100,0,,,",
)


def asked(**fields: Any) -> Question:
    return Question(**{name: getattr(NOTHING_ASKED, name) for name in Question.__slots__} | fields)


def audit(
    capsys: pytest.CaptureFixture[str], collector: str = "", **fields: Any
) -> tuple[int, dict[str, Any]]:
    code = bursts.run(asked(**fields), collector=collector, api_key=None, as_json=True)
    said = capsys.readouterr()
    assert said.out, said.err
    return code, json.loads(said.out)


def refused(capsys: pytest.CaptureFixture[str], **fields: Any) -> str:
    assert bursts.run(asked(**fields), collector="http://127.0.0.1:1", api_key=None, as_json=False) == 2
    (said,) = capsys.readouterr().err.splitlines()
    return said


def written(folder: Path, rows: Sequence[str] = ROWS, head: str = HEAD) -> Path:
    file = folder / "calls.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


CONTRACT = (
    "version: 1\ncontracts:\n  - name: c\n    provider: openai\n    currency: USD\n    from: 2026-01-01\n"
    '    bursts:\n      - {name: b, models: ["gpt-*"], committed_tokens_per_minute: 100, measure: minute, '
    "weights: {output: 4}, bands: [{multiplier: 1.5}]}\n"
)
TERMS: dict[str, Any] = {"committed_tpm": 100, "bands": ("1.0:1.5",)}


def test_the_overage_falls_on_who_is_above_their_share(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, found = audit(capsys, calls=written(tmp_path), **TERMS)
    # 150 of 100 tokens, 50 each: acme is 10 above, globex 40. 50 tokens at 0.001 x 0.5 are 0.025
    assert code == 1
    assert found["overage"]["amount"] == "0.025"
    assert found["overage"]["tenants"] == [
        {"tenant": "globex", "amount": "0.02"},
        {"tenant": "acme", "amount": "0.005"},
    ]
    assert [minute["minute"] for minute in found["overage"]["minutes"]] == ["2026-11-16T10:00:00Z"]
    assert (found["calls"], found["unpriced_calls"], found["calls_without_usage"]) == (3, 1, 0)


def test_shares_may_be_given(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # acme holds 20 and globex 80: they are 40 and 10 above
    _, found = audit(capsys, calls=written(tmp_path), shares=("acme=1", "globex=4"), **TERMS)
    assert [row["amount"] for row in found["overage"]["tenants"]] == ["0.02", "0.005"]
    assert found["overage"]["tenants"][0]["tenant"] == "acme"


def test_queueing_tells_what_it_would_have_saved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, found = audit(capsys, calls=written(tmp_path), **TERMS)
    # globex's 90 background tokens go when acme's 60 of 10:00:01 are a minute old
    assert found["smoothing"]["saved"] == "0.025"
    assert (found["smoothing"]["moved_calls"], found["smoothing"]["longest_delay_s"]) == (1, 59.0)


def test_without_terms_there_are_peaks_and_no_finding(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, found = audit(capsys, calls=written(tmp_path))
    assert (code, found["overage"], found["smoothing"]) == (0, None, None)
    assert {peak["tenant"] for peak in found["peaks"]} == {"acme", "globex"}


def test_a_tenant_that_pays_nothing_is_no_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shares = ("acme=3", "globex=1")  # acme holds 75 and used 60
    code, found = audit(capsys, calls=written(tmp_path), tenant="acme", shares=shares, **TERMS)
    assert (code, found["overage"]["amount"]) == (0, "0")


def test_a_parquet_file_is_read_as_a_csv_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = calls.from_file(written(tmp_path))
    table.write_parquet(tmp_path / "calls.parquet")
    assert audit(capsys, calls=tmp_path / "calls.parquet", **TERMS) == audit(
        capsys, calls=tmp_path / "calls.csv", **TERMS
    )


def test_the_terms_of_a_contract_are_for_its_models_and_as_it_weighs_tokens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    contract = tmp_path / "contracts.yaml"
    contract.write_text(CONTRACT)
    other = "2026-11-16T10:00:03Z,acme,writer,t1,interactive,groq,gpt-4o,5000,0,0,9,USD"
    rows = [ROWS[0].replace("0.060", "0.120"), *ROWS[1:], other]
    _, found = audit(capsys, calls=written(tmp_path, rows), contract=contract)
    (minute,) = found["overage"]["minutes"]
    # 40 + 4 x 20 of acme's and 90 of globex's for 0.210; 110 of these 210 are above, at 0.001 x 0.5
    assert (minute["tokens"], minute["charge"]) == (210, "0.055")


def test_a_contract_in_another_currency_is_not_the_calls(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    contract = tmp_path / "contracts.yaml"
    contract.write_text(CONTRACT.replace("USD", "EUR"))
    assert "the calls cost USD, and c is in EUR" in refused(
        capsys, calls=written(tmp_path), contract=contract
    )


def test_burst_terms_that_there_are_not_are_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    contract = tmp_path / "contracts.yaml"
    contract.write_text(CONTRACT)
    assert "choose burst terms by the minute with --burst; there are: c/b" in refused(
        capsys, contract=contract, burst="other"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "name the range with --from and --to"),
        ({"start": "yesterday", "end": "2026-11-17"}, "--from 'yesterday' is no instant"),
        ({"start": "2026-11-17", "end": "2026-11-17"}, "--to 2026-11-17 is not after"),
        ({"committed_tpm": 5}, "add --band 1.0:1.5"),
        ({"bands": ("1:2",)}, "give that too"),
        ({"committed_tpm": 5, "bands": ("0.5:2",)}, "--band '0.5:2': write AT:TIMES"),
        ({"committed_tpm": 5, "bands": ("1:nan",)}, "--band '1:nan': write AT:TIMES"),
        ({"committed_tpm": 5, "bands": ("1:2:3",)}, "--band '1:2:3': write AT:TIMES"),
        ({"committed_tpm": 5, "bands": ("2:2", "1:3")}, "do not rise"),
        ({"shares": ("acme",)}, "--share 'acme': write TENANT=WEIGHT"),
        ({"shares": ("acme=-1",)}, "--share 'acme=-1': write TENANT=WEIGHT"),
        ({"shares": ("acme=1e999999",)}, "--share 'acme=1e999999': write TENANT=WEIGHT"),
        ({"committed_tpm": 5, "bands": ("1e999999:2",)}, "--band '1e999999:2': write AT:TIMES"),
        ({"committed_tpm": 5, "bands": ("1:1e999999",)}, "--band '1:1e999999': write AT:TIMES"),
        ({"method": "fixed"}, "--method fixed divides by the weights given"),
        ({"max_delay": "soon"}, "--max-delay: 'soon' is no length of time"),
        ({"contract": Path("missing.yaml")}, "missing.yaml"),
        ({"contract": Path("missing.yaml"), **TERMS}, "--contract brings its own terms"),
        ({"calls": Path("missing.csv")}, "missing.csv: No such file"),
    ],
)
def test_misuse_is_one_line_that_says_what_to_write(
    capsys: pytest.CaptureFixture[str], fields: dict[str, Any], said: str
) -> None:
    assert said in refused(capsys, **fields)


@pytest.mark.parametrize(
    ("head", "row", "said"),
    [
        ("tenant,output", "acme,1", "has no column started_at; it has tenant, output"),
        ("started_at,tenant", "2026-11-16T10:00:00Z,acme", "has no column any of input_uncached"),
        ("started_at,tenant,output", "2026-11-16T10:00:00Z,acme,-5", "output = -5 must not be below 0"),
        (
            "started_at,tenant,output",
            f"2026-11-16T10:00:00Z,acme,{2**62}",
            "a call has at most 100000000 tokens",
        ),
        ("started_at,tenant,output", "2026-11-16T10:00:00Z,,5", "1 of 1 rows have no tenant"),
        ("started_at,tenant,output", "2026-11-16T10:00:00Z,acme,many", '"many"'),
        ("started_at,tenant,output", "soon,acme,1", "started_at 'soon' is no instant; write 2026-"),
        (
            "started_at,tenant,output,currency",
            "2026-11-16T10:00:00Z,a,1,USD\n2026-11-16T10:00:00Z,a,1,EUR",
            "EUR and USD",
        ),
    ],
)
def test_a_file_that_holds_no_calls_is_refused_with_its_column_and_value(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, head: str, row: str, said: str
) -> None:
    assert said in refused(capsys, calls=written(tmp_path, [row], head))


def test_a_cost_that_is_a_float_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "calls.parquet"
    pl.DataFrame(
        {"started_at": [datetime(2026, 11, 16, tzinfo=UTC)], "tenant": ["a"], "output": [1], "cost": [0.1]}
    ).write_parquet(file)
    assert "cost is a float" in refused(capsys, calls=file)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = Served(tmp_path / "data")
    yield running
    running.stop()


def test_every_call_of_a_collector_is_read_once_however_many_answers_it_takes(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [llm_span(number, startTimeUnixNano=str(BASE_NS + number * 10**9)) for number in range(1, 61)]
    assert served.send(request(spans)).status_code == 200
    monkeypatch.setattr(paged, "_PAGE", 7)
    start, end = (datetime.fromtimestamp(BASE_NS // 10**9 + second, UTC).isoformat() for second in (1, 60))
    code, found = audit(capsys, served.url, start=start, end=end, committed_tpm=1000, bands=("1.0:2",))
    # Spans 1 to 59, of 400 + 50 tokens each: the end is not in the range
    assert (code, found["calls"]) == (1, 59)
    assert sum(minute["tokens"] for minute in found["overage"]["minutes"]) == 59 * 450
    assert found["currency"] == "USD"


def test_a_range_without_calls_is_no_finding(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = audit(capsys, served.url, start="2026-01-01", end="2026-01-02", **TERMS)
    assert (code, found["calls"], found["overage"]["amount"]) == (0, 0, "0")


def test_where_no_collector_answers_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    question = asked(start="2026-01-01", end="2026-01-02")
    assert bursts.run(question, collector="http://127.0.0.1:1", api_key=None, as_json=True) == 1
    assert "no collector answers at http://127.0.0.1:1" in capsys.readouterr().err


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bursts_example", ROOT / "examples" / "bursts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory, example: ModuleType) -> Path:
    """The calls that docs/bursts.md shows: two tenants of a recorded trace, and a flood."""
    if not TRACE.is_file():
        pytest.skip(f"no {TRACE}; name the folder of the shared data in SWITCHGEAR_SHARED_DATA")
    file = tmp_path_factory.mktemp("flood") / "calls.csv"
    example.table(TRACE).write_csv(file)
    return file


FLOODED: dict[str, Any] = {"committed_tpm": 2_000_000, "bands": ("1.0:1.5",), "max_delay": "15m"}


def test_of_a_flood_the_flood_pays_all_and_who_is_within_their_share_nothing(
    capsys: pytest.CaptureFixture[str], flood: Path
) -> None:
    code, found = audit(capsys, calls=flood, **FLOODED)
    overage = found["overage"]
    assert code == 1
    assert len(overage["minutes"]) == 10
    assert [row["tenant"] for row in overage["tenants"]] == ["hooli"]
    for minute in overage["minutes"]:
        assert sum(Decimal(line["amount"]) for line in minute["lines"]) == Decimal(minute["charge"])
    assert sum(Decimal(minute["charge"]) for minute in overage["minutes"]) == Decimal(overage["amount"])


def test_by_marginal_cost_the_two_would_pay_for_a_flood_that_they_did_not_make(
    capsys: pytest.CaptureFixture[str], flood: Path
) -> None:
    _, fair = audit(capsys, calls=flood, **FLOODED)
    _, found = audit(capsys, calls=flood, method="marginal", **FLOODED)
    paid = {row["tenant"]: Decimal(row["amount"]) for row in found["overage"]["tenants"]}
    assert set(paid) == {"acme", "globex", "hooli"}
    assert paid["acme"] + paid["globex"] > Decimal(found["overage"]["amount"]) / 10
    assert sum(paid.values()) == Decimal(fair["overage"]["amount"])


def test_the_page_shows_what_the_command_prints(capsys: pytest.CaptureFixture[str], flood: Path) -> None:
    (shown,) = re.findall(r"--top 3\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert bursts.run(asked(calls=flood, top=3, **FLOODED), collector="", api_key=None, as_json=False) == 1
    assert shown.splitlines() == [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_page_shows_the_chart_of_these_calls(flood: Path, example: ModuleType) -> None:
    drawn = example.chart(bursts.as_calls(calls.from_file(flood), example.BURST))
    assert drawn == PAGE.with_suffix(".svg").read_text()


def test_queueing_the_flood_saves_nearly_all_of_its_overage(
    capsys: pytest.CaptureFixture[str], flood: Path
) -> None:
    _, found = audit(capsys, calls=flood, **FLOODED)
    saved = found["smoothing"]
    assert Decimal(saved["saved"]) > Decimal("0.95") * Decimal(saved["overage_before"])
    assert saved["late_calls"] == 0


def test_the_peaks_of_the_recorded_trace_are_those_measured_otherwise(flood: Path) -> None:
    """28.1, 16.6, 4.4 and 1.84 times the mean, in sliding windows of the whole trace's cost."""
    trace = calls.from_file(flood).filter(pl.col("tenant") != "hooli")
    recorded = bursts.as_calls(trace.with_columns(pl.lit("all").alias("tenant")), None)
    found = peaks(recorded, recorded[-1].at_us - recorded[0].at_us)
    ratios = {peak.window_s: peak.cost_ratio for peak in found}
    assert ratios == {
        1: pytest.approx(28.05, abs=0.05),
        10: pytest.approx(16.59, abs=0.05),
        60: pytest.approx(4.40, abs=0.05),
        300: pytest.approx(1.842, abs=0.005),
    }
