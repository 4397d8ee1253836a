"""docs/query.md says what there is: every view with every column and its type, the limits, and examples that run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from otlp_samples import WORKERS

from collector.facts.store import Store
from collector.keys.key import EVERYTHING
from collector.queries import query
from collector.queries.query import Limits, Queries, Question
from collector.queries.reader import Reader
from collector.queries.sandbox import check, worker

TEXT = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with closing(Store(tmp_path_factory.mktemp("store"))) as store, closing(Reader(store)) as opened:
        yield opened


def test_every_column_stands_there_with_its_type_and_nothing_else_does(reader: Reader) -> None:
    told = {}
    for section in TEXT.split("\n### ")[1:]:
        view = section.split("`")[1]
        told[view] = re.findall(r"^\| `(\w+)` \| (.+?) \| ", section, re.MULTILINE)
    with reader.cursor() as con:
        there = {
            view: [
                (name, kind)
                for name, kind, *_ in con.execute(f"DESCRIBE {view}").fetchall()
                if name in schema.names
            ]
            for view, schema in reader.schemas.items()
        }
    assert told == there


@pytest.mark.parametrize(
    "line",
    [
        f"| time | {Limits().within_s:g} s ",
        f"| rows read | {Limits().input_rows:,} |",
        f"| rows answered | {worker.MAX_ROWS:,} |",
        f"| bytes answered | {worker.MAX_ANSWER_BYTES // 1024**2} MiB |",
        f"| memory | 512 MiB for DuckDB, {worker.MEMORY_BYTES // 1024**3} GiB for the process",
        f"| SQL | {check.MAX_SQL_CHARS:,} characters |",
        f"| queries at once | {query.AT_ONCE}, of them {query.AT_ONCE_OF_A_KEY} of one key |",
        f"| queries of one key | {query.AT_ONCE_OF_A_KEY + query.WAITING_OF_A_KEY} that run or wait |",
    ],
)
def test_the_limits_are_those_of_the_code(line: str) -> None:
    assert line in TEXT


@pytest.mark.parametrize("sql", EXAMPLES, ids=lambda sql: sql.splitlines()[0].strip("- "))
def test_every_example_runs(reader: Reader, sql: str) -> None:
    with closing(Queries(reader, WORKERS)) as queries:
        assert asyncio.run(queries.answer(Question(sql, [], "json", None), EVERYTHING))
