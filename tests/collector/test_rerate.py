"""A rerate shows what calls would cost by another book and writes just that as adjustments; what was booked stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from otlp_samples import BASE_NS, Served, llm_span, request
from repricing import EVER, Book, preview, rerate
from stores import book as book_calls
from waiting import until

from analytics import registry
from analytics.live import LivePrices
from analytics.reports import REPORTS
from collector.call import Call
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts.backup import restore
from collector.facts.booker import Booker
from collector.facts.journal import FOLDER, Journal
from collector.facts.store import FILE_NAME, Store
from collector.keys.keyring import FILE_NAME as KEYS
from collector.keys.keyring import Keyring
from collector.metrics import Metrics
from collector.pricing import Quote
from switchgear.usage import Usage

Serve = Callable[..., Served]
NOW = datetime.fromtimestamp(BASE_NS / 1e9, UTC) + timedelta(hours=1)
# Each call is of 1,000 tokens in and 50 out, so that a rate of 1 makes 0.00105 of it.
ONE = Decimal("0.00105")
OWNED = {
    "workloads": [
        {"tenant": "acme", "workload": "writer", "owner": "ann", "cost_centre": "CC-1"},
        {"tenant": "globex", "workload": "bot", "owner": "bob", "cost_centre": "CC-2"},
    ]
}
SUMS = (
    "SELECT currency, sum(calls), sum(booked)::VARCHAR, sum(adjustment)::VARCHAR, sum(cost)::VARCHAR"
    " FROM cost_adjusted WHERE currency IS NOT NULL GROUP BY ALL ORDER BY ALL"
)
EACH = (
    "SELECT trace_id, currency, old_cost, new_cost, delta, applies FROM adjustments ORDER BY trace_id, delta"
)


@pytest.fixture
def book() -> Book:
    return first_book()


def first_book() -> Book:
    return Book("b1", {"a": (1, "USD"), "b": (10, "USD")})


@pytest.fixture
def served(serve: Serve, book: Book) -> Served:
    """A collector with two calls of each tenant, of the models a and b, and one of a model that has no price."""
    return filled(serve(price=book, registry=registry, reports=REPORTS))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Such a collector, for what changes nothing in it."""
    with Served(tmp_path_factory.mktemp("data"), price=first_book(), registry=registry) as running:
        yield filled(running)


def filled(served: Served) -> Served:
    assert served.http.put("/v1/registry", json=OWNED).status_code == 200
    spans = [of("acme", 1, "a"), of("acme", 2, "b"), of("globex", 3, "a"), of("globex", 4, "b")]
    served.send(request([*spans, of("acme", 5, "unheard-of")]))
    return served


def of(tenant: str, number: int, model: str, **changed: Any) -> Any:
    workload = "writer" if tenant == "acme" else "bot"
    named = {"switchgear.tenant": tenant, "switchgear.workload": workload, "switchgear.task.id": "t"}
    models = {"gen_ai.request.model": model, "gen_ai.response.model": model}
    return llm_span(number, {**named, **models, **changed.pop("attributes", {})}, **changed)


def booked(data: Path) -> list[Any]:
    """Every row of what was booked, as it is."""
    with duckdb.connect(str(data / FILE_NAME), read_only=True) as con:
        return con.execute("FROM booked ORDER BY call_id").fetchall()


def lines(found: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(line[name] for name in names) for line in found["lines"]]


def test_old_new_and_delta_are_shown_by_owner_and_nothing_is_written(served: Served, book: Book) -> None:
    book.become("b2", a=(3, "USD"), b=(10, "USD"))
    found = preview(served.http)
    assert lines(found, "owner", "currency", "calls", "changed", "unpriced", "old", "new", "delta") == [
        ("ann", "USD", 2, 1, 0, "0.01155", "0.01365", "0.0021"),  # 11 x 0.00105, 13 x 0.00105
        ("bob", "USD", 2, 1, 0, "0.01155", "0.01365", "0.0021"),
        ("ann", None, 1, 0, 1, None, None, None),
    ]
    assert (found["book"], found["rerate"]) == ("b2", None)
    assert served.rows("SELECT count(*) FROM adjustments") == [[0]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"by": ["tenant", "model"]}, {("acme", "a"), ("globex", "a"), ("acme", "b"), ("globex", "b")}),
        ({"by": ["tenant", "model"], "tenant": "acme"}, {("acme", "a"), ("acme", "b")}),
        ({"by": ["tenant", "model"], "model": "b", "provider": "openai"}, {("acme", "b"), ("globex", "b")}),
    ],
    ids=["by", "tenant", "model"],
)
def test_a_rerate_is_of_what_was_asked(
    untouched: Served, asked: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    found = preview(untouched.http, **asked)
    assert {line[:2] for line in lines(found, "tenant", "model", "currency") if line[2]} == expected


def test_what_is_written_adds_up_and_the_calls_stay_byte_for_byte(
    served: Served, book: Book, tmp_path: Path
) -> None:
    served.stop()
    before = booked(tmp_path / "data")
    again = Served(tmp_path / "data", price=book, registry=registry)
    book.become("b2", a=(3, "USD"), b=(4, "USD"))
    try:
        written = rerate(again)
        assert written["rerate"]["adjustments"] == 4
        (total,) = [line for line in written["totals"] if line["currency"]]
        # 2 x (3 + 4) less 2 x (1 + 10)
        assert (total["old"], total["new"], total["delta"]) == ("0.0231", "0.0147", "-0.0084")
        assert again.rows(SUMS) == [["USD", 4, "0.023100000000", "-0.008400000000", "0.014700000000"]]
        assert again.rows('SELECT DISTINCT rerate, "by", reason FROM adjustments') == [
            [written["rerate"]["id"], "keyless", "new prices"]
        ]
    finally:
        again.stop()
    assert booked(tmp_path / "data") == before


def test_the_same_rerate_again_changes_nothing_and_a_third_book_starts_from_the_second(
    served: Served, book: Book
) -> None:
    book.become("b2", a=(3, "USD"), b=(10, "USD"))
    assert rerate(served)["rerate"]["adjustments"] == 2
    again = rerate(served)
    assert (again["rerate"], sum(line["changed"] for line in again["lines"])) == (None, 0)
    book.become("b3", a=(4, "USD"), b=(10, "USD"))
    assert lines(rerate(served), "owner", "old", "delta")[0] == ("ann", "0.01365", "0.00105")
    book.become("b1", a=(1, "USD"), b=(10, "USD"))
    rerate(served)
    assert served.rows(SUMS) == [["USD", 4, "0.023100000000", "0.000000000000", "0.023100000000"]]


def test_what_has_no_price_is_never_0_and_a_price_that_comes_is_an_adjustment(
    served: Served, book: Book
) -> None:
    book.become("b2", a=(1, "USD"), b=(10, "USD"))
    assert rerate(served)["rerate"] is None
    assert served.rows("SELECT booked, adjustment, cost FROM cost_adjusted WHERE currency IS NULL") == [
        [None] * 3
    ]
    served.http.put("/v1/registry", json=OWNED)
    book.become("b3", a=(1, "USD"), b=(10, "USD"), **{"unheard-of": (2, "USD")})
    found = rerate(served)
    assert lines(found, "owner", "newly_priced", "unpriced", "delta")[0] == ("ann", 1, 0, "0.0021")
    assert served.rows(EACH) == [[f"{5:032x}", "USD", None, "0.0021", "0.0021", True]]
    assert rerate(served)["rerate"] is None


def test_a_price_that_goes_is_told_and_takes_nothing_away(served: Served, book: Book) -> None:
    book.become("b2", a=(1, "USD"))
    found = rerate(served)
    assert lines(found, "owner", "changed", "no_longer_priced", "delta")[:2] == [
        ("ann", 0, 1, "0"),
        ("bob", 0, 1, "0"),
    ]
    assert found["rerate"] is None


def test_another_currency_is_two_lines_and_two_rows(served: Served, book: Book) -> None:
    book.become("b2", a=(2, "EUR"), b=(10, "USD"))
    found = rerate(served, tenant="acme", model="a")
    assert lines(found, "currency", "calls", "changed", "old", "new", "delta") == [
        ("EUR", 0, 0, None, "0.0021", "0.0021"),
        ("USD", 1, 1, "0.00105", None, "-0.00105"),
    ]
    span = f"{1:032x}"
    assert served.rows(EACH) == [
        [span, "USD", "0.00105", None, "-0.00105", True],
        [span, "EUR", None, "0.0021", "0.0021", True],
    ]
    assert rerate(served, tenant="acme", model="a")["rerate"] is None


def test_the_reports_keep_what_was_booked(served: Served, book: Book) -> None:
    def spend() -> Any:
        answer = served.http.get("/v1/reports/spend", params={**EVER, "by": "owner,model"})
        return answer.json()["rows"]

    before = spend()
    book.become("b2", a=(3, "USD"), b=(3, "USD"))
    rerate(served)
    assert spend() == before


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"book": "b9"}, 422, "'b9' is not the one that is loaded: that is 'b1'"),
        ({"from": "2030-01-02T00:00:00Z"}, 422, "must lie before"),
        ({"write": True, "reason": "r"}, 422, "takes a reason, and the `shown`"),
        ({"write": True, "shown": "s"}, 422, "takes a reason, and the `shown`"),
        ({"by": ["owner", "owner"]}, 422, "by names something twice"),
        ({"by": ["task"]}, 422, "by.0"),
        ({"to": "2030-01-01"}, 422, "to"),
        ({"write": True, "reason": "r", "shown": "0" * 64}, 409, "is not what was shown"),
    ],
    ids=["book", "range", "not shown", "no reason", "twice", "dimension", "no zone", "other than shown"],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    untouched: Served, asked: dict[str, Any], status: int, said: str
) -> None:
    answer = untouched.http.post("/v1/rerate", json={**EVER, **asked})
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


def test_nothing_is_written_but_what_was_shown(served: Served, book: Book) -> None:
    book.become("b2", a=(3, "USD"))
    shown = preview(served.http)["shown"]
    served.send(request([of("acme", 6, "a")]))  # priced by the new book: no difference
    order = {**EVER, "write": True, "reason": "r"}
    book.become("b3", a=(4, "USD"))
    assert served.http.post("/v1/rerate", json={**order, "shown": shown}).status_code == 409
    assert served.rows("SELECT count(*) FROM adjustments") == [[0]]
    book.become("b2", a=(3, "USD"))
    assert served.http.post("/v1/rerate", json={**order, "shown": shown}).status_code == 200
    assert served.rows("SELECT count(*) FROM adjustments") == [[2]]


def test_a_book_that_changes_under_a_rerate_is_told_and_the_next_one_is_by_the_new_book(serve: Serve) -> None:
    versions = ["b1"]

    def price(provider: str | None, *_: object) -> Quote:
        # Of no call the book is only asked for its version.
        if provider is not None and changes:
            versions.append(changes.pop())
        return Quote(Decimal(len(versions)), "USD", versions[-1])

    changes: list[str] = []
    served = serve(price=price)
    served.send(request([of("acme", 1, "a")]))
    until(
        lambda: served.rows("SELECT count(*) FROM calls") == [[1]], "the call is booked, at the first price"
    )
    changes.append("b2")
    answer = served.http.post("/v1/rerate", json=EVER)
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "the price book is no longer 'b1'; ask again",
    )
    assert preview(served.http)["book"] == "b2"


def test_an_order_that_is_sent_again_under_its_key_is_carried_out_once(served: Served, book: Book) -> None:
    book.become("b2", a=(3, "USD"))
    order = {**EVER, "write": True, "reason": "r", "shown": preview(served.http)["shown"]}
    headers = {"Idempotency-Key": "k"}
    first = served.http.post("/v1/rerate", json=order, headers=headers)
    again = served.http.post("/v1/rerate", json=order, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert served.rows("SELECT count(*) FROM adjustments") == [[2]]


def test_an_adjustment_applies_while_its_call_has_the_cost_that_it_adjusted(
    served: Served, book: Book
) -> None:
    book.become("b2", a=(3, "USD"), b=(10, "USD"), **{"unheard-of": (2, "USD")})
    rerate(served, tenant="acme")
    applies = "SELECT trace_id[-1:], applies FROM adjustments ORDER BY 1"
    assert served.rows(applies) == [["1", True], ["5", True]]
    # A twin that says nothing new of what the call cost, and one that makes it dearer.
    served.send(request([twin(1, "a")]))
    assert served.rows(applies) == [["1", True], ["5", True]]
    served.send(request([twin(1, "a", scope="third", number=12, tokens=9000)]))
    served.send(request([twin(5, "unheard-of", number=15)]))
    assert served.rows("SELECT count(*) FROM merged_spans") == [[3]]
    # Of what had no price, any span that changes the call may change what it would cost.
    assert served.rows(applies)[1] == ["5", False]
    assert rerate(served, tenant="acme")["rerate"] is not None
    assert rerate(served, tenant="acme")["rerate"] is None


def twin(of_number: int, model: str, *, scope: str = "another", number: int = 11, tokens: int = 1000) -> Any:
    attributes = {"gen_ai.response.id": f"chatcmpl-{of_number:08x}", "gen_ai.usage.input_tokens": tokens}
    return of("acme", number, model, scope=scope, attributes=attributes, traceId=f"{of_number:032x}")


def test_adjustments_survive_a_restart_a_lost_database_and_a_backup(
    serve: Serve, served: Served, book: Book, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    book.become("b2", a=(3, "USD"), b=(2, "EUR"))
    rerate(served)
    served.send(request([of("acme", 6, "a")]))
    expected = sorted(map(str, served.rows(EACH))), served.rows(SUMS)
    folder = Path(served.http.post("/v1/backups").json()["folder"])
    served.stop()
    restarted = serve(data, price=book)
    assert (sorted(map(str, restarted.rows(EACH))), restarted.rows(SUMS)) == expected
    restarted.stop()
    for path in data.glob(f"{FILE_NAME}*"):
        path.unlink()
    # By another book: what merged is priced anew, but nothing of this has.
    rebuilt = serve(data, price=Book("b9", {}))
    assert rebuilt.http.get("/v1/feed?after=11&wait=10").json()["calls"]
    assert (sorted(map(str, rebuilt.rows(EACH))), rebuilt.rows(SUMS)) == expected
    rebuilt.stop()
    restore(folder, tmp_path / "other", NOW)
    other = serve(tmp_path / "other", price=book)
    assert (sorted(map(str, other.rows(EACH))), other.rows(SUMS)) == expected


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.rerating.rerater._ROWS_A_PART", 1)


@pytest.mark.usefixtures("in_small_parts")
def test_a_rerate_that_is_broken_off_counts_for_nothing_and_leaves_nothing(
    serve: Serve, served: Served, book: Book, tmp_path: Path
) -> None:
    book.become("b2", a=(3, "USD"), b=(2, "USD"))
    rerate(served)
    served.stop()
    (segment,) = (tmp_path / "data" / FOLDER).iterdir()
    whole = segment.read_bytes()
    records = [place for place in range(len(whole)) if whole.startswith(b"SGJ1", place)]
    # As a kill leaves the journal: cut between two parts, and within one. Each follows what was confirmed till then.
    for cut in (*records[-8::2], *(place + 50 for place in records[-7::2])):
        assert adjusted(tmp_path / f"cut-{cut}", segment.name, whole[:cut]) == 0, cut
    assert adjusted(tmp_path / "whole", segment.name, whole) == 4
    broken = serve(tmp_path / f"cut-{records[-2]}", price=book)
    assert rerate(broken)["rerate"]["adjustments"] == 4
    broken.stop()
    with closing(Store(tmp_path / f"cut-{records[-2]}")) as store:
        assert store.cursor().execute("SELECT count(*) FROM adjusted").fetchall() == [(4,)]


def adjusted(data: Path, segment: str, content: bytes) -> int:
    """How many adjustments a database has that is made from a journal with this content."""
    (data / FOLDER).mkdir(parents=True)
    (data / FOLDER / segment).write_bytes(content)
    with closing(Store(data)) as store, closing(Journal(data)) as journal:
        booker = Booker(store, journal, Book("b9", {}), Metrics(), committed=lambda: None)
        booker.start()
        booker.close(30)
        ((calls, count),) = (
            store.cursor()
            .execute("SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM adjustments)")
            .fetchall()
        )
        assert calls == 5
        return int(count)


def test_a_tenant_that_is_deleted_leaves_its_adjustments_as_sums_under_its_pseudonym(
    served: Served, book: Book, tmp_path: Path
) -> None:
    book.become("b2", a=(3, "USD"), b=(2, "USD"))
    rerate(served, reason="Acme was charged too much")
    book.become("b3", a=(3, "USD"), b=(5, "USD"))
    rerate(served)
    by_owner = (
        "SELECT owner, model, currency, sum(booked), sum(adjustment), sum(cost) FROM cost_adjusted"
        " WHERE currency IS NOT NULL GROUP BY ALL ORDER BY ALL"
    )
    expected = served.rows(by_owner)
    answer = served.http.delete("/v1/tenants/acme/details", params={"reason": "they left"})
    assert answer.status_code == 200, answer.text
    assert served.rows(by_owner) == expected
    left = (
        "SELECT tenant LIKE 'deleted-%', trace_id IS NULL, reason, sum(calls) FROM adjustments"
        " GROUP BY ALL ORDER BY ALL"
    )
    assert served.rows(left) == [
        [False, False, "deleted", 2],
        [False, False, "new prices", 1],
        [True, True, "deleted", 2],
        [True, True, "new prices", 1],
    ]
    served.stop()
    with duckdb.connect(str(tmp_path / "data" / FILE_NAME), read_only=True) as con:
        for table in ("adjusted", "rerates"):
            named = f"SELECT count(*) FROM {table} AS row WHERE contains(lower(row::VARCHAR), 'acme')"
            assert con.execute(named).fetchall() == [(0,)], table


def test_one_rerate_is_under_way_at_a_time_and_tells_whoever_asked_how_far_it_is(serve: Serve) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def price(provider: str | None, *_: object) -> Quote:
        # The book is asked for its version before any call: only then is the rerate under way.
        if provider is not None and booked_once:
            asked.set()
            go_on.wait(10)
        return Quote(Decimal(1), "USD", "b1")

    booked_once: list[bool] = []
    served = serve(price=price)
    served.send(request([of("acme", 1, "a")]))
    until(lambda: served.rows("SELECT count(*) FROM calls") == [[1]], "the call is booked")
    booked_once.append(True)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(preview, served.http)
        assert asked.wait(10)
        under_way = {"under_way": {"calls": 0, "of": 1, "write": False}}
        assert served.http.get("/v1/rerate").json() == under_way
        refused = served.http.post("/v1/rerate", json=EVER)
        assert (refused.status_code, "is under way" in refused.text) == (409, True)
        go_on.set()
        assert first.result()["totals"][0]["calls"] == 1
    assert served.http.get("/v1/rerate").json() == {"under_way": None}


@pytest.fixture
def as_key(serve: Serve, book: Book, tmp_path: Path) -> Iterator[Callable[..., httpx.Client]]:
    """Clients of a collector with keys, whose calls have been re-rated, each with the rights that it is asked with."""
    served = serve(tmp_path / "keyed", price=book, registry=registry, api_key="root")
    served.http.headers["Authorization"] = "Bearer root"
    served.http.put("/v1/registry", json=OWNED).raise_for_status()
    served.send(request([of("acme", 1, "a"), of("globex", 3, "a"), of("globex", 4, "b")]))
    book.become("b2", a=(3, "USD"), b=(10, "USD"))
    keyring = Keyring(tmp_path / "keyed" / KEYS)
    clients = []

    def client(tenants: str, *scopes: str) -> httpx.Client:
        _, secret = keyring.create(tenants.split(), scopes, now=datetime.now(UTC))
        headers = {"Authorization": f"Bearer {secret}"}
        clients.append(httpx.Client(base_url=served.url, headers=headers, timeout=20, trust_env=False))
        served.app.access.refresh()
        return clients[-1]

    yield client
    for each in clients:
        each.close()


def test_a_key_re_rates_its_own_tenants_and_sees_what_was_made_of_them(
    as_key: Callable[..., httpx.Client],
) -> None:
    acme = as_key("acme", "finance")
    found = preview(acme, by=["tenant"])
    assert lines(found, "tenant", "calls") == [("acme", 1)]
    preview(acme, by=["tenant"], write=True, reason="r", shown=found["shown"])
    everyone = as_key("*", "finance")
    assert preview(everyone, by=["tenant"], tenant="acme")["totals"][0]["changed"] == 0
    found = preview(everyone, by=["tenant"])
    preview(everyone, write=True, reason="r", shown=found["shown"])

    def tenants(key: httpx.Client) -> list[list[str]]:
        sql = "SELECT DISTINCT tenant FROM adjustments ORDER BY 1"
        rows: list[list[str]] = key.post("/v1/query", json={"sql": sql}).json()["rows"]
        return rows

    assert tenants(everyone) == [["acme"], ["globex"]]
    assert tenants(acme) == [["acme"]]
    assert tenants(as_key("", "owner:bob")) == [["globex"]]
    assert preview(as_key("nobody", "finance"))["lines"] == []


@pytest.mark.parametrize("scopes", [("read",), ("owner:ann",), ("internal",)], ids=" ".join)
def test_whoever_has_not_finance_re_rates_nothing(
    as_key: Callable[..., httpx.Client], scopes: tuple[str, ...]
) -> None:
    key = as_key("*", *scopes)
    asked = [key.get("/v1/rerate"), key.post("/v1/rerate", json=EVER)]
    assert [answer.status_code for answer in asked] == [403, 403]


def test_a_hundred_thousand_calls_are_re_rated_by_the_real_book(serve: Serve, tmp_path: Path) -> None:
    fill(tmp_path / "many", 100_000)
    live = LivePrices()
    served = serve(tmp_path / "many", price=live.quote, price_calls=live.quotes)
    # Each is 400 x 0.15 + 600 x 0.075 + 50 x 0.60 in millionths of a dollar, and was booked as 0.5.
    written = rerate(served, by=["tenant"])
    assert (written["rerate"]["adjustments"], written["rerate"]["do_not_apply"]) == (100_000, 0)
    assert lines(written, "tenant", "calls", "old", "new") == [("acme", 100_000, "50000", "13.5")]
    assert served.rows("SELECT sum(cost)::VARCHAR FROM cost_adjusted WHERE adjustment IS NOT NULL") == [
        ["-49986.500000000000"]
    ]


def fill(data: Path, count: int) -> None:
    """Make so many calls of one that costs 0.5, a second apart."""
    usage = Usage(400, cache_read=600, output=50, reasoning=20)
    call = Call(
        "acme", f"{1:032x}", f"{1:016x}", None, NOW, NOW, provider="openai", model="gpt-4o-mini", usage=usage
    )
    with closing(Store(data)) as store:
        book_calls(store, [call], lambda *_: Quote(Decimal("0.5"), "USD", "b1"), NOW)
        with store.transaction() as con:
            con.execute(
                "INSERT INTO booked SELECT one.* REPLACE (number AS seq, number AS call_id, started_at"
                " + to_seconds(number) AS started_at) FROM booked AS one, range(2, $count + 1) AS numbers(number)",
                {"count": count},
            )
            con.execute("UPDATE store SET applied_seq = $count", {"count": count})


def test_adjustments_of_calls_that_go_by_age_remain_as_sums(
    serve: Serve, served: Served, book: Book, tmp_path: Path
) -> None:
    book.become("b2", a=(3, "USD"), b=(2, "EUR"))
    rerate(served)
    expected = served.rows(SUMS)
    served.stop()
    later = NOW + timedelta(days=500)
    with closing(Store(tmp_path / "data")) as store:
        sweep = Sweep(store, Retention(), Horizon(store), now=lambda: later)
        while store.cursor().execute("SELECT count(*) FROM booked").fetchall() != [(0,)]:
            sweep()
    again = serve(tmp_path / "data", price=book)
    assert again.rows(SUMS) == expected
    assert again.rows("SELECT count(*), count(trace_id), sum(calls) FROM adjustments") == [[6, 0, 6]]
