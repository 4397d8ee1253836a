"""`make kills`: a hundred `kill -9` at random moments; exit 1 where an acknowledged call was lost or doubled."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from killing import Campaign, Moment

# Mostly under load; some while what an earlier kill left is recovered, and some while the last checkpoint is made.
WEIGHTS = {Moment.LOAD: 6, Moment.START: 2, Moment.STOP: 2}


def main() -> int:
    """Run the campaign and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="chooses the moments")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    arguments = parser.parse_args()
    moments = Random(arguments.seed).choices([*WEIGHTS], [*WEIGHTS.values()], k=arguments.rounds)
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="switchgear-kills-", dir=arguments.folder) as folder:
        campaign = Campaign(
            Path(folder) / "data",
            seed=arguments.seed,
            note=lambda text: print(text, file=sys.stderr, flush=True),
        )
        outcome = campaign.run(moments)
    print(outcome)
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
