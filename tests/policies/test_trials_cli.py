"""The policy tools at the command line: what they print, what they exit with, and calls from a real collector."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from commands import starting
from otlp_samples import BASE_NS, Served, llm_span, request
from typer.testing import CliRunner

from cli.main import app

POLICY = """\
version: 1
tenants: {acme: {}}
ceilings:
  - {name: hour, scope: {tenant: acme}, limit: 1 USD, window: 1h, holds: worst_case}
"""
CASES = """\
version: 1
defaults: {tenant: acme, workload: w}
cases:
  - name: at the limit
    steps:
      - {call: {cost: 1 USD}, expect: {action: allow}}
  - name: one above
    steps:
      - {call: {cost: 1.000001 USD}, expect: {action: allow}}
"""
S = 1_000_000_000
HOUR = timedelta(hours=1)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(part) for part in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "policies.yaml").write_text(POLICY)
    return tmp_path / "policies.yaml"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    (tmp_path / "cases.yaml").write_text(CASES)
    return tmp_path / "cases.yaml"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as collector:
        yield collector


def test_a_file_is_checked_for_a_program_too(policy: Path) -> None:
    fine = run("policies", "check", policy, "--json")
    assert fine.exit_code == 0
    assert json.loads(fine.stdout)["ceilings"] == 1
    policy.write_text(POLICY.replace("1 USD", "1"))
    refused = run("policies", "check", policy, "--json")
    assert refused.exit_code == 1
    assert len(json.loads(refused.stdout)["errors"]) == 1


def test_the_schema_that_is_printed_is_the_one_that_is_kept() -> None:
    kept = Path(__file__).parents[2] / "policies" / "schema" / "policies.schema.json"
    assert run("policies", "schema").stdout == kept.read_text()


@pytest.mark.parametrize(
    ("tenant", "applies", "why_not"),
    [("acme", "yes", None), ("zenith", "no", "it is for tenant acme")],
)
def test_a_file_alone_says_which_ceilings_apply(
    policy: Path, tenant: str, applies: str, why_not: str | None
) -> None:
    named = ("--tenant", tenant, "--workload", "w")
    result = run("policies", "explain", policy, *named, "--json")
    (hour,) = json.loads(result.stdout)["ceilings"]
    assert (hour["ceiling"], hour["applies"], hour["why_not"]) == ("hour", applies == "yes", why_not)
    shown = run("policies", "explain", policy, *named).stdout.splitlines()
    assert shown[-1].split()[:2] == ["hour", applies]


def test_whose_calls_are_explained_is_to_be_said(policy: Path) -> None:
    result = run("policies", "explain", policy, "--tenant", "acme")
    assert (result.exit_code, "--tenant and --workload" in result.stderr) == (2, True)


def test_a_decision_is_explained_by_the_engine_that_made_it_and_by_no_file(policy: Path) -> None:
    result = run("policies", "explain", policy, "--decision", "d1-1")
    assert (result.exit_code, "leave the file out" in result.stderr) == (2, True)


def test_each_case_is_one_line_and_a_failing_one_is_exit_1(policy: Path, cases: Path) -> None:
    result = run("policies", "test", policy, cases)
    assert result.exit_code == 1
    first, second, last = result.stdout.splitlines()
    assert first == f"ok    {cases}:4: at the limit (1 step)"
    assert second.startswith(f"FAIL  {cases}:7: one above: line 9: action is deny (")
    assert last == "2 cases, 1 failed"


def test_the_cases_of_the_example_pass() -> None:
    example = Path(__file__).parents[2] / "examples" / "policies.yaml"
    result = run("policies", "test", example, example.with_suffix(".cases.yaml"))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "4 cases, none failed")


def test_cases_are_told_to_a_program(policy: Path, cases: Path) -> None:
    document = json.loads(run("policies", "test", policy, cases, "--json").stdout)
    assert [(case["name"], case["passed"]) for case in document["cases"]] == [
        ("at the limit", True),
        ("one above", False),
    ]
    (failure,) = document["cases"][1]["failures"]
    assert (failure["line"], failure["what"], failure["expected"]) == (9, "action", "allow")
    assert failure["at"] == "2026-01-01T00:00:00Z"


def test_cases_can_be_chosen_by_their_name(policy: Path, cases: Path) -> None:
    chosen = run("policies", "test", policy, cases, "--case", "at the")
    assert (chosen.exit_code, chosen.stdout.splitlines()[-1]) == (0, "1 case, none failed")
    assert run("policies", "test", policy, cases, "--case", "nobody").exit_code == 2


def test_a_case_file_with_an_error_is_told_with_its_place(policy: Path, cases: Path) -> None:
    cases.write_text(CASES.replace("action: allow", "actoin: allow", 1))
    result = run("policies", "test", policy, cases)
    assert result.exit_code == 1
    assert f"{cases}:6:" in result.stderr
    assert result.stdout == ""


def spent(number: int, second: float, task: str, cost_tokens: int, **attributes: Any) -> Any:
    """A call of gpt-4o-mini with so many tokens of output."""
    named = {
        "switchgear.workload": "w",
        "switchgear.task.id": task,
        "switchgear.task.root_id": task,
        "gen_ai.usage.input_tokens": 0,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "gen_ai.usage.output_tokens": cost_tokens,
        **attributes,
    }
    begin = BASE_NS + int(second * S)
    return llm_span(number, named, startTimeUnixNano=str(begin), endTimeUnixNano=str(begin + S))


def test_the_calls_of_a_collector_are_replayed(served: Served, policy: Path) -> None:
    # 100,000 tokens of gpt-4o-mini's output are 0.06 USD: the 17th of 20 would have passed 1 USD.
    served.send(request([spent(number, 10.0 * number, "t1", 100_000) for number in range(1, 21)]))
    begin = datetime.fromtimestamp(BASE_NS // S, UTC)
    range_ = ("--from", begin.isoformat(), "--to", (begin + HOUR).isoformat())
    result = run("policies", "backtest", policy, *range_, "--collector", served.url, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["calls"], found["recorded"]["amount"], found["currency"]) == (20, "1.2", "USD")
    (hour,) = found["files"][0]["policies"]
    assert (hour["breaches"], hour["highest"]) == (1, "1.2")
    assert hour["refused"]["calls"] >= 4
    assert (hour["breaches_left"], hour["largest_excess"]) == (0, "0")


def test_two_files_stand_side_by_side(policy: Path, tmp_path: Path) -> None:
    other, calls = tmp_path / "other.yaml", tmp_path / "calls.csv"
    other.write_text(POLICY.replace("1 USD", "9 USD"))
    rows = [f"2026-11-16T00:00:{second:02},acme,gpt-4o-mini,openai,100000,0.06,USD" for second in range(20)]
    calls.write_text("\n".join(["started_at,tenant,model,provider,output,cost,currency", *rows]))
    lines = run("policies", "backtest", policy, other, "--calls", calls).stdout.splitlines()
    assert "20 calls from 2026-11-16T00:00:00Z to 2026-11-16T00:00:19Z, 1.20 USD" in lines[0]
    judged = [line.split()[:3] for line in lines if line.startswith("hour")]
    assert judged[:2] == [["hour", "policies.yaml", "1"], ["hour", "other.yaml", "0"]]
    assert any(line.startswith(f"{other}: 1.20 of 1.20 USD would have been spent") for line in lines)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "name the range with --from and --to, or a file of calls with --calls"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "is not after"),
        (("--calls", "missing.csv"), "missing.csv"),
    ],
)
def test_calls_that_cannot_be_read_are_misuse(policy: Path, more: tuple[str, ...], says: str) -> None:
    result = run("policies", "backtest", policy, *more)
    assert (result.exit_code, says in result.stderr) == (2, True)


def test_a_shadow_is_reported_with_the_line_that_keeps_it_from_acting(policy: Path, tmp_path: Path) -> None:
    policy.write_text(POLICY.replace("holds: worst_case", "holds: worst_case, shadow: true"))
    calls = tmp_path / "calls.csv"
    rows = [f"2026-11-16T00:00:{second:02},acme,gpt-4o-mini,openai,100000,0.06,USD" for second in range(20)]
    calls.write_text("\n".join(["started_at,tenant,model,provider,output,cost,currency", *rows]))
    result = run("policies", "shadow-report", policy, "--calls", calls, "--json")
    assert result.exit_code == 1
    (shadow,) = json.loads(result.stdout)["shadows"]
    assert (shadow["policy"], shadow["would_act"], shadow["observed"]) == ("hour", True, None)
    assert shadow["to_enforce"] == {"place": f"{policy}:4", "remove": "shadow: true"}
    assert (
        f"`shadow: true` at {policy}:4" in run("policies", "shadow-report", policy, "--calls", calls).stdout
    )


def test_a_shadow_that_would_do_nothing_is_no_finding(policy: Path, tmp_path: Path) -> None:
    policy.write_text(POLICY.replace("holds: worst_case", "holds: worst_case, shadow: true"))
    calls = tmp_path / "calls.jsonl"
    one = {
        "started_at": "2026-11-16T00:00:00Z",
        "tenant": "acme",
        "output": 1000,
        "cost": "0.01",
        "currency": "USD",
    }
    calls.write_text(json.dumps(one))
    result = run("policies", "shadow-report", policy, "--calls", calls)
    assert (result.exit_code, "nothing would have changed" in result.stdout) == (0, True)
    policy.write_text(POLICY)
    assert "no ceiling is in shadow" in run("policies", "shadow-report", policy, "--calls", calls).stdout


def test_the_log_of_a_collector_says_what_shadows_recorded(served: Served, policy: Path) -> None:
    policy.write_text(POLICY.replace("holds: worst_case", "holds: worst_case, shadow: true"))
    served.send(request([spent(201, 7200.0, "t2", 1_000)]))
    at = datetime.fromtimestamp(BASE_NS // S + 7200, UTC)
    moved = {"id": "1", "at": at.isoformat(), "policy": "hour", "scope": {"tenant": "acme"}, "by": "engine"}
    amounts = dict.fromkeys(("spent", "held", "projected", "ceiling"), "1")
    line = (
        moved | amounts | {"from": "closed", "to": "open", "reason": "r", "currency": "USD", "shadow": True}
    )
    line |= {"prev_hash": "", "hash": "1"}
    beside = [line | {"id": to, "to": to} for to in ("warned", "overridden", "stopped", "runaway")]
    assert served.http.post("/v1/audit", json={"transitions": [line, *beside]}).is_success
    range_ = ("--from", at.isoformat(), "--to", (at + HOUR).isoformat())
    result = run("policies", "shadow-report", policy, *range_, "--collector", served.url, "--json")
    (shadow,) = json.loads(result.stdout)["shadows"]
    assert shadow["observed"] == {"opened": 1, "throttled": 0}


def test_top_shows_what_each_task_burns(served: Served) -> None:
    now_s = time.time() - BASE_NS / S
    spans = [spent(number, now_s - 5, "loops", 1_000_000) for number in range(101, 104)]
    spans += [spent(number, now_s - 5, "calm", 1_000) for number in range(104, 106)]
    spans.append(
        spent(106, now_s - 5, "child", 100_000, **{"switchgear.task.root_id": "loops"}),
    )
    served.send(request(spans))
    nowhere = ("--policies", "http://127.0.0.1:9")
    result = run("top", "--once", "--json", "--collector", served.url, *nowhere)
    assert result.exit_code == 0, result.output
    loops, calm = json.loads(result.stdout)["tasks"]
    # 3 x 0.60 USD and 0.06 USD of a sub-agent, in 5 minutes.
    assert (loops["task"], loops["cost"], loops["per_minute"]) == ("loops", "1.86", "0.372")
    assert (loops["calls"], loops["agents"], loops["ceilings"]) == (4, 2, None)
    assert (calm["task"], calm["calls"]) == ("calm", 2)
    shown = run("top", "--once", "--collector", served.url, *nowhere).stdout
    assert "the engine does not answer" in shown


def test_top_looks_again_and_again_until_it_is_interrupted(served: Served, tmp_path: Path) -> None:
    arguments = ("top", "--json", "--every", "1s", "--window", "1h", "--collector", served.url)
    with starting(tmp_path) as start:
        looking = start(*arguments, "--policies", "http://127.0.0.1:9")
        assert looking.stdout is not None
        looks = [json.loads(looking.stdout.readline()) for _ in range(2)]
        looking.send_signal(signal.SIGINT)
        assert looking.wait(timeout=15) == 0
    assert looks[0]["at"] < looks[1]["at"]
    assert looks[0]["window_s"] == 3600


def test_top_says_in_one_line_where_nothing_answers() -> None:
    result = run("top", "--once", "--collector", "http://127.0.0.1:9")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, "no collector answers at http://127.0.0.1:9" in line) == (1, True)
