"""What is sealed comes out the same, byte for byte, whatever was booked since; and it anchors the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from ledgers import OWNED
from reviewed import WEEK, Reviewing, of

from analytics.ledger.anchors import HEAD
from analytics.reviews.files import KINDS

TUESDAY = datetime(2026, 11, 17, 9, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 5, tzinfo=UTC)
YEARS_LATER = datetime(2028, 1, 3, tzinfo=UTC)


def files(url: str, out: Path) -> dict[str, bytes]:
    """The week's files as a process of its own writes them."""
    command = [sys.executable, "-m", "cli", "review", "--week", WEEK, "--out", str(out), "--collector", url]
    subprocess.run(command, check=True, capture_output=True)
    return {kind: (out / f"review-{WEEK}.{kind}").read_bytes() for kind in KINDS}


def sealed(running: Reviewing) -> None:
    hash_ = running.http.post(f"/v1/reviews/{WEEK}/publish").json()["hash"]
    for owner, name in (("ann", "Ann Lee"), ("", "Fin")):
        signing = {"owner": owner, "name": name, "hash": hash_}
        assert running.http.post(f"/v1/reviews/{WEEK}/signatures", json=signing).status_code == 200


def test_a_sealed_week_has_the_same_bytes_after_a_restart_another_day_and_more_calls(tmp_path: Path) -> None:
    with Reviewing(tmp_path / "data", DECEMBER) as running:
        assert running.http.put("/v1/registry", json=OWNED).status_code == 200
        running.book(of("acme", "writer", 1, TUESDAY), of("globex", "bot", 2, TUESDAY))
        sealed(running)
        first = files(running.url, tmp_path / "first")
    with Reviewing(tmp_path / "data", YEARS_LATER) as running:
        running.book(of("acme", "writer", 3, TUESDAY), of("acme", "new", 4, TUESDAY + timedelta(days=1)))
        moved = {
            "workloads": [{"tenant": "acme", "workload": "writer", "owner": "zoe", "cost_centre": "CC-9"}]
        }
        assert running.http.put("/v1/registry", json=moved).status_code == 200
        again = files(running.url, tmp_path / "again")
        fresh = running.http.get(f"/v1/reviews/{WEEK}", params={"fresh": "true"}).json()
        assert "zoe" in fresh["document"]  # what would be said now is another thing
    assert {kind: again[kind] == first[kind] for kind in KINDS} == dict.fromkeys(KINDS, True)


def test_a_cut_tail_is_found_by_a_signed_review_alone(tmp_path: Path) -> None:
    with Reviewing(tmp_path / "data", DECEMBER) as running:
        assert running.http.put("/v1/registry", json=OWNED).status_code == 200
        running.book(of("acme", "writer", 1, TUESDAY), of("globex", "bot", 2, TUESDAY))
        close = running.http.post("/v1/ledger/periods/2026-11/close", json={"by": "Ann"})
        assert close.status_code == 200, close.text
        sealed(running)
        cover = json.loads(running.http.get(f"/v1/reviews/{WEEK}").json()["document"])["cover"]
        head = running.http.get("/v1/ledger/head").json()
        assert f"{cover['ledger_seq']}:{cover['ledger_hash']}" == head["anchor"]
        assert running.http.get("/v1/ledger/verify").json()["findings"] == []
        last = cover["ledger_seq"]
        running.sql(f"DELETE FROM ledger_entries WHERE seq = {last}")
        ((hash_,),) = running.sql(f"SELECT hash FROM ledger_entries WHERE seq = {last - 1}")
        path = running.data / "ledger" / HEAD
        path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "seq": last - 1, "hash": hash_}))
        found = running.http.get("/v1/ledger/verify").json()["findings"]
    anchors = [each["text"] for each in found if each["what"] == "anchor"]
    assert anchors == [
        f"the tail is cut: the ledger ends with entry {last - 1}, and the review of {WEEK} has entry {last}"
    ]
