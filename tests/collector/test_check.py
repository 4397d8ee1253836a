"""SQL of a user: what the check lets run. That nothing else gets through is in test_sandbox, where it runs for real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.errors import QueryError
from collector.queries.sandbox.check import MAX_SQL_CHARS, Checker
from collector.queries.visible import VIEWS


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    made = Checker()
    yield made
    made.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM calls",
        "SELECT tenant, sum(cost) FROM main.calls GROUP BY ALL ORDER BY 2 DESC LIMIT 3",
        "FROM calls SELECT median(cost), quantile_cont(cost, 0.9), count(*) FILTER (state = 'complete')",
        "WITH a AS (SELECT * FROM calls) SELECT count(*) FROM a",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
        "SELECT lag(cost) OVER (PARTITION BY tenant ORDER BY started_at), row_number() OVER () FROM calls",
        "SELECT date_trunc('hour', started_at), time_bucket(INTERVAL 5 MINUTE, started_at) FROM calls",
        "SELECT * FROM calls WHERE started_at BETWEEN now() - INTERVAL 1 DAY AND now() AND tenant LIKE 'a%'",
        "SELECT * FROM calls JOIN plans USING (cost_centre), transitions t, registry r",
        "SELECT * FROM range(3), unnest([1, 2]), generate_series(1, 2)",
        "SELECT coalesce(cost, 0) * 2, tenant || 'x', round(cost, 2), $1::INT FROM calls",
        "SELECT 1 UNION SELECT 2 EXCEPT SELECT 3",
        "SELECT (SELECT max(cost) FROM calls), EXISTS (SELECT 1 FROM calls)",
        "FROM calls PIVOT (count(*) FOR state IN ('complete', 'unpriced') GROUP BY tenant)",
        "SELECT format('{:.2f}', cost::DOUBLE), lpad(tenant, 20, ' '), repeat('-', 3) FROM calls",
        "VALUES (1), (2)",
        "SELECT 'booked', '; DELETE FROM booked' -- booked",
        "SELECT " + ", ".join(["*"] * 20) + " FROM calls",
        "SELECT 1 FROM " + ", ".join(f"calls c{number}" for number in range(100)),
    ],
)
def test_a_select_over_the_views_may_run(checker: Checker, sql: str) -> None:
    checker.check(sql, VIEWS.keys())


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT 1; SELECT 2", "there are 2"),
        ("DELETE FROM calls", "only one SELECT may run here"),
        ("SELECT * FROM booked", "FROM booked: there is adjustments, calls, "),
        ("SELECT * FROM read_text('x')", r"FROM read_text\(...\): only generate_series, range, unnest may"),
        ("SELECT getenv('PATH')", r"getenv\(\) may not be used here"),
        ("DESCRIBE calls", "SHOW_REF may not run here"),
        ("nonsense", "syntax error"),
        ("", "there are 0"),
        ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "nested too deeply|only one SELECT"),
        ("SELECT '" + "x" * MAX_SQL_CHARS + "'", f"at most {MAX_SQL_CHARS} are taken"),
    ],
)
def test_a_refusal_says_what_and_why(checker: Checker, sql: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        checker.check(sql, VIEWS.keys())
