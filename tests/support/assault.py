"""Assault: schemathesis against the running services, with requests made from their OpenAPI documents.

No request may bring a 5xx, and each answer must be one that the document names: its status, its content type, its form.
What a schema cannot say (SQL that parses, counts that add up, an idempotency key used twice) is not held against them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server import SWITCHGEAR, Collector, Server
from serving import free_ports

__all__ = ["Report", "assault", "services"]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
# Without these a request may wait for news that does not come, and most reports would be asked for by no name.
SETTINGS_NAME = "schemathesis.toml"
SETTINGS = """
[parameters]
"query.wait" = 0

[[operations]]
include-name = "GET /v1/reports/{name}"
parameters = { name = "spend" }
"""
_CASES = re.compile(r"(\d+) generated")


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one run."""

    cases: int
    passed: bool
    text: str


@contextmanager
def services(folder: Path) -> Iterator[Sequence[Server]]:
    """Collector, policies and cache on a fresh folder, all ready."""
    (folder / SETTINGS_NAME).write_text(SETTINGS)
    collector = Collector(folder / "data")
    port, cache_port = map(str, free_ports(2))
    policies = Server(
        [
            *(SWITCHGEAR, "serve", "policies", "--data", folder / "data"),
            *("--collector", collector.url, "--port", port),
        ],
        f"http://127.0.0.1:{port}",
        ready="/readyz",
        log=folder / "policies.log",
    )
    cache = Server(
        [SWITCHGEAR, "serve", "cache", "--data", folder / "data", "--port", cache_port],
        f"http://127.0.0.1:{cache_port}",
        ready="/readyz",
        log=folder / "cache.log",
    )
    try:
        for service in (collector, policies, cache):
            service.wait_ready()
        yield collector, policies, cache
    finally:
        cache.kill()
        policies.kill()
        collector.kill()


def assault(service: Server, folder: Path, *, phases: str, cases: int, seed: int) -> Report:
    """Send up to `cases` requests to each operation of the service; `folder` is that of `services`."""
    ran = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", folder / SETTINGS_NAME),
            *("run", f"{service.url}/openapi.json", "--phases", phases, "--checks", ",".join(CHECKS)),
            *("--max-examples", str(cases), "--seed", str(seed), "--continue-on-failure", "--no-color"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    found = _CASES.search(ran.stdout)
    return Report(int(found[1]) if found else 0, ran.returncode == 0, ran.stdout + ran.stderr)
