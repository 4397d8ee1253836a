"""Apart: a peer's package in a virtual environment of its own, made once, outside this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["Unavailable", "installed"]

INSTALL_WITHIN_S = 600


class Unavailable(Exception):  # noqa: N818 - it is a state, not a fault
    """Why a peer cannot be run here."""


def installed(package: str, size: str, *others: str) -> Path:
    """The folder of the programs that `package`, a name and its version, brings; installed first where it is not yet.

    `others` are what it needs beside it, with their versions. Raises Unavailable where it cannot be had.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "switchgear" / package.replace("==", "-")
    # Written last: without it an installation was broken off.
    done = home / "installed"
    if done.exists():
        return home / "bin"
    print(f"  installing {package} into {home} ({size}, once)", file=sys.stderr, flush=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        venv.create(home, with_pip=True, clear=True)
        subprocess.run(
            [*pip, package, *others], check=True, timeout=INSTALL_WITHIN_S, capture_output=True, text=True
        )
    except (subprocess.SubprocessError, OSError) as problem:
        words = getattr(problem, "stderr", None) or str(problem)
        raise Unavailable(
            f"{package} cannot be installed: {words.strip().splitlines()[-1][:200]}"
        ) from problem
    done.touch()
    return home / "bin"
