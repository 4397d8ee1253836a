"""`make engine-kills`: fifty `kill -9` of a policy engine under load; exit 1 where a grant was lost or came back."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from engine_killing import Campaign, Moment

WEIGHTS = {Moment.LOAD: 4, Moment.START: 1}


def main() -> int:
    """Run the campaign and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
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
