"""No SQL of a user gets anything but the rows that their key may read: run for real, over the facts of two tenants."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from otlp_samples import Served, llm_span, request

from analytics import registry
from collector.keys.keyring import FILE_NAME, Keyring

ROOT = "the root key"
# What belongs to the other tenant: names that hold the marker, and an amount that nobody else has spent.
MARKER = "MARKER-OF-BETA"
ITS_TOKENS = 7_777_777
ITS_COST = "1.16666655"  # 7,777,777 x 0.15 per million
ALPHA = {"switchgear.tenant": "alpha", "switchgear.workload": "w", "switchgear.task.id": "task-1"}
BETA = {
    "switchgear.tenant": f"beta-{MARKER}",
    "switchgear.workload": f"agent-{MARKER}",
    "switchgear.task.id": f"task-{MARKER}",
    "gen_ai.usage.input_tokens": ITS_TOKENS,
    "gen_ai.usage.cache_read.input_tokens": None,
    "gen_ai.usage.output_tokens": 0,
    "gen_ai.usage.reasoning.output_tokens": None,
}
REGISTRY = {
    "workloads": [
        {"tenant": "alpha", "workload": "w", "owner": "ann", "cost_centre": "CC-1"},
        {
            "tenant": f"beta-{MARKER}",
            "workload": f"agent-{MARKER}",
            "owner": f"bob-{MARKER}",
            "cost_centre": f"CC-{MARKER}",
        },
    ],
    "plans": [
        {"cost_centre": centre, "month": "2026-11", "amount": "1200", "currency": "USD"}
        for centre in ("CC-1", f"CC-{MARKER}")
    ],
}


@dataclass
class Asked:
    """Who asks what of a collector."""

    client: httpx.Client
    secrets: Mapping[str, str]
    places: Mapping[str, str]
    """What {file} and {database} stand for in the SQL."""

    def __call__(self, sql: str, *, by: str, params: Sequence[Any] = ()) -> httpx.Response:
        for name, place in self.places.items():
            sql = sql.replace(f"{{{name}}}", place)
        headers = {"Authorization": f"Bearer {self.secrets[by]}"}
        document = {"sql": sql, "params": list(params)}
        return self.client.post("/v1/query", json=document, headers=headers)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A collector with calls, transitions, workloads and plans of two tenants, and a file that holds the marker."""
    folder = tmp_path_factory.mktemp("two")
    served = Served(folder, api_key=ROOT, registry=registry)
    served.http.headers["Authorization"] = f"Bearer {ROOT}"
    served.send(request([llm_span(1, ALPHA), llm_span(2, BETA)]))
    transitions = [transition("alpha"), transition(f"beta-{MARKER}"), transition(None)]
    served.http.post("/v1/audit", json={"transitions": transitions}).raise_for_status()
    served.http.put("/v1/registry", json=REGISTRY).raise_for_status()
    keyring, now = Keyring(folder / FILE_NAME), datetime.now(UTC)
    secrets = {
        "tenant": keyring.create(["alpha"], ["read", "finance"], now=now)[1],
        "owner": keyring.create([], ["owner:ann"], now=now)[1],
        "everyone": keyring.create(["*"], ["read"], now=now)[1],
    }
    served.app.access.refresh()
    file = folder / "file.csv"
    file.write_text(f"a\n{MARKER}\n")
    yield Asked(served.http, secrets, {"file": str(file), "database": str(folder / "switchgear.duckdb")})
    served.stop()


def transition(tenant: str | None) -> dict[str, Any]:
    return {
        "id": f"t-{tenant or MARKER}",
        "at": "2026-11-24T06:00:00Z",
        "policy": f"{tenant or MARKER}-hour",
        "scope": {"tenant": tenant, "workload": "w" if tenant == "alpha" else None},
        "from": "closed",
        "to": "open",
    }


def assert_silent(answer: httpx.Response) -> None:
    """The answer tells nothing of the other tenant, and is no fault of ours."""
    assert answer.status_code in (200, 422), answer.text
    for secret in (MARKER, "beta-", str(ITS_TOKENS), ITS_COST):
        assert secret not in answer.text


# Statements, names and functions that would lead out of the views. None may run.
REFUSED = {
    "two statements": "SELECT 1; SELECT * FROM booked",
    "a statement before": "DELETE FROM booked; SELECT 1",
    "statements in a comment": "SELECT 1 /* */; /* */ SELECT * FROM booked",
    "a comment to the end": "SELECT 1 --\n; SELECT * FROM booked",
    "insert": "INSERT INTO booked SELECT * FROM booked",
    "update returning": "UPDATE booked SET cost = 0 RETURNING *",
    "delete returning": "DELETE FROM calls RETURNING *",
    "merge": "MERGE INTO calls USING booked ON true WHEN MATCHED THEN DELETE",
    "create table": "CREATE TABLE x AS SELECT * FROM booked",
    "create view": "CREATE TEMP VIEW calls AS SELECT * FROM booked",
    "create macro": "CREATE MACRO f() AS TABLE SELECT * FROM booked",
    "create secret": "CREATE SECRET s (TYPE s3)",
    "drop": "DROP VIEW calls",
    "attach memory": "ATTACH ':memory:' AS x",
    "attach the store": "ATTACH '{database}' AS x (READ_ONLY)",
    "detach": "DETACH memory",
    "use": "USE system",
    "copy to": "COPY (SELECT 1) TO '{file}'",
    "copy from": "COPY calls FROM '{file}'",
    "export": "EXPORT DATABASE '{file}.d'",
    "import": "IMPORT DATABASE '{file}.d'",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "set": "SET enable_external_access = true",
    "set a variable": "SET VARIABLE x = (SELECT 1)",
    "reset": "RESET lock_configuration",
    "pragma": "PRAGMA database_list",
    "call": "CALL duckdb_tables()",
    "checkpoint": "CHECKPOINT",
    "vacuum": "VACUUM",
    "prepare": "PREPARE p AS SELECT * FROM booked",
    "execute": "EXECUTE p",
    "explain": "EXPLAIN SELECT * FROM booked",
    "explain analyze": "EXPLAIN ANALYZE SELECT * FROM calls",
    "describe": "DESCRIBE booked",
    "summarize": "SUMMARIZE booked",
    "show": "SHOW ALL TABLES",
    "describe within": "SELECT * FROM (DESCRIBE booked)",
    "summarize within": "SELECT * FROM (SUMMARIZE calls)",
    "show within": "SELECT * FROM (SHOW TABLES)",
    "begin": "BEGIN TRANSACTION",
    "the table beneath": "SELECT * FROM booked",
    "from first": "FROM booked",
    "table": "TABLE booked",
    "quoted": 'SELECT * FROM "booked"',
    "in capitals": "SELECT * FROM BOOKED",
    "by unicode escape": 'SELECT * FROM U&"\\0062ooked"',
    "with its schema": "SELECT * FROM main.booked",
    "with its database": "SELECT * FROM switchgear.main.calls",
    "with the sandbox's database": "SELECT * FROM memory.main.calls",
    "temporary": "SELECT * FROM temp.calls",
    "temporary in full": 'SELECT * FROM "temp"."main"."calls"',
    "a homoglyph": "SELECT * FROM c\N{CYRILLIC SMALL LETTER A}lls",
    "a name with a dot": 'SELECT * FROM "main.calls"',
    "in a subquery": "SELECT * FROM calls WHERE tenant = (SELECT max(tenant) FROM booked)",
    "in a select list": "SELECT (SELECT list(tenant) FROM booked)",
    "in exists": "SELECT EXISTS (FROM members)",
    "correlated": "SELECT (SELECT b.tenant FROM booked b WHERE b.trace_id > calls.trace_id) FROM calls",
    "in a lateral join": "SELECT * FROM calls, LATERAL (SELECT * FROM booked WHERE booked.seq > calls.seq)",
    "in a positional join": "SELECT * FROM calls POSITIONAL JOIN booked",
    "in an asof join": "SELECT * FROM calls ASOF JOIN booked ON calls.seq >= booked.seq",
    "in an anti join": "SELECT * FROM calls ANTI JOIN booked USING (tenant)",
    "in a union by name": "SELECT tenant FROM calls UNION ALL BY NAME SELECT tenant FROM booked",
    "in an except": "SELECT tenant FROM booked EXCEPT SELECT tenant FROM calls",
    "in order by": "SELECT * FROM calls ORDER BY (SELECT 1 FROM booked)",
    "in limit": "SELECT * FROM calls LIMIT (SELECT count(*) FROM booked)",
    "in having": "SELECT tenant FROM calls GROUP BY 1 HAVING count(*) < (SELECT count(*) FROM booked)",
    "in a filter": "SELECT count(*) FILTER (EXISTS (FROM booked)) FROM calls",
    "in a window": "SELECT count(*) OVER (ORDER BY (SELECT 1 FROM booked)) FROM calls",
    "in an argument": "FROM range((SELECT count(*) FROM booked)::INT)",
    "in unnest": "SELECT * FROM unnest((SELECT list(tenant) FROM booked))",
    "in a with": "WITH x AS MATERIALIZED (FROM booked) FROM x",
    "in a recursive with": "WITH RECURSIVE x AS (SELECT tenant FROM booked UNION SELECT tenant FROM x) FROM x",
    "in values": "VALUES ((SELECT max(tenant) FROM booked))",
    "in a struct": "SELECT {'a': (SELECT max(tenant) FROM booked)}.a",
    "in a lambda": "SELECT list_transform([1], x -> (SELECT max(tenant) FROM booked))",
    "in a pivot": "FROM booked PIVOT (count(*) FOR tenant IN ('alpha'))",
    "pivoted": "PIVOT booked ON tenant",
    "unpivoted": "UNPIVOT booked ON tenant INTO NAME a VALUE b",
    "the keys": "SELECT * FROM keys",
    "the catalogue": "SELECT * FROM duckdb_tables",
    "the settings": "SELECT * FROM duckdb_settings()",
    "the secrets": "SELECT * FROM duckdb_secrets()",
    "the functions": "SELECT * FROM duckdb_functions()",
    "the views": "SELECT sql FROM duckdb_views()",
    "the databases": "SELECT path FROM duckdb_databases()",
    "information_schema": "SELECT * FROM information_schema.tables",
    "pg_catalog": "SELECT * FROM pg_catalog.pg_class",
    "sqlite_master": "SELECT * FROM sqlite_master",
    "pragma function": "SELECT * FROM pragma_table_info('booked')",
    "storage": "SELECT * FROM pragma_storage_info('calls')",
    "a file": "SELECT * FROM '{file}'",
    "a file in quotes": 'SELECT * FROM "{file}"',
    "read_csv": "SELECT * FROM read_csv('{file}')",
    "read_csv_auto": "SELECT * FROM read_csv_auto('{file}')",
    "read_text": "SELECT * FROM read_text('{file}')",
    "read_blob": "SELECT * FROM read_blob('{database}')",
    "read_json": "SELECT * FROM read_json('{file}')",
    "read_parquet": "SELECT * FROM read_parquet('{file}')",
    "parquet_metadata": "SELECT * FROM parquet_metadata('{file}')",
    "sniff_csv": "SELECT * FROM sniff_csv('{file}')",
    "glob": "SELECT * FROM glob('/**')",
    "query": "SELECT * FROM query('SELECT * FROM booked')",
    "query_table": "SELECT * FROM query_table('booked')",
    "query_table of a list": "SELECT * FROM query_table(['calls', 'booked'])",
    "serialised SQL": "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM booked'))",
    "seq_scan": "SELECT * FROM seq_scan('booked')",
    "arrow_scan": "SELECT * FROM arrow_scan(0, 0, 0)",
    "arrow_scan of a pointer": "SELECT * FROM arrow_scan_dumb(140000000000000, 1, 1)",
    "pandas_scan": "SELECT * FROM pandas_scan(1)",
    "python_map_function": "SELECT * FROM python_map_function(1)",
    "repeat_row": "SELECT * FROM repeat_row(1, num_rows = 3)",
    "summary": "SELECT * FROM summary((FROM booked))",
    "a variable of Python": "SELECT * FROM asked",
    "another of Python": "SELECT * FROM schemas, views",
    "getenv": "SELECT getenv('SWITCHGEAR_API_KEY')",
    "getenv in full": "SELECT system.main.getenv('PATH')",
    "current_setting": "SELECT current_setting('secret_directory')",
    "getvariable": "SELECT getvariable('x')",
    "current_database": "SELECT current_database()",
    "current_query": "SELECT current_query()",
    "nextval": "SELECT nextval('x')",
    "write_log": "SELECT write_log('x')",
    "sleep_ms": "SELECT sleep_ms(60000)",
    "pg_get_viewdef": "SELECT pg_get_viewdef('calls')",
    "version": "SELECT version()",
    "checkpoint function": "SELECT * FROM force_checkpoint()",
    "a function by unicode escape": "SELECT U&\"\\0067etenv\"('PATH')",
}

# What may run, over the views as the key sees them.
SILENT = {
    "everything": "SELECT * FROM calls",
    "with its schema": "SELECT * FROM main.calls",
    "the other by name": "SELECT * FROM calls WHERE tenant LIKE 'beta%' OR tenant <> 'alpha'",
    "a tautology": "SELECT * FROM calls WHERE tenant = 'alpha' OR 1 = 1 OR NULL IS NULL",
    "sums": "SELECT sum(cost), max(input_uncached), count(*), list(tenant), string_agg(workload) FROM calls",
    "statistics": "SELECT approx_top_k(tenant, 10), histogram(cost), min(owner), arg_max(tenant, cost) FROM calls",
    "columns": "SELECT COLUMNS(c -> c LIKE 't%') FROM calls",
    "columns by pattern": "SELECT max(COLUMNS('.*')) FROM calls",
    "exclude": "SELECT * EXCLUDE (tenant) REPLACE (1 AS cost) FROM calls",
    "the row as a struct": "SELECT calls, calls.tenant, to_json(calls) FROM calls",
    "a struct's field": "SELECT scope.tenant, scope, policy FROM transitions",
    "registry": "SELECT * FROM registry",
    "plans": "SELECT * FROM plans",
    "conflicts": "SELECT * FROM conflicts",
    "quarantine": "SELECT * FROM quarantine",
    "not billed": "SELECT * FROM not_billed",
    "a join that multiplies": "SELECT * FROM calls a, calls b, registry, plans, transitions",
    "a positional join": "SELECT * FROM calls POSITIONAL JOIN registry POSITIONAL JOIN plans",
    "an anti join": "SELECT * FROM registry ANTI JOIN calls USING (tenant)",
    "a full join": "SELECT * FROM calls FULL JOIN registry USING (workload) FULL JOIN plans USING (cost_centre)",
    "a lateral join": "SELECT * FROM calls c, LATERAL (SELECT max(tenant) FROM calls d WHERE d.seq <> c.seq)",
    "correlated": "SELECT (SELECT list(tenant) FROM calls d WHERE d.seq > c.seq - 10) FROM calls c",
    "a with of the same name": "WITH calls AS (SELECT * FROM calls) SELECT * FROM calls",
    "a with that hides": "WITH calls AS (SELECT 1 AS tenant) SELECT * FROM calls, registry",
    "a nested with that hides": "SELECT * FROM (WITH calls AS (FROM registry) FROM calls), calls",
    "a with named like a table": "WITH booked AS (SELECT 1 AS tenant) SELECT * FROM booked",
    "a with out of reach": "SELECT * FROM (WITH booked AS (SELECT 1) FROM booked) a, booked",
    "a with of a table's own": "WITH booked AS (SELECT * FROM booked) SELECT * FROM booked",
    "a with of Python's": "SELECT * FROM (WITH views AS (SELECT 1) FROM views) a, views",
    "a recursive with": "WITH RECURSIVE t AS (SELECT tenant FROM calls UNION SELECT owner FROM t, registry) FROM t",
    "a pivot": "FROM calls PIVOT (count(*) FOR state IN ('complete') GROUP BY tenant)",
    "an unpivot": "FROM (SELECT tenant, workload FROM calls) UNPIVOT (v FOR n IN (tenant, workload))",
    "a sample": "SELECT * FROM calls USING SAMPLE reservoir(100 ROWS)",
    "an earlier version": "SELECT * FROM calls AT (VERSION => 1)",
    "union by name": "SELECT * FROM calls UNION ALL BY NAME SELECT * FROM registry",
    "a file's name as text": "SELECT '{file}', 'SELECT * FROM booked', '; DELETE FROM booked' -- FROM booked",
    "an error with a value": "SELECT CAST(tenant AS INT) FROM calls",
    "an error by hand": "SELECT error(string_agg(tenant)) FROM calls",
    "division": "SELECT 1 // (count(*) - 2) FROM calls WHERE tenant LIKE 'beta%'",
    "grouping sets": "SELECT tenant, owner, sum(cost) FROM calls GROUP BY CUBE (tenant, owner)",
    "a row number": "SELECT row_number() OVER (), rank() OVER (ORDER BY cost), lag(tenant) OVER () FROM calls",
    "rowid": "SELECT rowid, * FROM calls",
    "the filename": "SELECT filename FROM calls",
}

KEYS = ("tenant", "owner")


@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED.keys())
def test_what_leads_out_of_the_views_is_refused(asked: Asked, sql: str, by: str) -> None:
    answer = asked(sql, by=by)
    assert_silent(answer)
    assert answer.status_code == 422


@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize("sql", SILENT.values(), ids=SILENT.keys())
def test_what_runs_sees_what_the_key_may_see(asked: Asked, sql: str, by: str) -> None:
    assert_silent(asked(sql, by=by))


@pytest.mark.parametrize("by", KEYS)
def test_parameters_are_values_and_no_names(asked: Asked, by: str) -> None:
    assert asked("SELECT $1", by=by, params=["booked"]).json()["rows"] == [["booked"]]
    for sql in ("SELECT * FROM $1", "FROM query_table($1)", "SELECT * FROM query($1)"):
        assert asked(sql, by=by, params=["booked"]).status_code == 422
    answer = asked(
        "SELECT * FROM calls WHERE tenant = $1 OR workload = $2", by=by, params=["' OR 1=1 --", "w"]
    )
    assert_silent(answer)
    assert len(answer.json()["rows"]) == 1


def test_the_same_sql_shows_the_other_tenant_to_a_key_for_all(asked: Asked) -> None:
    """Or the tests above would show nothing."""
    for view in ("calls", "registry", "plans", "transitions"):
        assert MARKER in asked(f"SELECT * FROM {view}", by="everyone").text
    assert json.loads(asked("SELECT max(cost) FROM calls", by="everyone").text)["rows"] == [[ITS_COST]]


@pytest.mark.parametrize("by", KEYS)
def test_each_key_sees_what_is_its_own(asked: Asked, by: str) -> None:
    assert asked("SELECT tenant, owner FROM calls", by=by).json()["rows"] == [["alpha", "ann"]]
    assert asked("SELECT policy FROM transitions", by=by).json()["rows"] == [["alpha-hour"]]
    assert asked("SELECT owner FROM registry", by=by).json()["rows"] == [["ann"]]
    assert asked("SELECT cost_centre FROM plans", by=by).json()["rows"] == [["CC-1"]]
