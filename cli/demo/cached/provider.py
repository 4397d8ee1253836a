"""The provider of this demo as a process: it answers each tenant's questions with what is true for that tenant."""

from __future__ import annotations

import argparse
import json
from functools import partial

from switchgear.testing import Latency, Provider
from switchgear.testing.server import Server

from ..parent import stop_with_parent
from ..rates import RATES, bill
from .questions import truth

_FIRST_S = 0.01


def says(tenant: str, body: bytes) -> str | None:
    """The answer to a request of a tenant; None: the fake provider makes something up."""
    messages = json.loads(body).get("messages") or [{}]
    return truth(tenant, str(messages[-1].get("content")))


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description="A fake model provider that knows the right answers.")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    stop_with_parent()
    provider = Provider(latency=Latency(_FIRST_S), price=partial(bill, rates=RATES), models=RATES, says=says)
    with Server(provider, port=given.port) as server:
        server.join()


if __name__ == "__main__":
    main()
