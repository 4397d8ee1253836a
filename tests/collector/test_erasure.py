"""Erasure: a tenant's details are gone, with every byte of its name; its amounts stay in every report."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from otlp_samples import BASE_NS, Served, llm_span, request, task_end
from stores import rows

from analytics import registry
from analytics.reports import REPORTS
from cli.tenants import delete_details
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts.journal import FOLDER, Journal
from collector.facts.store import FILE_NAME, Store
from collector.ingest.limits import Limits

Serve = Callable[..., Served]
NAME = "very-secret-customer"
NOW = datetime.fromtimestamp(BASE_NS / 1e9, UTC) + timedelta(hours=1)
OPTIONS = {"reports": REPORTS, "registry": registry, "limits": Limits(), "now": lambda: NOW}
WHOLE = {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
ASKED: list[tuple[str, dict[str, str]]] = [
    ("spend", {}),
    ("spend", {"by": "owner"}),
    ("spend", {"by": "cost_centre"}),
    ("spend", {"by": "provider,tier,state,day"}),
    ("coverage", {}),
    ("timeline", {"by": "owner", "bucket": "hour"}),
    ("answer_cache", {}),
    ("answer_cache", {"by": "owner,day"}),
]


@pytest.fixture
def served(serve: Serve) -> Served:
    """A collector with the secret customer's calls among those of others, of every kind that leaves a row."""
    return filled(serve(**OPTIONS))


def filled(served: Served) -> Served:
    workloads = [
        {"tenant": NAME, "workload": f"{NAME}-bot", "owner": "care", "cost_centre": "CC-1"},
        {"tenant": "acme", "workload": "writer", "owner": "docs", "cost_centre": "CC-2"},
    ]
    assert served.http.put("/v1/registry", json={"workloads": workloads}).status_code == 200
    for number in range(1, 7):
        served.send(request([of(NAME, number), of("acme", number + 100)]))
    served.send(request([of(NAME, 1, {"gen_ai.usage.output_tokens": 99})]))  # a conflict
    served.send(
        request(
            [of(NAME, 7, {"gen_ai.response.id": "chatcmpl-00000001"}, scope="other", parentSpanId=span_id(1))]
        )
    )
    served.send(request([of(NAME, 8, startTimeUnixNano="1000")]))  # quarantined
    served.send(request([of(NAME, 9, {"gen_ai.operation.name": "invoke_agent"})]))  # not billed
    served.send(request([of(NAME, 12, {"switchgear.cache": "exact"})]))  # an answer out of a cache
    ours = {"switchgear.tenant": NAME, "switchgear.task.id": f"{NAME}/1", "switchgear.task.root_id": None}
    served.send(request([task_end(10, ours)]))
    scope = {"tenant": NAME}
    transition = {
        "id": "1",
        "at": "2026-11-24T12:00:00Z",
        "policy": "p",
        "scope": scope,
        "from": "closed",
        "to": "open",
    }
    assert served.http.post("/v1/audit", json={"transitions": [transition]}).status_code == 200
    return served


def of(tenant: str, number: int, attributes: dict[str, Any] | None = None, **fields: Any) -> Any:
    workload = "writer" if tenant == "acme" else f"{tenant}-bot"
    named = {
        "switchgear.tenant": tenant,
        "switchgear.workload": workload,
        "switchgear.task.id": f"{tenant}/{number % 3}",
        "switchgear.tier": "batch",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18" if number % 2 else f"ft:gpt-4o-mini:{tenant}::a1",
    }
    return llm_span(number, {**named, **(attributes or {})}, **fields)


def span_id(number: int) -> str:
    return f"{number:016x}"


def answers(served: Served) -> list[Any]:
    found = []
    for name, params in ASKED:
        answer = served.http.get(f"/v1/reports/{name}", params={**WHOLE, **params})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["rows"])
    return found


def erase(served: Served, tenant: str = NAME) -> dict[str, Any]:
    answer = served.http.delete(f"/v1/tenants/{tenant}/details", params={"reason": "they left"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def left(data: Path, name: str) -> list[str]:
    """Wherever the name still stands: in the bytes of a file, in a fact of the journal, in a value of a table."""
    files = [path for path in data.rglob("*") if path.is_file()]
    found = [str(path.relative_to(data)) for path in files if name.encode() in path.read_bytes()]
    journal = Journal(data)
    begins = min(int(path.stem) for path in (data / FOLDER).iterdir())
    facts = journal.entries(begins - 1)
    found += [f"fact {entry.first}" for entry in facts if name.encode() in entry.payload]
    journal.close()
    with duckdb.connect(str(data / FILE_NAME), read_only=True) as con:
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            count = f"SELECT count(*) FROM {table} AS row WHERE contains(row::VARCHAR, $1)"
            found += [table] if con.execute(count, [name]).fetchall() != [(0,)] else []
    return found


def test_no_byte_of_the_name_is_left_in_the_folder(served: Served, tmp_path: Path) -> None:
    erased = erase(served)
    served.send(request([of("acme", 300)]))
    served.stop()
    assert left(tmp_path / "data", NAME) == []
    assert left(tmp_path / "data", "acme") != []
    assert (erased["copies"], erased["named_in"]) == ([], [])


TOTALS = "SELECT sum(calls), sum(cost)::VARCHAR FROM rollup_hours WHERE tenant = $1"


@dataclass(frozen=True)
class Erased:
    """A collector after the erasure, what it answered before and the record; for tests that leave it so."""

    served: Served
    answers: list[Any]
    totals: list[list[Any]]
    record: dict[str, Any]


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erased]:
    with Served(tmp_path_factory.mktemp("erased"), **OPTIONS) as served:
        filled(served)
        before = answers(served), served.rows(TOTALS, [NAME])
        yield Erased(served, *before, erase(served)["deletion"])


def test_every_report_says_what_it_said_before(erased: Erased) -> None:
    assert answers(erased.served) == erased.answers
    assert erased.served.rows("SELECT count(*) FROM calls WHERE tenant <> 'acme'") == [[0]]


def test_the_amounts_stand_under_one_pseudonym(erased: Erased) -> None:
    pseudonym = erased.record["tenant"]
    assert pseudonym.startswith("deleted-")
    assert erased.served.rows(TOTALS, [pseudonym]) == erased.totals
    kept = "SELECT DISTINCT owner, details FROM rollup_hours WHERE tenant = $1"
    assert erased.served.rows(kept, [pseudonym]) == [["care", False]]


def test_a_deletion_is_recorded_with_who_why_how_many_and_how_much(erased: Erased) -> None:
    record = erased.record
    assert (record["by"], record["reason"]) == ("keyless", "they left")
    assert record["rows"] == {
        "booked": 6,
        "served": 1,
        "members": 2,
        "conflicts": 1,
        "task_ends": 1,
        "quarantine": 1,
        "not_billed": record["rows"]["not_billed"],
        "not_billed_counts": record["rows"]["not_billed_counts"],
        "retractions": 0,
        "audit": 1,
        "rollup_tasks_base": 3,
        "adjusted": 0,
        "registry_workloads": 1,
        "registry_revenue": 0,
    }
    cost = "SELECT sum(cost)::VARCHAR FROM rollup_hours WHERE tenant = $1"
    assert [[record["amounts"]["USD"]]] != [[None]]
    assert float(record["amounts"]["USD"]) == float(erased.served.rows(cost, [record["tenant"]])[0][0])


def test_what_was_deleted_is_not_booked_again_when_it_is_sent_again(erased: Erased) -> None:
    answer = erased.served.send(request([of(NAME, 2), of("acme", 102)])).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1"
    assert "were deleted" in answer["partialSuccess"]["errorMessage"]
    assert erased.served.rows("SELECT count(*) FROM calls") == [[6]]


def test_a_restart_still_knows_what_was_deleted(serve: Serve, served: Served) -> None:
    pseudonym = erase(served)["deletion"]["tenant"]
    served.stop()
    again = serve(**OPTIONS)
    assert again.send(request([of(NAME, 2)])).json()["partialSuccess"]["rejectedSpans"] == "1"
    assert erase(again)["deletion"]["tenant"] == pseudonym


def test_facts_of_others_that_come_meanwhile_are_all_booked(served: Served, tmp_path: Path) -> None:
    sent: list[int] = []
    stop = threading.Event()

    def send() -> None:
        for number in range(1000, 2000):
            if stop.is_set():
                return
            if served.send(request([of("acme", number)])).status_code == 200:
                sent.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    erase(served)
    erase(served)
    stop.set()
    sender.join()
    assert sent
    assert served.rows("SELECT count(*) FROM calls WHERE trace_id >= $1", [f"{1000:032x}"]) == [[len(sent)]]
    served.stop()
    assert left(tmp_path / "data", NAME) == []


def test_a_tenant_of_whom_there_is_nothing_is_404(served: Served) -> None:
    for tenant in ("nobody", "unattributed", "deleted-00000000"):
        answer = served.http.delete(f"/v1/tenants/{tenant}/details", params={"reason": "none"})
        assert answer.status_code == 404, answer.text
    assert served.rows("SELECT count(*) FROM calls WHERE tenant = $1", [NAME]) == [[6]]


def test_a_tenant_of_whom_retention_left_sums_alone_is_erased_too(serve: Serve, tmp_path: Path) -> None:
    first = serve(**OPTIONS)
    first.send(request([of(NAME, 1), of("acme", 2)]))
    first.stop()
    with closing(Store(tmp_path / "data")) as store:
        years = NOW + timedelta(days=800)
        sweep = Sweep(store, Retention(), Horizon(store), now=lambda: years)
        while rows(store, "SELECT count(*) FROM booked") != [(0,)]:
            sweep()
    served = serve(**OPTIONS)
    pseudonym = erase(served)["deletion"]["tenant"]
    found = served.rows("SELECT tenant, sum(calls) FROM rollup_hours GROUP BY ALL ORDER BY ALL")
    assert found == [["acme", 1], [pseudonym, 1]]
    # It is nobody's name: who asks for it again is told so.
    answer = served.http.delete(f"/v1/tenants/{pseudonym}/details", params={"reason": "twice"})
    assert answer.status_code == 404
    served.stop()
    assert left(tmp_path / "data", NAME) == []


def test_it_says_which_copies_still_hold_what_was_deleted(served: Served, tmp_path: Path) -> None:
    assert served.http.post("/v1/backups").status_code == 200
    (tmp_path / "data" / "note.txt").write_text(f"{NAME} called")
    erased = erase(served)
    assert [copy.partition("/")[0] for copy in erased["copies"]] == ["backups"]
    assert erased["named_in"] == ["note.txt"]


def test_what_was_interrupted_goes_on_when_it_is_asked_for_again(served: Served, tmp_path: Path) -> None:
    in_the_way = tmp_path / "data" / f"{FILE_NAME}.fresh"
    in_the_way.mkdir()
    answer = served.http.delete(f"/v1/tenants/{NAME}/details", params={"reason": "they left"})
    assert (answer.status_code, str(in_the_way) in answer.text) == (503, True)
    in_the_way.rmdir()
    assert erase(served)["deletion"]["rows"]["booked"] == 0
    served.stop()
    assert left(tmp_path / "data", NAME) == []


def test_the_command_says_what_went_and_what_stays(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "note.txt").write_text(NAME)
    asked = {"reason": "they left", "collector": served.url, "api_key": None, "as_json": False}
    assert delete_details(NAME, sure=False, **asked) == 2
    assert "say --yes" in capsys.readouterr().err
    assert delete_details(NAME, sure=True, **asked) == 0
    said = capsys.readouterr()
    assert re.fullmatch(r"6 calls deleted; 0\.\d+ USD stays as deleted-[0-9a-f]{8}\n", said.out)
    assert said.err == "switchgear: note.txt still names the tenant\n"
    assert delete_details("nobody", sure=True, **asked) == 2
    assert "there is nothing of a tenant 'nobody'" in capsys.readouterr().err


def test_a_reason_is_asked_for(served: Served) -> None:
    assert served.http.delete(f"/v1/tenants/{NAME}/details").status_code == 422
