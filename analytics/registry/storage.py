"""Storage: the registry in the collector's database. Lines are kept as said; what comes of them is made anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any

from .document import IMPORTED, SOURCES, Registry, RegistryError, foreign, parse
from .lines import CENTRES, KINDS, PLANS, WORKLOADS, Kind, Workload, written
from .timeline import Piece, by_workload, instant, zone_named

if TYPE_CHECKING:
    import duckdb

__all__ = ["read", "replace"]

_TABLES = {"workloads": "registry_workloads", "plans": "registry_plans", "revenue": "registry_revenue"}
_VIEWS = {"workloads": "registry", "plans": "plans", "revenue": "revenue", "cost_centres": "cost_centres"}
_SOURCED = (WORKLOADS, PLANS)


def replace(con: duckdb.DuckDBPyConnection, document: Mapping[str, Any]) -> None:
    """Put this in place of all that its source said before, inside the caller's transaction. Raises RegistryError."""
    registry = parse(document)
    if unfit := foreign(document):
        raise RegistryError("\n".join(unfit))
    for kind in _SOURCED:
        table = _TABLES[kind.name]
        con.execute(f"DELETE FROM {table} WHERE source = $1", [registry.source])  # noqa: S608 - our own names
        rows = ((registry.source, *astuple(line)) for line in registry.lines(kind))
        _insert(con, table, ("source", *_attributes(kind)), rows)
    if registry.source == IMPORTED:
        con.execute("DELETE FROM registry_revenue; DELETE FROM cost_centres; DELETE FROM registry_zone")
        con.execute("INSERT INTO registry_zone VALUES ($1)", [registry.zone])
        _insert(con, "registry_revenue", _attributes(KINDS["revenue"]), map(astuple, registry.revenue))
        _insert(con, "cost_centres", (*_attributes(CENTRES), "begins", "ends"), _centres(registry))
    _resolve(con)


def read(con: duckdb.DuckDBPyConnection, source: str | None = None) -> dict[str, Any]:
    """The registry as far as `con` sees it, sorted by its keys.

    Of one source: the document that `replace` takes back, but for what counts no more since an import speaks of it.
    Else what counts of both, each workload and plan with its source.
    """
    document: dict[str, Any] = {} if source is None else {"source": source}
    document["zone"] = _zone(con)
    for name, kind in KINDS.items():
        if kind in _SOURCED or source in (None, IMPORTED):
            document[name] = _told(con, kind, source)
    return document


def _told(con: duckdb.DuckDBPyConnection, kind: Kind, source: str | None) -> list[dict[str, str | None]]:
    has_source = kind in _SOURCED
    columns = (*_attributes(kind), *(["source"] if has_source else []))
    kept = "WHERE source = $1" if has_source and source else ""
    # Of a deleted tenant the revenue is in the view, under a pseudonym: an import can neither say nor take back that.
    view = (
        "registry_revenue SEMI JOIN revenue USING (tenant)" if kind.name == "revenue" else _VIEWS[kind.name]
    )
    rows = con.execute(
        f"SELECT {', '.join(columns)} FROM {view} {kept}",  # noqa: S608 - our own names
        [source] if kept else [],
    ).fetchall()
    found = [(kind.make(*row[: len(kind.fields)]), row[len(kind.fields) :]) for row in rows]
    return [
        written(kind, line) | ({"source": said[0]} if said and source is None else {})
        for line, said in sorted(found, key=lambda each: kind.place(each[0]))
    ]


def _resolve(con: duckdb.DuckDBPyConnection) -> None:
    """Make anew what comes of the lines of both sources."""
    told = {source: list[Workload]() for source in SOURCES}
    columns = ", ".join(_attributes(WORKLOADS))
    lines = con.execute(f"SELECT source, {columns} FROM registry_workloads").fetchall()  # noqa: S608
    for source, *line in lines:
        told[source].append(Workload(*line))
    pieces = by_workload(list(told.items()), zone_named(_zone(con)))
    con.execute("DELETE FROM ownership")
    rows = (astuple(piece) for key in sorted(pieces) for piece in pieces[key])
    _insert(con, "ownership", [each.name for each in fields(Piece)], rows)


def _zone(con: duckdb.DuckDBPyConnection) -> str:
    row = con.execute("SELECT zone FROM registry_zone").fetchone()
    return "UTC" if row is None else str(row[0])


def _centres(registry: Registry) -> Iterable[tuple[Any, ...]]:
    zone = zone_named(registry.zone)
    for line in registry.cost_centres:
        days = line.starts_on, line.ends_on
        yield (*astuple(line), *(None if day is None else instant(day, zone) for day in days))


def _attributes(kind: Kind) -> tuple[str, ...]:
    return tuple(field.attribute for field in kind.fields.values())


def _insert(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    # Here, so that whoever only asks who owns what does not load it.
    import pyarrow as pa

    types = {
        **dict.fromkeys(("starts_on", "ends_on", "month"), pa.date32()),
        **dict.fromkeys(("begins", "ends"), pa.timestamp("us", "UTC")),
        "amount": pa.decimal128(18, 6),
    }
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    lines = pa.table(
        {
            name: pa.array(column, types.get(name, pa.string()))
            for name, column in zip(columns, values, strict=True)
        }
    )
    con.register("registry_lines", lines)
    try:
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM registry_lines")  # noqa: S608 - our own names
    finally:
        con.unregister("registry_lines")
