"""Backup and restore: a copy under load is consistent, is checked, and rolls forward from the journal."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from otlp_samples import Served, llm_span, request

from collector.errors import StoreError
from collector.facts.backup import MANIFEST, restore, take
from collector.facts.store import FILE_NAME, Store

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Serve = Callable[..., Served]


def totals(served: Served) -> list[Any]:
    return served.rows("SELECT count(*), count(DISTINCT span_id), sum(cost) FROM calls")[0]


def test_a_backup_under_load_is_restored_and_rolled_forward_to_every_acknowledged_call(
    serve: Serve, tmp_path: Path
) -> None:
    served = serve(tmp_path / "data")
    acknowledged: list[int] = []
    enough, stop = threading.Event(), threading.Event()

    def send() -> None:
        for number in range(1, 400):
            if served.send(request([llm_span(number)])).status_code == 200:
                acknowledged.append(number)
            if number == 40:
                enough.set()
            if stop.is_set():
                return

    sender = threading.Thread(target=send)
    sender.start()
    assert enough.wait(60)
    answer = served.http.post("/v1/backups")
    assert answer.status_code == 200, answer.text
    stop.set()
    sender.join(60)
    before = totals(served)
    served.stop()
    manifest = answer.json()
    assert 40 <= manifest["calls"] <= len(acknowledged)

    (tmp_path / "data" / FILE_NAME).write_bytes(b"not a database any more")
    restored = restore(Path(manifest["folder"]), tmp_path / "data", NOW)
    assert restored.calls == manifest["calls"]
    again = serve(tmp_path / "data")
    assert again.http.get("/v1/feed?after=0&wait=20&limit=10000").status_code == 200
    while totals(again)[0] < len(acknowledged):
        again.http.get("/v1/feed", params={"after": totals(again)[0], "wait": 5})
    assert totals(again) == before
    assert before[0] == before[1] == len(acknowledged)


def test_a_backup_alone_holds_what_its_manifest_says(serve: Serve, tmp_path: Path) -> None:
    served = serve(tmp_path / "data")
    served.send(request([llm_span(number) for number in range(1, 8)]))
    manifest = served.http.post("/v1/backups").json()
    assert manifest["calls"] == 7
    restore(Path(manifest["folder"]), tmp_path / "elsewhere", NOW)
    again = serve(tmp_path / "elsewhere")
    count, _, cost = totals(again)
    assert (count, Decimal(cost)) == (7, Decimal(manifest["cost"]["USD"]))


def test_a_backup_carries_the_files_of_the_ledger_and_a_restore_puts_them_back(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    store = Store(data)
    manifest = data / "ledger" / "2026-10" / "manifest.json"
    (data / "ledger" / ".2026-11.closing").mkdir(parents=True)
    manifest.parent.mkdir()
    manifest.write_bytes(b"closed")
    manifest.chmod(0o444)
    (data / "ledger" / "HEAD.json").write_bytes(b"then")
    assert {"ledger/HEAD.json", "ledger/2026-10/manifest.json"} <= take(store, data, copy, NOW).files.keys()
    store.close()
    (data / "ledger" / "HEAD.json").write_bytes(b"now")
    restore(copy, data, NOW)
    assert (manifest.read_bytes(), manifest.stat().st_mode & 0o777) == (b"closed", 0o444)
    assert (data / "ledger" / "HEAD.json").read_bytes() == b"then"
    assert not (data / "ledger" / ".2026-11.closing").exists()
    (aside,) = data.glob("ledger.replaced-*")
    assert (aside / "HEAD.json").read_bytes() == b"now"
    (copy / "ledger" / "HEAD.json").write_bytes(b"forged")
    with pytest.raises(StoreError, match="was changed since the backup was taken"):
        restore(copy, data, NOW)


def test_a_backup_that_was_changed_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    take(store, tmp_path / "data", tmp_path / "copy", NOW)
    store.close()
    with (tmp_path / "copy" / FILE_NAME).open("r+b") as file:
        file.seek(100)
        file.write(b"x")
    with pytest.raises(StoreError, match="was changed since the backup was taken"):
        restore(tmp_path / "copy", tmp_path / "data", NOW)


def test_nothing_is_restored_under_a_running_collector(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    take(store, tmp_path / "data", tmp_path / "copy", NOW)
    path = str(tmp_path / "data")
    code = f"from pathlib import Path; from collector.facts.store import Store; s = Store(Path({path!r}))"
    store.close()
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{code}; print('open', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(StoreError, match="is in use; stop the collector"):
        restore(tmp_path / "copy", tmp_path / "data", NOW)
    holder.communicate("\n", timeout=20)


@pytest.mark.parametrize("missing", [MANIFEST, FILE_NAME])
def test_a_backup_that_is_not_whole_is_refused(tmp_path: Path, missing: str) -> None:
    store = Store(tmp_path / "data")
    take(store, tmp_path / "data", tmp_path / "copy", NOW)
    store.close()
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(StoreError, match=missing.replace(".", r"\.")):
        restore(tmp_path / "copy", tmp_path / "data", NOW)
