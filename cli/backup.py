"""`switchgear backup` and `restore`: a consistent copy of the collector's data, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from collector.errors import StoreError

from .answers import key_refused, stranger
from .client import connect
from .console import fail, misuse, say

__all__ = ["backup", "restore"]

# A copy of 10 M calls is some GB: the disk decides.
_WITHIN_S = 600.0


def backup(*, collector: str, api_key: str | None, as_json: bool) -> int:
    """Have a running collector copy its data into a new folder beside it, and print where; the exit code."""
    try:
        with connect(collector, api_key, timeout_s=_WITHIN_S) as client:
            answer = client.post("/v1/backups")
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(
            f"backup: no collector answers at {collector} ({problem}); "
            "without a running one, copying its data folder is a backup"
        )
    except UnicodeEncodeError:
        return misuse("backup: SWITCHGEAR_API_KEY holds a character that no key has")
    except ValueError:
        return fail(f"backup: {stranger(collector)}")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return fail(f"backup: {key_refused(answer)}")
    if answer.status_code != 200:
        return fail(f"backup: {found.get('detail', answer.status_code)}")
    if as_json:
        say(json.dumps(found))
    else:
        say(f"{found['folder']}: {_content(found)}")
    return 0


def restore(source: Path, *, data: Path, as_json: bool) -> int:
    """Put a backup in place of what is in `data`, which is moved aside; the exit code."""
    if not source.is_dir():
        return misuse(f"restore: {source} is no folder; name the one that `switchgear backup` printed")
    # It brings the database with it, which `backup` leaves to the collector.
    from collector.facts.backup import restore as put_back

    try:
        manifest = put_back(source, data, datetime.now(UTC))
    except StoreError as problem:
        return fail(f"restore: {problem}")
    if as_json:
        say(json.dumps({"data": str(data.resolve()), **asdict(manifest)}))
    else:
        say(f"{data}: {_content(asdict(manifest))}; what was there is beside it as *.replaced-*")
    return 0


def _content(found: dict[str, Any]) -> str:
    cost = ", ".join(f"{amount} {currency}" for currency, amount in found["cost"].items()) or "no known cost"
    return f"{found['calls']} calls, {cost}, as of {found['taken_at']}"
