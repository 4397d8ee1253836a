"""An engine that is to tell of breakers by a file that cannot be used says so in one line."""

from __future__ import annotations

from pathlib import Path

from commands import Run
from serving import free_ports


def test_a_notices_file_that_cannot_be_used_is_one_line_that_says_how_to_see_them_all(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "notices.yaml"
    file.write_text("version: 1\nintervall: 1s\n")
    (port,) = free_ports(1)
    answer = run("serve", "policies", "--data", str(tmp_path), "--port", str(port), "--notices", str(file))
    (line,) = answer.stderr.splitlines()
    assert answer.returncode == 1
    assert line.startswith(f"switchgear: policies: {file}:")
    assert line.endswith("(1 more: switchgear notices test lists them)")
