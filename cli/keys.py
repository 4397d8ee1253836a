"""`switchgear keys`: make, list, end and rotate the keys of an installation, in the file that its services read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.errors import KeyringError, StoreError
from collector.keys.keyring import FILE_NAME, Keyring, Record

from .console import fail, misuse, note, plain, say
from .durations import duration

__all__ = ["create", "list_keys", "revoke", "rotate"]

MAX_NAME = 128
_SEEN = "running services see it within 2 s"
_WIDEST = 100_000


def create(
    data: Path,
    *,
    tenants: Sequence[str],
    scopes: Sequence[str],
    options: Sequence[str],
    name: str,
    expires: str | None,
    as_json: bool,
) -> int:
    """Make a key and print its secret, alone on stdout: it is shown this once. The exit code."""
    now = datetime.now(UTC)
    keyring = Keyring(data / FILE_NAME)
    if len(name) > MAX_NAME:
        return misuse(f"keys create: --name has {len(name)} characters; a name has at most {MAX_NAME}")
    try:
        expires_at = None if expires is None else now + duration(expires)
        is_first = not keyring.records()
        record, secret = keyring.create(
            tenants, scopes, options=options, name=name, now=now, expires_at=expires_at
        )
    except (KeyringError, ValueError) as problem:
        return misuse(f"keys create: {problem}")
    except StoreError as problem:
        return fail(f"keys create: {problem}")
    _hand_over(record, secret, now, as_json=as_json)
    if is_first:
        note(f"it is the first key: from now on every request needs one; {_SEEN}")
    return 0


def list_keys(data: Path, *, as_json: bool) -> int:
    """Print every key that was made, without its secret, which nobody knows; the exit code."""
    path = data / FILE_NAME
    try:
        records = Keyring(path).records()
    except StoreError as problem:
        return fail(f"keys list: {problem}")
    now = datetime.now(UTC)
    if as_json:
        say(json.dumps([_document(record, now) for record in records], ensure_ascii=False))
    elif records:
        _print(records, now)
    else:
        say(f"no keys in {path}; make one with: switchgear keys create --help")
    return 0


def revoke(data: Path, key_id: str) -> int:
    """End a key; the exit code."""
    try:
        record = Keyring(data / FILE_NAME).revoke(key_id, now=datetime.now(UTC))
    except KeyringError as problem:
        return misuse(f"keys revoke: {problem}")
    except StoreError as problem:
        return fail(f"keys revoke: {problem}")
    assert record.revoked_at is not None  # noqa: S101 - that is what it was called for
    say(f"{record.key.id} was revoked at {_time(record.revoked_at)}; {_SEEN}")
    return 0


def rotate(data: Path, key_id: str, *, overlap: str, expires: str | None, as_json: bool) -> int:
    """Make a key with the rights of another, which ends after the overlap; print the new secret. The exit code."""
    now = datetime.now(UTC)
    try:
        record, secret = Keyring(data / FILE_NAME).rotate(
            key_id,
            now=now,
            until=now + duration(overlap),
            expires_at=None if expires is None else now + duration(expires),
        )
    except (KeyringError, ValueError) as problem:
        return misuse(f"keys rotate: {problem}")
    except StoreError as problem:
        return fail(f"keys rotate: {problem}")
    _hand_over(record, secret, now, as_json=as_json)
    note(f"{key_id} goes on for {overlap}; give the new secret to whoever uses it before that")
    return 0


def _hand_over(record: Record, secret: str, now: datetime, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps({**_document(record, now), "secret": secret}, ensure_ascii=False))
    else:
        say(secret)
    rights = [f"scopes {_list(sorted(record.key.scopes))}"]
    rights += [f"tenants {_list(record.key.tenants)}"] if record.key.tenants else []
    rights += [f"until {_time(record.expires_at)}"] if record.expires_at else []
    note(f"{record.key.id}: {'; '.join(rights)}. Its secret is shown this once and kept as a hash only")


def _document(record: Record, now: datetime) -> dict[str, Any]:
    def time(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "id": record.key.id,
        "name": record.name,
        "state": record.state(now),
        "tenants": list(record.key.tenants),
        "scopes": sorted(record.key.scopes),
        "options": sorted(record.key.options),
        "created_at": time(record.created_at),
        "expires_at": time(record.expires_at),
        "revoked_at": time(record.revoked_at),
        "replaces": record.replaces,
    }


def _print(records: Sequence[Record], now: datetime) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("id", "name", "state", "tenants", "scopes", "options", "created", "ends", "replaces"):
        table.add_column(column)
    for record in records:
        ends = record.revoked_at or record.expires_at
        cells = (
            *(record.key.id, record.name or "-", record.state(now)),
            *(_list(each) or "-" for each in (record.key.tenants, sorted(record.key.scopes))),
            _list(sorted(record.key.options)) or "-",
            *(_time(record.created_at), "-" if ends is None else _time(ends), record.replaces or "-"),
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    Console(width=_WIDEST).print(table)


def _list(names: Sequence[str]) -> str:
    return plain(", ".join(names))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
