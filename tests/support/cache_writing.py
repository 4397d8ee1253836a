"""A process that keeps answers and forgets them until it is killed, and says what was done once it is.

python cache_writing.py FOLDER BEGIN
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from storing import Kept

from switchgear.cache import Namespace

__all__ = ["FORGOTTEN", "main"]

FORGOTTEN = Namespace("beta", "nightly")
"""A tenant that is forgotten again and again."""


def main(folder: Path, begin: int) -> None:
    """Each turn puts an answer of each of two tenants; each tenth forgets one of them."""
    kept = Kept(folder)
    for turn in count(begin):
        kept.put(f"r{turn}", angle=turn / 1000)
        kept.put("of beta", FORGOTTEN, angle=0)
        if turn % 10 == 0:
            kept.entries.forget_tenant("beta")
        sys.stdout.write(f"{turn}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
