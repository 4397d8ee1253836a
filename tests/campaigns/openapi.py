"""`make schemathesis`: ten thousand requests made from the OpenAPI documents; exit 1 where one finds fault."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

from assault import assault, services

PHASES = "examples,coverage,fuzzing"
CASES_AN_OPERATION = 100


def main() -> int:
    """Assault the services in turn, with new seeds, until so many requests were sent; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="the first seed")
    arguments = parser.parse_args()
    sent = 0
    with tempfile.TemporaryDirectory(prefix="switchgear-openapi-") as folder, services(Path(folder)) as all_:
        for seed in itertools.count(arguments.seed):
            for service in all_:
                report = assault(service, Path(folder), phases=PHASES, cases=CASES_AN_OPERATION, seed=seed)
                sent += report.cases
                print(f"seed {seed}: {report.cases} requests to {service.url}, {sent} in all", flush=True)
                if not report.passed:
                    print(report.text)
                    return 1
            if sent >= arguments.cases:
                print(f"{sent} requests; none brought a 5xx or an answer that is not documented")
                return 0
    raise AssertionError("seeds do not end")


if __name__ == "__main__":
    sys.exit(main())
