"""A process that keeps answers and forgets them until it is killed, and says what was done once it is.

python cache_writing.py FOLDER BEGIN
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from storing import ACME, DAY, NOW, Kept, question

from switchgear.cache import Namespace

__all__ = ["FORGOTTEN", "main"]

FORGOTTEN = Namespace("beta", "nightly")
"""A tenant that is forgotten again and again."""


def main(folder: Path, begin: int) -> None:
    """Each turn puts one answer and an alias, and counts; each tenth forgets a tenant."""
    kept = Kept(folder)
    for turn in count(begin):
        number = kept.put(f"r{turn}", angle=turn / 1000)
        kept.entries.alias(ACME, question(f"alias {turn}"), number, NOW, NOW + DAY)
        kept.entries.change_state("turns", lambda before: b"%d" % (int(before or b"0") + 1))
        kept.put("of beta", FORGOTTEN, angle=0)
        if turn % 10 == 0:
            kept.entries.forget_tenant("beta")
        sys.stdout.write(f"{turn}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
