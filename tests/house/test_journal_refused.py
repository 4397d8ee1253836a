"""A journal of grants that is damaged is refused at a start, in one line that says where."""

from __future__ import annotations

from pathlib import Path

from commands import Run
from serving import free_ports

from policies.journal import Journal
from policies.records import Released


def test_a_damaged_journal_of_grants_is_one_line(run: Run, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    list(journal.read())
    journal.write([Released(1.0, "g1", None), Released(2.0, "g2", None)])
    journal.close()
    (file,) = tmp_path.glob("grants.*")
    file.write_bytes(b"\xff" + file.read_bytes()[1:])
    (port,) = free_ports(1)
    answer = run("serve", "policies", "--data", str(tmp_path), "--port", str(port))
    assert (answer.returncode, answer.stderr) == (
        1,
        f"switchgear: policies: {file}: the record at byte 0 is damaged; "
        "move the file away to start without it\n",
    )
