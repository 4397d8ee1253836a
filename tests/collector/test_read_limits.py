"""The time limit of what reads the store: it also ends work that is seldom inside a statement."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

import duckdb
import pytest

from collector.facts.store import Store
from collector.keys.key import EVERYTHING
from collector.queries.reader import Reader


def test_work_that_computes_between_its_statements_is_ended_too(store: Store) -> None:
    statements = 0

    def work(con: duckdb.DuckDBPyConnection) -> None:
        nonlocal statements
        for _ in range(1000):
            begun = time.perf_counter()
            while time.perf_counter() - begun < 0.05:
                pass  # its time is over in here, most likely
            con.execute("SELECT sum(range) FROM range(2000000)").fetchall()
            statements += 1

    with closing(Reader(store)) as reader, pytest.raises(duckdb.InterruptException):
        asyncio.run(reader.run(work, EVERYTHING, within_s=0.12))
    assert statements < 500


def test_what_is_done_in_time_is_not_interrupted(store: Store) -> None:
    with closing(Reader(store)) as reader:
        for _ in range(20):
            found = asyncio.run(
                reader.run(lambda con: con.execute("SELECT 1").fetchall(), EVERYTHING, within_s=5)
            )
            assert found == [(1,)]
