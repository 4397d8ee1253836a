"""`kill -9` at any moment: what was acknowledged is there, and the file is whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import cache_writing
from storing import ACME, Kept, sql

KILLS = 10
MOST_AFTER_S = 0.03
"""The kill comes so long after an acknowledgement at most: several turns."""


def killed_while_writing(folder: Path, begin: int, random: Random) -> int:
    """How many turns were acknowledged by a writer that was killed within the next."""
    writer = subprocess.Popen(
        [sys.executable, cache_writing.__file__, str(folder), str(begin)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(random.randrange(1, 15))]
    until = time.perf_counter() + random.uniform(0, MOST_AFTER_S)
    while time.perf_counter() < until:
        os.sched_yield()
    writer.kill()
    told += writer.stdout.read().splitlines()
    writer.wait()
    writer.stdout.close()
    return int(told[-1]) + 1


def test_what_was_acknowledged_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    folder, random, done = tmp_path / "kept", Random(7), 0
    for _ in range(KILLS):
        done = killed_while_writing(folder, done, random)
        kept = Kept(folder)
        assert [turn for turn in range(done) if kept.exact(f"r{turn}") != f"r{turn}"] == []
        assert kept.near((done - 1) / 1000, ACME, most=1) != []
        # Its key was made and destroyed over and over: its answer is there whole, or not at all.
        assert kept.exact("of beta", cache_writing.FORGOTTEN) in (None, "of beta")
        assert kept.entries.damaged == 0
        kept.entries.close()
        assert sql(folder, "PRAGMA integrity_check") == [("ok",)]
        assert sql(folder, "PRAGMA foreign_key_check") == []
        assert sql(folder, "SELECT entries, bytes FROM totals") == sql(
            folder, "SELECT count(*), sum(bytes) FROM entries"
        )
    assert done > KILLS


def test_a_writer_that_is_killed_holds_up_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    kept = Kept(folder)
    done = killed_while_writing(folder, 0, Random(8))
    kept.put("after it")
    assert (kept.exact("after it"), kept.exact(f"r{done - 1}")) == ("after it", f"r{done - 1}")
    kept.entries.close()
