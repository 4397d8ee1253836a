"""What a query asks of the store instead of everything: enough for its answer, and never too little."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from otlp_samples import WORKERS
from owned import TENANTS

from collector.facts.store import Store
from collector.keys.key import EVERYTHING
from collector.queries.query import Queries, Question
from collector.queries.reader import Reader
from collector.queries.sandbox.pushdown import sql_of, understood

SCHEMA = pa.schema(
    [
        ("tenant", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("seq", pa.int64()),
        ("cost", pa.decimal128(18, 12)),
        ("shadow", pa.bool_()),
        ("scope", pa.struct([("tenant", pa.string())])),
    ]
)


class Overheard(ds.InMemoryDataset):  # type: ignore[misc] # pyarrow has no types
    """An empty dataset that keeps the filter of its last scan."""

    filter: Any = None

    def scanner(self, columns: Sequence[str] | None = None, filter: Any = None) -> ds.Scanner:  # noqa: A002
        self.filter = filter
        table = SCHEMA.empty_table().select(columns or SCHEMA.names)
        return ds.Scanner.from_batches(table.to_batches(), schema=table.schema)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("tenant = 'a'", ["=", "tenant", ["a"]]),
        ("tenant = 'it''s: ''x''' AND cost > 1", ["=", "tenant", ["it's: 'x'"]]),
        ("tenant IN ('a', 'b', 'c')", ["=", "tenant", ["a", "b", "c"]]),
        ("seq BETWEEN 3 AND 4", ["and", [">=", "seq", [3]], ["<=", "seq", [4]]]),
        ("seq < 3 OR tenant = 'a'", ["or", ["<", "seq", [3]], ["=", "tenant", ["a"]]]),
        ("started_at >= '2026-11-01' AND shadow", [">=", "started_at", ["2026-11-01T00:00:00+00:00"]]),
        (
            "date_trunc('day', started_at) = '2026-11-01'",
            [
                "and",
                [">=", "started_at", ["2026-11-01T00:00:00+00:00"]],
                ["<", "started_at", ["2026-11-02T00:00:00+00:00"]],
            ],
        ),
        # What the store is not asked for.
        ("cost > 1", None),
        ("cost > 1 OR tenant = 'a'", None),
        ("tenant <> 'a'", None),
        ("tenant IS NULL", None),
        ("scope.tenant = 'a'", None),
        ("started_at < 'infinity'", None),
        (
            "started_at > '9999-12-31 23:59:59.9+00'::TIMESTAMPTZ + INTERVAL 1 YEAR AND seq = 1",
            ["=", "seq", [1]],
        ),
    ],
)
def test_a_filter_is_understood_as_far_as_it_can_be(where: str, expected: Any) -> None:
    with duckdb.connect(":memory:", config={"threads": "1"}) as con:
        con.execute("SET TimeZone = 'UTC'")
        dataset = Overheard(SCHEMA.empty_table())
        con.register("calls", dataset)
        con.execute(f"SELECT seq FROM calls WHERE {where}").fetchall()
    told = None if dataset.filter is None else understood(dataset.filter).condition
    assert told == expected


def test_a_condition_becomes_sql_with_bound_values() -> None:
    given = [
        "and",
        ["=", "tenant", ["a", "b"]],
        ["or", [">", "seq", [1]], ["<", "started_at", ["2026-11-01T00:00:00+00:00"]]],
    ]
    assert sql_of(given, SCHEMA) == (
        '(("tenant" = $1 or "tenant" = $2) and (("seq" > $3) or ("started_at" < $4)))',
        ["a", "b", 1, datetime(2026, 11, 1, tzinfo=UTC)],
    )


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "true",
        ["=", "password", ["a"]],
        ["=", 'tenant" or 1=1 --', ["a"]],
        ["= 'a' or", "tenant", ["a"]],
        ["like", "tenant", ["a"]],
        ["=", "tenant", []],
        ["=", "tenant", [1]],
        ["=", "tenant", "a"],
        ["=", "seq", ["1"]],
        ["=", "started_at", ["now()"]],
        ["=", "cost", [1]],
        ["not", ["=", "tenant", ["a"]]],
        ["and", ["=", "tenant", ["a"]]],
    ],
    ids=str,
)
def test_what_is_no_condition_becomes_no_sql(given: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever way it is none
        sql_of(given, SCHEMA)


def test_a_condition_that_is_too_deep_becomes_no_sql() -> None:
    given: Any = ["=", "tenant", ["a"]]
    for _ in range(10_000):
        given = ["and", given, ["=", "tenant", ["a"]]]
    with pytest.raises(ValueError, match="no condition"):
        sql_of(given, SCHEMA)


@pytest.fixture(scope="module")
def reader(owned: Path) -> Iterator[Reader]:
    with closing(Store(owned)) as store, closing(Reader(store)) as opened:
        yield opened


TESTS = st.sampled_from(
    [
        *(f"tenant = '{tenant.replace(chr(39), chr(39) * 2)}'" for tenant in TENANTS[:6]),
        "tenant IN ('acme', 'acme-eu', NULL)",
        "tenant NOT IN ('acme', 'ACME')",
        "workload = 'w1'",
        "workload IS NULL",
        "workload IS DISTINCT FROM 'w1'",
        "owner = 'ann'",
        "owner IS NOT NULL",
        "seq > 5",
        "seq BETWEEN 3 AND 12",
        "seq IN (1, 2, 3, 5, 8, 13)",
        "seq % 3 = 1",
        "cost > 0.0001",
        "started_at >= '2026-11-24'",
        "started_at < TIMESTAMPTZ '2026-11-24 06:00:00+00'",
        "started_at = TIMESTAMPTZ '2026-11-24 07:00:00+01'",
        "ended_at IS NULL",
        "task_id LIKE 't1%'",
        "state <> 'unpriced'",
        "true",
        "NULL",
    ]
)
WHERE = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=5,
)
SHAPES = st.sampled_from(
    [
        "SELECT span_id FROM calls WHERE {0}",
        "SELECT a.span_id FROM calls a LEFT JOIN calls b ON a.span_id = b.span_id AND b.seq > 9 WHERE a.span_id IN "
        "(SELECT span_id FROM calls WHERE {0}) AND b.seq IS NULL",
        "WITH a AS (FROM calls WHERE {0}), b AS (FROM calls WHERE {1}) "
        "SELECT a.span_id FROM a ANTI JOIN b USING (span_id)",
        "SELECT span_id FROM calls WHERE {0} UNION ALL SELECT span_id FROM calls WHERE {1}",
        "SELECT tenant || count(*) FROM calls WHERE {0} GROUP BY tenant HAVING tenant IN (SELECT tenant FROM registry)",
        "SELECT x.span_id FROM (SELECT * FROM calls WHERE {0}) x POSITIONAL JOIN (SELECT * FROM calls WHERE {1}) y "
        "WHERE x.span_id IS NOT NULL",
        "SELECT a.span_id FROM calls a FULL JOIN (FROM calls WHERE {1}) b USING (tenant) WHERE a.span_id IS NOT NULL",
    ]
)


@pytest.fixture(scope="module")
def queries(reader: Reader) -> Iterator[Queries]:
    with closing(Queries(reader, WORKERS)) as opened:
        yield opened


@settings(max_examples=examples(15), deadline=None)
@given(shape=SHAPES, one=WHERE, other=WHERE)
def test_the_answer_is_the_store_s_own(
    reader: Reader, queries: Queries, shape: str, one: str, other: str
) -> None:
    sql = f"SELECT * FROM ({shape.format(one, other)}) ORDER BY ALL"
    with reader.cursor() as con:
        expected = [list(row) for row in con.execute(sql).fetchall()]
    answer = asyncio.run(queries.answer(Question(sql, [], "json", None), EVERYTHING))
    assert json.loads(answer)["rows"] == expected
