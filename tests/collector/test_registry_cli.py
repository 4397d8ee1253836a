"""`switchgear registry`, `plan` and `revenue`: files in and out, what they change, and who may."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from otlp_samples import Served, llm_span, request
from typer.testing import CliRunner

from analytics import registry
from analytics.reports import REPORTS
from cli.main import app

HEADER = "tenant,workload,owner,cost_centre,from,to\n"
Run = Callable[..., Result]


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A collector to which the policy file has said who owns acme / nightly, with a call of that and one of bot."""
    running = serve(registry=registry, reports=REPORTS)
    line = {"tenant": "acme", "workload": "nightly", "owner": "ann", "cost_centre": "CC-1"}
    running.http.put("/v1/registry", json={"workloads": [line]}).raise_for_status()
    running.send(
        request([llm_span(n, {"switchgear.workload": name}) for n, name in ((1, "nightly"), (2, "bot"))])
    )
    return running


@pytest.fixture
def run(served: Served, tmp_path: Path) -> Iterator[Run]:
    def asked(verb: str, *more: str, text: str | None = None) -> Result:
        files = []
        if text is not None:
            (tmp_path / "f.csv").write_text(text, encoding="utf-8")
            files = [str(tmp_path / "f.csv")]
        return CliRunner().invoke(app, [*verb.split(), *files, *more, "--collector", served.url])

    return asked


def imported(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.http.get("/v1/registry?source=imported").json()
    return found


def test_an_import_shows_what_moves_and_stores_it_beside_what_the_policy_file_says(
    served: Served, run: Run
) -> None:
    first = run("registry import", text=HEADER + "acme,bot,docs,CC-2,,\n")
    assert first.exit_code == 0
    assert first.stdout.splitlines()[-1] == "1 added"
    told = run("registry import", "--json", text=HEADER + "acme,bot,legal,CC-2,2026-11-16,\n")
    was, now = (
        {"tenant": "acme", "workload": "bot", "owner": owner, "cost_centre": "CC-2", **days}
        for owner, days in (("docs", {"to": "2026-11-16"}), ("legal", {"from": "2026-11-16"}))
    )
    changed = {"kind": "workloads", "what": "moved", "was": was, "now": now}
    assert json.loads(told.stdout)["changes"] == [changed]
    assert imported(served)["workloads"] == [was, now]
    assert served.rows("SELECT workload, owner FROM calls ORDER BY ALL") == [
        ["bot", "legal"],
        ["nightly", "ann"],
    ]
    again = run("registry import", text=HEADER + "acme,bot,legal,CC-2,2026-11-16,\n")
    assert (again.exit_code, again.stdout) == (0, "Nothing changes\n")


def test_a_dry_run_shows_the_same_and_stores_nothing(served: Served, run: Run) -> None:
    result = run("registry import", "--dry-run", text=HEADER + "acme,bot,docs,CC-2,,\n")
    assert result.exit_code == 0
    assert "1 added; nothing is written" in result.stdout
    assert imported(served)["workloads"] == []


def test_a_file_with_a_wrong_line_is_told_in_full_and_nothing_of_it_is_taken(
    served: Served, run: Run
) -> None:
    text = HEADER + "acme,bot,docs,CC-2,,\nacme,,docs,,,\nacme,x,docs,,16.11.2026,\n"
    result = run("registry import", text=text)
    assert result.exit_code == 2
    assert "f.csv:3: workload: None is no name" in result.stderr
    assert "f.csv:4: from: '16.11.2026' is no date" in result.stderr
    assert imported(served)["workloads"] == []


def test_a_template_of_what_is_unowned_is_filled_in_and_imported(served: Served, run: Run) -> None:
    template = run("registry export", "--unowned").stdout
    header, row = template.splitlines()
    assert header == "tenant,workload,owner,cost_centre,from,to,calls,cost,currency,first_seen,last_seen"
    assert row.startswith("acme,bot,,,,,")
    unfilled = run("registry import", text=template)
    assert "left out that name neither owner nor cost centre: 1" in unfilled.stderr
    run("registry import", text=template.replace("acme,bot,,,", "acme,bot,docs,CC-2,"))
    assert served.rows("SELECT workload, owner FROM calls ORDER BY ALL") == [
        ["bot", "docs"],
        ["nightly", "ann"],
    ]
    assert run("registry export", "--unowned").stdout.splitlines() == [header]


def test_an_export_is_imported_without_a_change_and_leaves_the_policy_file_its_lines(
    served: Served, run: Run
) -> None:
    run("registry import", text=HEADER + "acme,bot,=docs,CC-2,2026-11-16,2026-12-01\n")
    exported = run("registry export").stdout
    assert exported.splitlines()[1:] == [
        "acme,bot,'=docs,CC-2,2026-11-16,2026-12-01,imported",
        "acme,nightly,ann,CC-1,,,policies",
    ]
    result = run("registry import", "--replace", text=exported)
    assert (result.exit_code, result.stdout) == (0, "Nothing changes\n")
    assert "lines left to the policy file (column source): 1" in result.stderr


@pytest.mark.parametrize(
    ("group", "header", "line"),
    [
        ("plan", "cost_centre,month,amount,currency", "CC-1,2026-11,1200.5,USD"),
        ("revenue", "tenant,month,amount,currency", "acme,2026-11,9000,USD"),
    ],
)
def test_plans_and_revenue_have_verbs_of_their_own(run: Run, group: str, header: str, line: str) -> None:
    text = f"{header}\n{line}\n"
    assert run(f"{group} import", text=text).exit_code == 0
    lines = [each.removesuffix(",imported") for each in run(f"{group} export").stdout.splitlines()]
    assert lines == [header + ",source" * (group == "plan"), line]
    # `registry import` takes every kind, and each verb only its own.
    assert run("registry import", text=text).stdout == "Nothing changes\n"
    refused = run(f"{group} import", text=HEADER)
    assert (refused.exit_code, "write the header " + header in refused.stderr) == (2, True)


def test_who_approves_and_the_zone_of_days_are_imported_too(served: Served, run: Run) -> None:
    text = "cost_centre,approver,from,to\nCC-1,zoe,,\n"
    result = run("registry import", "--zone", "Europe/Berlin", text=text)
    assert "days are of Europe/Berlin now, and were of UTC" in result.stdout
    assert run("registry export", "--cost-centres").stdout == text
    assert imported(served)["zone"] == "Europe/Berlin"
    refused = run("registry import", "--zone", "Berlin", text=text)
    assert (refused.exit_code, "'Berlin' is no time zone" in refused.stderr) == (2, True)


def test_an_import_takes_a_key_of_finance_and_a_state_that_nobody_changed_meanwhile(served: Served) -> None:
    document = {"source": "imported", "workloads": []}
    tag = served.http.get("/v1/registry?source=imported").headers["ETag"]
    line = {"tenant": "acme", "workload": "bot", "owner": "docs", "cost_centre": None}
    first = {**document, "workloads": [line]}
    assert served.http.put("/v1/registry", json=first, headers={"If-Match": tag}).status_code == 200
    late = served.http.put("/v1/registry", json=document, headers={"If-Match": tag})
    assert (late.status_code, "changed the registry meanwhile" in late.json()["detail"]) == (412, True)
    assert imported(served)["workloads"] == [line]
