"""Query: SQL of a user, checked before it runs: one SELECT over the documented views, and nothing else.

The check reads DuckDB's own parse tree, so that quoting, comments and spelling cannot get round it. What is
not known to be harmless is refused: tables, table functions, functions, kinds of table reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from .errors import QueryError

__all__ = ["VIEWS", "Checker", "run"]

VIEWS = frozenset({"calls", "transitions", "registry", "plans"})
MAX_SQL_CHARS = 64 * 1024
MAX_ROWS = 100_000

_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
_TABLE_KINDS = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SUBQUERY", "TABLE_FUNCTION", "CTE"}
)
_QUERY_KINDS = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
# Functions that the catalogue calls free of side effects, and which tell of the process or parse SQL.
_TELLING = frozenset(
    {
        *("current_setting", "getvariable", "current_schema", "current_schemas", "current_database"),
        *("in_search_path", "txid_current", "version", "current_user", "session_user", "user"),
        *("json_serialize_sql", "json_deserialize_sql", "json_serialize_plan", "current_query"),
        *("current_catalog", "getenv", "pg_typeof", "add_parquet_key", "format_pg_type"),
    }
)
# Functions that make gigabytes of one argument, in a single step that no interrupt ends.
_SWELLING = frozenset({"repeat", "lpad", "rpad", "format", "printf", "list_resize", "array_resize", "bar"})
# What a question over four views needs, with room; each further one multiplies the binder's work.
_MOST = {"tables": 32, "stars": 8}
# Macros and keywords that are no functions in the catalogue.
_HARMLESS = frozenset(
    {
        *(
            "current_date",
            "current_timestamp",
            "today",
            "now",
            "nullif",
            "ifnull",
            "round_even",
            "fdiv",
            "fmod",
        ),
        *("count_if", "date_add", "array_append", "array_prepend", "list_append", "list_prepend", "list_sum"),
        *("list_avg", "list_min", "list_max", "list_count", "list_first", "list_last", "list_any_value"),
        *("geomean", "weighted_avg", "wavg", "split_part", "array_to_string", "list_reverse", "md5_number"),
    }
)


class Checker:
    """Says whether SQL may run. Holds a connection of its own that only parses."""

    def __init__(self) -> None:
        self._con = duckdb.connect(":memory:", config={"enable_external_access": "false"})
        self._functions = _HARMLESS | self._of_catalogue()

    def check(self, sql: str, taken: frozenset[str]) -> None:
        """Raise QueryError unless `sql` may run. `taken` are the names of all tables and views there are."""
        if len(sql) > MAX_SQL_CHARS:
            raise QueryError(f"the SQL has {len(sql)} characters; at most {MAX_SQL_CHARS} are taken")
        tree = self._parsed(sql)
        nodes = list(_walk(tree))
        aliases = _common_tables(nodes)
        for name in sorted(aliases & (taken - VIEWS)):
            raise QueryError(f"WITH {name}: that name is taken; choose another")
        _check_size(nodes)
        for node in nodes:
            self._check(node, aliases)

    def close(self) -> None:
        self._con.close()

    def _parsed(self, sql: str) -> Any:
        row = self._con.cursor().execute("SELECT json_serialize_sql($1)", [sql]).fetchone()
        try:
            answer = orjson.loads(row[0]) if row else {}
        except orjson.JSONDecodeError:
            raise QueryError("the SQL is nested too deeply") from None
        if answer.get("error"):
            message = str(answer.get("error_message", "it cannot be parsed"))
            raise QueryError(f"only one SELECT may run here: {message}")
        if len(answer["statements"]) != 1:
            raise QueryError("only one SELECT may run here, and there are several")
        return answer

    def _check(self, node: Mapping[str, Any], aliases: frozenset[str]) -> None:
        kind = node.get("type")
        if node.get("class") in ("FUNCTION", "WINDOW"):
            self._check_function(str(node.get("function_name", "")))
        elif kind == "BASE_TABLE":
            _check_table(node, aliases)
        elif kind == "TABLE_FUNCTION":
            function = node.get("function") or {}
            name = str(function.get("function_name", "")).lower()
            if name not in _TABLE_FUNCTIONS:
                raise QueryError(
                    f"FROM {name[:64]}(...): only {', '.join(sorted(_TABLE_FUNCTIONS))} may stand there"
                )
        elif "sample" in node and kind not in _TABLE_KINDS | _QUERY_KINDS:
            raise QueryError(f"{str(kind)[:64]} may not run here; write a SELECT over {_views()}")

    def _check_function(self, name: str) -> None:
        if name.lower() not in self._functions and name.lower() not in _TABLE_FUNCTIONS:
            raise QueryError(f"{name[:64]}() may not be used here")

    def _of_catalogue(self) -> frozenset[str]:
        rows = self._con.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'aggregate', 'window') "
            "AND stability IN ('CONSISTENT', 'CONSISTENT_WITHIN_QUERY') AND NOT has_side_effects"
        ).fetchall()
        return frozenset(row[0].lower() for row in rows) - _TELLING - _SWELLING


def _walk(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of the tree. By hand, not by recursion: the tree is as deep as a user makes it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _common_tables(nodes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The names that WITH gives, anywhere. None may be that of a table, so where they hold does not matter."""
    names: set[str] = set()
    for node in nodes:
        holder = node.get("cte_map")
        if isinstance(holder, dict):
            names.update(str(entry["key"]).lower() for entry in holder.get("map", ()))
        if node.get("type") in ("RECURSIVE_CTE_NODE", "CTE_NODE"):
            names.add(str(node.get("cte_name", node.get("ctename", ""))).lower())
    return frozenset(names)


def _check_table(node: Mapping[str, Any], aliases: frozenset[str]) -> None:
    path = [str(part).lower() for part in (node.get("qualified_name") or {}).get("path", ())]
    table = str(node.get("table_name", "")).lower()
    plain = not node.get("catalog_name") and path in ([table], ["main", table])
    if plain and table in VIEWS:
        return
    if plain and path == [table] and table in aliases:
        return
    raise QueryError(f"FROM {'.'.join(path)[:128]}: there is {_views()}")


def _check_size(nodes: Sequence[Mapping[str, Any]]) -> None:
    counts = {
        "tables": sum(node.get("type") in ("BASE_TABLE", "TABLE_FUNCTION") for node in nodes),
        "stars": sum(node.get("type") == "STAR" for node in nodes),
    }
    for what, count in counts.items():
        if count > _MOST[what]:
            raise QueryError(f"the SQL has {count} {what}; at most {_MOST[what]} are taken")


def _views() -> str:
    return ", ".join(sorted(VIEWS))


def run(con: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any] | Mapping[str, Any]) -> pa.Table:
    """The rows of checked SQL. Raises QueryError for what the database makes of it, or for too many rows."""
    try:
        reader = con.sql(sql, params=params or None).to_arrow_reader(8192)
        batches, count = [], 0
        for batch in reader:
            batches.append(batch)
            count += batch.num_rows
            if count > MAX_ROWS:
                raise QueryError(f"the answer has more than {MAX_ROWS} rows; narrow it or aggregate")
    except duckdb.InterruptException as problem:
        raise QueryError("the query did not finish in time; narrow it or aggregate") from problem
    except duckdb.Error as problem:
        raise QueryError(str(problem).strip()[:1000]) from problem
    return pa.Table.from_batches(batches, schema=reader.schema)
