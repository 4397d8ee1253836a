"""`python -m switchgear.testing.provider --port 8900`: a fake provider for agents in other processes and languages.

This module is a command, not to be imported: `switchgear.testing.provider` is the function of that name.
"""

from __future__ import annotations

import argparse
import math
from contextlib import suppress

from .fake import Latency, Provider
from .formats import PROVIDERS
from .limits import Limits
from .server import Server


def main() -> None:
    """Serve until interrupted. The limits are every account's, at each provider apart."""
    parser = argparse.ArgumentParser(
        prog="python -m switchgear.testing.provider",
        description="A model provider on this machine, which bills nobody.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests-per-minute", type=float, default=math.inf)
    parser.add_argument("--tokens-per-minute", type=float, default=math.inf)
    parser.add_argument("--first-s", type=float, default=0.0, help="latency before the first token")
    parser.add_argument("--per-output-token-s", type=float, default=0.0, help="latency of each token")
    given = parser.parse_args()
    limits = Limits(given.requests_per_minute, given.tokens_per_minute)
    provider = Provider(
        limits=dict.fromkeys(PROVIDERS, limits), latency=Latency(given.first_s, given.per_output_token_s)
    )
    with suppress(KeyboardInterrupt), Server(provider, host=given.host, port=given.port) as server:
        server.join()


if __name__ == "__main__":
    main()
