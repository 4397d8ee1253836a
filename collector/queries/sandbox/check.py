"""Check: whether a user's SQL may run: one SELECT over the documented views, and nothing else.

The check reads DuckDB's own parse tree, so that quoting, comments and spelling cannot get round it. What is
not known to be harmless is refused: tables, table functions, functions, kinds of table reference. It is the second
wall: where it had a hole, the process would still hold nothing but the rows that the key may read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import duckdb
import orjson

from ...errors import QueryError

__all__ = ["Checker"]

MAX_SQL_CHARS = 64 * 1024

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
        self._con = duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "1"})
        self._functions = _HARMLESS | self._of_catalogue()

    def check(self, sql: str, views: Set[str]) -> None:
        """Raise QueryError unless `sql` may run where there are these views."""
        if len(sql) > MAX_SQL_CHARS:
            raise QueryError(f"the SQL has {len(sql)} characters; at most {MAX_SQL_CHARS} are taken")
        nodes = list(_walk(self._parsed(sql)))
        tables = views | _common_tables(nodes)
        for node in nodes:
            self._check(node, views, tables)

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
        if (count := len(answer["statements"])) != 1:
            raise QueryError(f"only one SELECT may run here, and there are {count}")
        return answer

    def _check(self, node: Mapping[str, Any], views: Set[str], tables: Set[str]) -> None:
        kind = node.get("type")
        if node.get("class") in ("FUNCTION", "WINDOW"):
            self._check_function(str(node.get("function_name", "")))
        elif kind == "BASE_TABLE":
            _check_table(node, views, tables)
        elif kind == "TABLE_FUNCTION":
            function = node.get("function") or {}
            name = str(function.get("function_name", "")).lower()
            if name not in _TABLE_FUNCTIONS:
                raise QueryError(
                    f"FROM {name[:64]}(...): only {', '.join(sorted(_TABLE_FUNCTIONS))} may stand there"
                )
        elif "sample" in node and kind not in _TABLE_KINDS | _QUERY_KINDS:
            raise QueryError(f"{str(kind)[:64]} may not run here; write a SELECT over {_listed(views)}")

    def _check_function(self, name: str) -> None:
        if name.lower() not in self._functions and name.lower() not in _TABLE_FUNCTIONS:
            raise QueryError(f"{name[:64]}() may not be used here")

    def _of_catalogue(self) -> frozenset[str]:
        rows = self._con.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'aggregate', 'window') "
            "AND stability IN ('CONSISTENT', 'CONSISTENT_WITHIN_QUERY') AND NOT has_side_effects"
        ).fetchall()
        return frozenset(row[0].lower() for row in rows) - _TELLING


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


def _common_tables(nodes: Sequence[Mapping[str, Any]]) -> Set[str]:
    """The names that WITH gives, anywhere. Where each holds does not matter: there are no tables to borrow from."""
    names: set[str] = set()
    for node in nodes:
        holder = node.get("cte_map")
        if isinstance(holder, dict):
            names.update(str(entry["key"]).lower() for entry in holder.get("map", ()))
        if node.get("type") in ("RECURSIVE_CTE_NODE", "CTE_NODE"):
            names.add(str(node.get("cte_name", node.get("ctename", ""))).lower())
    return names


def _check_table(node: Mapping[str, Any], views: Set[str], tables: Set[str]) -> None:
    path = [str(part).lower() for part in (node.get("qualified_name") or {}).get("path", ())]
    table = str(node.get("table_name", "")).lower()
    plain = not node.get("catalog_name") and (path == [table] or (path == ["main", table] and table in views))
    if not (plain and table in tables):
        raise QueryError(f"FROM {'.'.join(path)[:128]}: there is {_listed(views)}")


def _listed(views: Set[str]) -> str:
    return ", ".join(sorted(views))
