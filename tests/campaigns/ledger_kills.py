"""`make ledger-kills`: fifty `kill -9` at random moments of a close; exit 1 where one left a month half closed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ledger_killing import LedgerCampaign, months


def main() -> int:
    """Run the campaign and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, choices=range(1, len(months())), metavar="N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="chooses the moments")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="switchgear-ledger-kills-", dir=arguments.folder) as folder:
        campaign = LedgerCampaign(
            Path(folder) / "data",
            seed=arguments.seed,
            note=lambda text: print(text, file=sys.stderr, flush=True),
        )
        outcome = campaign.run(arguments.rounds)
    print(outcome)
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
