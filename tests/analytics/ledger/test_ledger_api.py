"""The ledger over HTTP: who may do what, what is answered, and the same from the command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pytest
from fake_billing import ADMIN_KEY, fake_billing
from ledgers import OWNED
from otlp_samples import Served, llm_span, request

from analytics import registry
from analytics.ledger import api
from analytics.ledger.live import LiveLines
from analytics.ledger.settings import Chargeback, load
from analytics.live import Followed, LivePrices
from cli import ledger, reconcile
from cli.invoices import KEYS as ADMIN_KEYS
from collector.keys.keyring import FILE_NAME as KEYS
from collector.keys.keyring import Keyring

NOW = datetime(2026, 12, 5, tzinfo=UTC)


class Books(Served):
    """A collector with the ledger's routes in December: November is over."""

    def __init__(self, data: Path, **options: Any) -> None:
        self.data = data
        prices = LivePrices()
        lines = LiveLines(prices, Followed("chargeback", None, load), lambda: NOW)
        extension = api.extension(lines.of_period, Chargeback, "test")
        usual = {"price": prices.quote, "registry": registry, "extensions": [extension], "now": lambda: NOW}
        super().__init__(data, **usual, **options)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """With three calls of November and one of an unpriced model, and a key in place of none."""
    with Books(tmp_path_factory.mktemp("ledger") / "data", api_key="root-key") as running:
        running.http.headers["Authorization"] = "Bearer root-key"
        assert running.http.put("/v1/registry", json=OWNED).status_code == 200
        spans = [of("acme", "writer", 1), of("acme", "writer", 2), of("globex", "bot", 3)]
        running.send(request([*spans, of("globex", "bot", 4, model="never-heard-of")]))
        yield running


def of(tenant: str, workload: str, number: int, model: str = "gpt-4o-mini") -> Any:
    named = {"switchgear.tenant": tenant, "switchgear.workload": workload}
    return llm_span(number, {**named, "gen_ai.request.model": model, "gen_ai.response.model": model})


@pytest.fixture(scope="module")
def keys(served: Books) -> Iterator[dict[str, httpx.Client]]:
    """Clients by what their keys are for."""
    ring = Keyring(served.data / KEYS)
    made = {
        "all": ring.create(["*"], ["finance"], now=NOW),
        "other": ring.create(["*"], ["finance"], now=NOW),
        "acme": ring.create(["acme"], ["finance"], now=NOW),
        "reader": ring.create(["*"], ["read"], now=NOW),
    }
    served.app.access.refresh()
    clients = {
        name: served.client(headers={"Authorization": f"Bearer {secret}"})
        for name, (_, secret) in made.items()
    }
    yield clients
    for each in clients.values():
        each.close()


@pytest.fixture(scope="module")
def closed(served: Books) -> dict[str, Any]:
    """November, closed by the installation's own key."""
    body = {"by": "Ann", "accept": [{"code": "unpriced", "reason": "the price comes"}]}
    answer = served.http.post("/v1/ledger/periods/2026-11/close", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


def test_a_check_tells_blockers_and_totals_and_changes_nothing(served: Books) -> None:
    found = served.http.get("/v1/ledger/periods/2026-10/check").json()
    assert (found["closed"], found["lines"], found["blockers"]) == (None, 0, [])
    status, detail = problem(served.http.post("/v1/ledger/periods/2026-12/close", json={}))
    assert (status, detail.split(":")[0]) == (409, "2026-12 stays open")
    assert problem(served.http.get("/v1/ledger/periods/october/check"))[0] == 422


def test_a_close_is_answered_with_what_it_froze_and_again_with_the_same(
    served: Books, closed: dict[str, Any]
) -> None:
    assert (closed["already"], closed["closed_by"]) == (False, "Ann (root)")
    assert [each["calls"] for each in closed["totals"]] == [3, 1]
    again = served.http.post("/v1/ledger/periods/2026-11/close", json={}).json()
    assert again == {**closed, "already": True}
    found = served.http.get("/v1/ledger/periods").json()
    assert ([each["period"] for each in found["closed"]], found["open"]) == (["2026-11"], "2026-12")
    assert served.http.get("/v1/ledger/verify").json()["findings"] == []
    head = served.http.get("/v1/ledger/head").json()
    noted = served.http.get("/v1/ledger/verify", params={"anchor": head["anchor"]}).json()
    assert (noted["anchors"], noted["findings"]) == (2, [])
    assert problem(served.http.get("/v1/ledger/verify", params={"anchor": "12"}))[0] == 422
    assert served.http.get("/v1/ledger/progress").json() == {"under_way": None}


ROUTES = [
    ("GET", "head"),
    ("GET", "periods"),
    ("GET", "periods/2026-11/check"),
    ("POST", "periods/2026-11/close"),
    ("GET", "corrections"),
    ("POST", "corrections"),
    ("GET", "drafts"),
    ("POST", "drafts"),
    ("POST", "drafts/x/approve"),
    ("POST", "drafts/x/refuse"),
    ("GET", "journal?period=2026-11"),
    ("GET", "verify"),
    ("GET", "progress"),
    ("PUT", "../invoices"),
    ("GET", "../invoices"),
    ("GET", "../reconciliations?period=2026-11"),
    ("POST", "../reconciliations/2026-11/book"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda value: value)
def test_what_is_of_the_whole_takes_a_finance_key_for_every_tenant(
    keys: dict[str, httpx.Client], method: str, path: str
) -> None:
    for name in ("acme", "reader"):
        assert keys[name].request(method, f"/v1/ledger/{path}", json={}).status_code == 403
    assert keys["all"].request(method, f"/v1/ledger/{path}", json={}).status_code not in (401, 403)


def test_entries_are_cut_to_the_keys_tenants(keys: dict[str, httpx.Client], closed: dict[str, Any]) -> None:
    found = keys["acme"].get("/v1/ledger/entries").json()["entries"]
    assert {each["tenant"] for each in found} == {"acme"}
    assert keys["reader"].get("/v1/ledger/entries").status_code == 403
    answer = keys["acme"].get("/v1/ledger/entries", params={"format": "arrow"})
    assert set(pa.ipc.open_stream(answer.content).read_all()["tenant"].to_pylist()) == {"acme"}


def test_entries_come_in_pages_and_as_a_stream_of_arrow(served: Books, closed: dict[str, Any]) -> None:
    first = served.http.get("/v1/ledger/entries", params={"limit": 1, "period": "2026-11"}).json()
    assert ([each["seq"] for each in first["entries"]], first["next"]) == ([1], 1)
    rest = served.http.get("/v1/ledger/entries", params={"after": 1, "period": "2026-11"}).json()
    assert ([each["seq"] for each in rest["entries"]], rest["next"]) == (
        [*range(2, closed["last_seq"] + 1)],
        None,
    )
    stream = served.http.get("/v1/ledger/entries", params={"format": "arrow", "period": "2026-11"}).content
    table = pa.ipc.open_stream(stream).read_all()
    assert table["hash"].to_pylist()[-1] == closed["root_hash"]
    known = [Decimal(each["amount"]) for each in [*first["entries"], *rest["entries"]] if each["amount"]]
    assert sum(known) == Decimal(closed["totals"][0]["amount"])


def test_the_journal_is_the_file_of_the_close(served: Books, closed: dict[str, Any]) -> None:
    answer = served.http.get("/v1/ledger/journal", params={"period": "2026-11"})
    assert answer.content == (served.data / "ledger" / "2026-11" / "journal.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0) for row in rows) == 0
    assert problem(served.http.get("/v1/ledger/journal", params={"period": "2026-12"}))[0] == 409


CREDIT = {
    "kind": "credit",
    "amount": "-1.50",
    "currency": "USD",
    "day": "2026-11-20",
    "reason": "goodwill",
    "cost_centre": "CC-1",
}


def test_a_credit_takes_two_keys_and_comes_once_under_its_idempotency_key(
    keys: dict[str, httpx.Client], closed: dict[str, Any]
) -> None:
    once = {"Idempotency-Key": "credit-1"}
    first = keys["all"].post("/v1/ledger/drafts", json=CREDIT, headers=once).json()
    again = keys["all"].post("/v1/ledger/drafts", json=CREDIT, headers=once).json()
    assert first == again
    path = f"/v1/ledger/drafts/{first['id']}/approve"
    assert problem(keys["all"].post(path, json={}))[0] == 403
    assert keys["other"].post(path, json={}).json()["state"] == "approved"
    found = keys["all"].get("/v1/ledger/entries", params={"period": "2026-12"}).json()["entries"]
    assert [(each["kind"], each["amount"], each["day"]) for each in found] == [
        ("credit", "-1.5", "2026-11-20")
    ]
    assert problem(keys["all"].post("/v1/ledger/drafts", json={**CREDIT, "amount": "0"}))[0] == 422
    assert problem(keys["all"].post("/v1/ledger/drafts", json={**CREDIT, "sum": "1"}))[0] == 422


def test_corrections_are_shown_before_they_are_posted(served: Books, closed: dict[str, Any]) -> None:
    served.send(request([of("acme", "writer", 50)]))
    shown = served.http.get("/v1/ledger/corrections").json()
    assert (shown["period"], shown["lines"], shown["posted"]) == ("2026-12", 1, None)
    assert shown["shown"][0]["calls"] == 1
    posted = served.http.post("/v1/ledger/corrections", json={}).json()
    assert posted["posted"]["seq"] > closed["last_seq"]
    assert served.http.get("/v1/ledger/corrections").json()["lines"] == 0
    assert served.http.get("/v1/ledger/verify").json()["findings"] == []


def test_the_command_line_says_the_same(
    served: Books, closed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(verb: str, *, as_json: bool = False) -> Any:
        return ledger.asked(verb, served.url, "root-key", as_json=as_json)

    assert ledger.status(ask("status")) == 0
    assert ledger.close(ask("close"), "2026-11", accept=[], reason=None, by=None) == 0
    assert ledger.check(ask("close"), "2026-12") == 1
    assert ledger.verify(ask("verify"), []) == 0
    assert ledger.verify(ask("verify"), [f"1:{'0' * 64}"]) == 1
    assert ledger.drafts(ask("drafts"), None) == 0
    assert ledger.journal(ask("journal"), "2026-12", None) == 1
    assert ledger.prepare(ask("credit"), "credit", "much", {"day": "2026-11-20"}) == 2
    assert ledger.close(ask("close"), "2026-12", accept=["wait"], reason=None, by=None) == 2
    out = capsys.readouterr()
    assert "2026-11 is closed already, since 2026-12-05T00:00:00Z, by Ann (root)" in out.out
    assert "[blocks] not_over: 2026-12 ends at 2027-01-01 00:00 UTC" in out.out
    assert "Nothing was changed: " in out.out
    assert "anchor: entry 1 has the hash " in out.out
    assert "2026-12 is open: its journal is made by its close" in out.err
    assert ledger.status(ask("status", as_json=True)) == 0
    assert orjson.loads(capsys.readouterr().out)["open"] == "2026-12"


def test_a_statement_is_compared_and_booked_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "invoice.csv", tmp_path / "letter.txt"
    file.write_text("day,kind,amount,currency,provider\n2026-11-24,other,5.00,USD,openai\n")
    other.write_text("Dear customer")
    with Books(tmp_path / "data") as running:

        def run(*files: Path, book: bool = False, as_json: bool = False) -> int:
            options: dict[str, Any] = {"provider": None, "account": None, "by": None, "api_key": None}
            return reconcile.run(
                files, month="2026-11", book=book, collector=running.url, as_json=as_json, **options
            )

        running.send(request([of("acme", "writer", 1)]))
        assert run(other) == 2
        assert run(file) == 1
        assert "there; gap " in capsys.readouterr().out
        assert run(book=True) == 0
        assert run(file, book=True) == 0
        assert "There is nothing to book." in capsys.readouterr().out
        assert run(as_json=True) == 0
        (found,) = orjson.loads(capsys.readouterr().out)["providers"]
        assert Decimal(found["booked"]) == Decimal(found["gap"])
        assert running.http.get("/v1/invoices").json()["invoices"][0]["first_day"] == "2026-11-01"
        assert running.http.get("/v1/ledger/periods/2026-11/check").json()["blockers"][0]["code"] == "unowned"


def test_what_no_ledger_holds_is_refused_before_it_is_kept(served: Books) -> None:
    """An amount that could not be booked, and a day of which there is no period to approve it in."""
    line = {"day": "2026-11-03", "kind": "input", "amount": "1e17"}
    statement = {
        "provider": "openai",
        "source": "a.csv",
        "sha256": "0" * 64,
        "currency": "USD",
        "shape": "table",
        "first_day": "2026-11-03",
        "last_day": "2026-11-03",
        "lines": [line],
    }
    status, detail = problem(served.http.put("/v1/invoices", json={"invoices": [statement]}))
    assert (status, "no more than 16 digits before the decimal point" in detail) == (422, True)
    status, detail = problem(served.http.post("/v1/ledger/drafts", json={**CREDIT, "day": "0001-01-01"}))
    assert (status, detail.split(";")[0]) == (422, '"0001-01" is no period')


def test_statements_are_fetched_from_both_providers_and_kept_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "statements"
    with Books(tmp_path / "data") as running, fake_billing() as billing:
        day = date(2026, 11, 24)
        openai = (
            '{"object":"organization.costs.result","amount":{"value":0.30000000000000004,"currency":"usd"},'
            '"line_item":"gpt-4o-mini, input","project_id":null}'
        )
        anthropic = (
            '{"amount":"123.45","currency":"USD","cost_type":"tokens","description":"Input","workspace_id":null,'
            '"model":"claude-sonnet-4","token_type":"uncached_input_tokens","service_tier":"standard"}'
        )
        billing.results = {("openai", "costs"): {day: [openai]}, ("anthropic", "costs"): {day: [anthropic]}}
        addresses = dict.fromkeys(ADMIN_KEYS, billing.url)

        def run(*fetch: str, month: str = "2026-11", today: date = date(2026, 12, 5)) -> int:
            options: dict[str, Any] = {"provider": None, "account": None, "by": None, "api_key": None}
            return reconcile.run(
                [],
                month=month,
                book=False,
                collector=running.url,
                as_json=True,
                **options,
                fetch=fetch,
                keep=kept,
                today=today,
                addresses=addresses,
            )

        monkeypatch.setenv("OPENAI_ADMIN_KEY", ADMIN_KEY)
        monkeypatch.delenv("ANTHROPIC_ADMIN_KEY", raising=False)
        assert run("openai", "anthropic") == 2
        assert "ANTHROPIC_ADMIN_KEY is not set" in capsys.readouterr().err
        assert run("mistral") == 2
        assert run("openai", month="2026-12", today=date(2026, 12, 1)) == 2
        assert billing.asked == []
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN_KEY)
        assert run("openai", "anthropic", "openai") == 1
        found = orjson.loads(capsys.readouterr().out)["providers"]
        # 0.30000000000000004 to twelve places; 123.45 cents
        assert {each["provider"]: each["theirs"] for each in found} == {
            "anthropic": "1.2345",
            "openai": "0.3",
        }
        assert {
            (each["first_day"], each["last_day"])
            for each in running.http.get("/v1/invoices").json()["invoices"]
        } == {("2026-11-01", "2026-11-30")}
    names = ["anthropic-costs-2026-11-01-2026-11-30.json", "openai-costs-2026-11-01-2026-11-30.json"]
    assert sorted(each.name for each in kept.iterdir()) == names
    assert b"0.30000000000000004" in (kept / names[1]).read_bytes()


def test_a_folder_is_verified_once_its_collector_has_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Books(tmp_path / "data") as running:
        running.send(request([of("acme", "writer", 1)]))
        body = {"accept": [{"code": "unowned", "reason": "later"}]}
        assert running.http.post("/v1/ledger/periods/2026-11/close", json=body).status_code == 200
    assert ledger.verify_folder(tmp_path / "data", [], as_json=False) == 0
    (tmp_path / "data" / "ledger" / "HEAD.json").unlink()
    assert ledger.verify_folder(tmp_path / "data", [], as_json=False) == 1
    assert ledger.verify_folder(tmp_path / "nothing", [], as_json=False) == 2
    assert ledger.verify_folder(tmp_path / "data", ["1"], as_json=False) == 2
    assert "HEAD.json is missing" in capsys.readouterr().out
