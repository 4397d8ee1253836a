"""LiteLLM's proxy in an environment of its own, with our callback, as a process before the local provider.

`make test-litellm` makes the environment. A key of the proxy is "sk-TEAM-ALIAS".
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml
from serving import PLAIN, free_ports

__all__ = ["ENVIRONMENT", "proxy"]

ENVIRONMENT = Path(__file__).parents[2] / "build" / "litellm"
_STARTS_WITHIN_S = 90.0

# Teams and aliases of keys come from LiteLLM's database, or from whoever authenticates instead of it.
_KEYS = """
from litellm.proxy._types import UserAPIKeyAuth


async def known(request, api_key):
    _, team, alias = api_key.split("-")
    return UserAPIKeyAuth(
        api_key=api_key, key_alias=alias or None, team_id=f"id-of-{team}" if team else None, team_alias=team or None
    )
"""


@contextmanager
def proxy(
    home: Path,
    models: Mapping[str, Mapping[str, object]],
    router: Mapping[str, object],
    callback: str,
    **env: str,
) -> Iterator[str]:
    """A proxy for these models (name -> parameters), at the address that it answers at.

    `callback` is the Python that makes it; `env` are SWITCHGEAR_ settings, in small letters.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "keys.py").write_text(_KEYS)
    (home / "guarding.py").write_text(callback)
    config = {
        "model_list": [{"model_name": name, "litellm_params": dict(each)} for name, each in models.items()],
        "router_settings": dict(router),
        "litellm_settings": {"callbacks": ["guarding.callback"]},
        "general_settings": {"custom_auth": "keys.known", "master_key": f"sk-{secrets.token_hex(32)}"},
    }
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    command = [
        ENVIRONMENT / "bin" / "litellm",
        "--config",
        "config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
        "SWITCHGEAR_SPOOL": str(home / "spool"),
        **{f"SWITCHGEAR_{name.upper()}": value for name, value in env.items()},
    }
    with (home / "proxy.log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, home / "proxy.log")
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    with httpx.Client(trust_env=False, verify=PLAIN) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(f"{url}/health/liveliness").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
    print(log.read_text()[-4000:], file=sys.stderr)  # noqa: T201 - or nobody learns why
    raise RuntimeError("LiteLLM's proxy did not start")
