"""The demo's model provider as a process: `python -m cli.demo.provider --port 8900`.

It is the SDK's fake provider, with prices of its own by which it bills what it serves.
"""

from __future__ import annotations

import argparse
import math
from decimal import Decimal
from functools import partial

from switchgear.testing import Latency, Limits, Provider
from switchgear.testing.server import Server

from .parent import stop_with_parent
from .rates import RATES, bill, marked_up


def main() -> None:
    """Serve until standard input closes; the limits are the openai account's."""
    parser = argparse.ArgumentParser(description="A fake model provider with real limits.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests-per-minute", type=float, default=math.inf)
    parser.add_argument("--tokens-per-minute", type=float, default=math.inf)
    parser.add_argument("--first-s", type=float, default=0.0, help="latency before the first token")
    parser.add_argument("--per-output-token-s", type=float, default=0.0, help="latency of each token")
    parser.add_argument("--markup", type=Decimal, default=Decimal(1), help="multiplies every rate")
    given = parser.parse_args()
    stop_with_parent()
    provider = Provider(
        limits={"openai": Limits(given.requests_per_minute, given.tokens_per_minute)},
        latency=Latency(given.first_s, given.per_output_token_s),
        price=partial(bill, rates=marked_up(RATES, given.markup)),
        models=RATES,
    )
    with Server(provider, port=given.port) as server:
        server.join()


if __name__ == "__main__":
    main()
