"""How fast lines of the ledger become rows of FOCUS, and whether memory grows with them.

Each file is written by a process of its own, which has its own most memory. A month's lines are given again and again,
as many months would be.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from result import Figure

ROWS = {"few": 200_000, "many": 2_000_000}
_AT_ONCE = 20_000


def figures(month: pa.Table) -> Iterator[Figure]:
    """Rows a second of CSV and of Parquet, and the memory of ten times as many."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with pa.OSFile(str(folder / "lines.arrow"), "wb") as file, pa.ipc.new_file(file, month.schema) as to:
            to.write_table(month, max_chunksize=_AT_ONCE)
        for kind, ending in {"CSV": "csv", "Parquet": "parquet"}.items():
            found = {many: _written(folder, f"rows.{ending}", rows) for many, rows in ROWS.items()}
            yield Figure(f"FOCUS rows, {kind}", found["many"]["rate"], "rows/s", "at least 200,000")
            for many, rows in ROWS.items():
                yield Figure(f"memory of {rows:,} rows, {kind}", found[many]["memory"], "MiB")
            more = found["many"]["memory"] / found["few"]["memory"]
            yield Figure(f"memory of ten times as many rows, {kind}", more, "times", "at most 1.25")


def _written(folder: Path, name: str, rows: int) -> dict[str, float]:
    child = [sys.executable, __file__, str(folder / "lines.arrow"), str(folder / name), str(rows)]
    answer = subprocess.run(child, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(answer.stdout)
    assert found["rows"] >= rows
    return found


def _write(lines: Path, to: Path, wanted: int) -> None:
    from analytics.focus.cost_and_usage import Account, write
    from analytics.focus.prepared import POSTED
    from analytics.ledger.calendar import Calendar

    with pa.OSFile(str(lines), "rb") as file:
        month = pa.ipc.open_file(file).read_all()
    month = pa.concat_tables([month] * -(-_AT_ONCE // month.num_rows)).combine_chunks()
    count = month.num_rows
    whole = month.append_column("period", pa.repeat("2026-10", count))
    whole = whole.append_column("entry", pa.array(range(1, count + 1), pa.int64()))
    whole = whole.append_column("origin_amount", pa.nulls(count, POSTED.field("origin_amount").type))
    batches = whole.select(POSTED.names).cast(POSTED).to_batches(max_chunksize=_AT_ONCE)
    account = Account("bench", "Bench", "USD", Calendar())
    each = write(batches, to, account)

    def again() -> Iterator[pa.RecordBatch]:
        for _ in range(-(-wanted // each)):
            yield from batches

    begun = time.perf_counter()
    rows = write(again(), to, account)
    took = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"rows": rows, "rate": rows / took, "memory": memory}))


if __name__ == "__main__":
    _write(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
