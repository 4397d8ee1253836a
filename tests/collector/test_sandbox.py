"""SQL of a user: what runs, and that nothing else gets out of the views."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.errors import QueryError
from collector.query import Checker

TAKEN = frozenset(
    {"booked", "members", "audit", "store", "calls", "plans", "registry", "transitions", "duckdb_tables"}
)


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
        "VALUES (1), (2)",
        "SELECT 'booked', '; DELETE FROM booked' -- booked",
    ],
)
def test_a_select_over_the_views_runs(checker: Checker, sql: str) -> None:
    checker.check(sql, TAKEN)


@pytest.mark.parametrize(
    "sql",
    [
        # other statements
        "SELECT 1; DELETE FROM booked",
        "SELECT 1; SELECT 2",
        "INSERT INTO booked SELECT 1",
        "UPDATE booked SET cost = 0",
        "CREATE TABLE x AS SELECT 1",
        "ATTACH ':memory:' AS x",
        "COPY (SELECT 1) TO '/tmp/x'",
        "EXPORT DATABASE 'x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "CHECKPOINT",
        # other tables
        "SELECT * FROM booked",
        'SELECT * FROM "booked"',
        "SELECT * FROM BOOKED",
        "SELECT * FROM main.booked",
        "SELECT * FROM switchgear.main.booked",
        "FROM members",
        "TABLE audit",
        "SELECT * FROM calls WHERE tenant = (SELECT max(tenant) FROM members)",
        "SELECT (SELECT count(*) FROM store)",
        "SELECT * FROM calls POSITIONAL JOIN booked",
        "(SELECT tenant FROM calls) UNION (SELECT tenant FROM booked)",
        "SELECT * FROM calls ORDER BY (SELECT 1 FROM booked)",
        "FROM range((SELECT count(*) FROM booked)::INT)",
        "SELECT * FROM unnest((SELECT list(tenant) FROM booked))",
        "SELECT COLUMNS(*) FROM audit",
        "DESCRIBE booked",
        "SUMMARIZE booked",
        "SHOW TABLES",
        "PIVOT booked ON tenant",
        "UNPIVOT booked ON tenant INTO NAME a VALUE b",
        # names of WITH that hide or borrow a table's
        "WITH booked AS (SELECT 1) SELECT * FROM booked",
        "WITH a AS (SELECT * FROM booked), booked AS (SELECT 1) SELECT * FROM a",
        "SELECT * FROM (WITH booked AS (SELECT 1) SELECT 2), booked",
        "WITH x AS MATERIALIZED (FROM booked) FROM x",
        # the catalogue
        "SELECT * FROM duckdb_tables",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_storage_info('booked')",
        # files and other SQL
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'x.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv_auto('x')",
        "SELECT * FROM glob('*')",
        "FROM sniff_csv('x')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('booked')",
        "SELECT * FROM json_execute_serialized_sql('{}')",
        "SELECT * FROM test_all_types()",
        # functions that tell or do something
        "SELECT getenv('PATH')",
        "SELECT system.main.getenv('PATH')",
        "SELECT current_setting('memory_limit')",
        "SELECT main.current_setting('memory_limit')",
        "SELECT getvariable('x')",
        "SELECT nextval('x')",
        "SELECT write_log('x')",
        "SELECT sleep_ms(1000)",
        "SELECT pg_get_viewdef('calls')",
        "SELECT version()",
        # what swells
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000, 'y'), format('{:2000000000}', 1)",
        "SELECT list_resize([1], 2000000000)",
        "SELECT " + ", ".join("*" * 9) + " FROM calls",
        "SELECT 1 FROM " + ", ".join(f"calls c{n}" for n in range(33)),
        "WITH a0 AS (FROM calls), "
        + ", ".join(f"a{n} AS (FROM a{n - 1} x, a{n - 1} y)" for n in range(1, 40))
        + "FROM a9",
        # shape
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT '" + "x" * 70_000 + "'",
        "nonsense",
        "",
    ],
)
def test_everything_else_is_refused(checker: Checker, sql: str) -> None:
    with pytest.raises(QueryError):
        checker.check(sql, TAKEN)
