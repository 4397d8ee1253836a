"""What docs/testing.md shows is a file of tests that pass, in a project that has the SDK and pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "testing.md"


def test_the_tests_in_the_document_pass(tmp_path: Path) -> None:
    shown = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "test_shown.py").write_text("\n\n".join(shown))
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("SWITCHGEAR_", "PYTEST_"))
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-W", "error", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=ours, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(re.findall('^def test_', ''.join(shown), re.MULTILINE))} passed" in done.stdout
