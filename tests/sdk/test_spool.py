"""What waits on the disk while the collector is away: bounded, whole, private, and adopted when its process is dead."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchgear.export.complaints import Complaints
from switchgear.export.folder import group_of
from switchgear.export.spool import Spool
from switchgear.settings import Settings

MIB = 1024 * 1024


def settings(folder: Path, **given: object) -> Settings:
    return Settings.read(environ={}, spool=folder, **given)


def spool(folder: Path, **given: object) -> Spool:
    return Spool(settings(folder, **given), Complaints())


def bodies(kept: Spool) -> list[bytes]:
    """All that waits, in order; it waits no longer."""
    found = []
    while (oldest := kept.oldest()) is not None:
        found.append(oldest.body)
        kept.done(oldest)
    return found


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_what_is_kept_comes_back_oldest_first_and_once(folder: Path) -> None:
    kept = spool(folder)
    for body in (b"one", b"two", b"three"):
        assert kept.put(body, 1)
    assert kept.waiting == 3
    assert bodies(kept) == [b"one", b"two", b"three"]
    assert (kept.waiting, files(folder)) == (0, [])


def test_when_it_is_full_the_oldest_stay_and_the_dropped_are_counted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = spool(folder, spool_mb=1)
    big = 400 * 1024  # two fit into 1,024 KiB, three do not
    placed = [kept.put(bytes([number]) * big, 7) for number in range(4)]
    assert placed == [True, True, False, False]
    assert kept.dropped == 2 * 7
    assert [body[0] for body in bodies(kept)] == [0, 1]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("7 spans with billing records were dropped")


def test_processes_share_the_room_of_one_folder(folder: Path) -> None:
    one, other = spool(folder, spool_mb=1), spool(folder, spool_mb=1)
    assert one.put(b"x" * 800 * 1024, 1)
    assert not other.put(b"x" * 800 * 1024, 1)


def test_its_folders_and_files_are_the_users_own(folder: Path) -> None:
    kept = spool(folder, api_key="sgk_secret")
    kept.put(b"body", 1)
    group = group_of(kept.settings)
    modes = {
        path.relative_to(folder).parts[-1]: stat.S_IMODE(path.stat().st_mode)
        for path in (group, *group.rglob("*"))
    }
    assert {mode for name, mode in modes.items() if name.endswith((".spans", "lock"))} == {0o600}
    assert {mode for name, mode in modes.items() if not name.endswith((".spans", "lock"))} == {0o700}
    everything = " ".join(map(str, folder.rglob("*"))).encode() + b"".join(
        path.read_bytes() for path in files(folder)
    )
    assert b"secret" not in everything


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:-1],
        lambda content: content[:10],
        lambda content: b"",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:11] + bytes([content[11] ^ 1]) + content[12:],
        lambda content: b"something else" * 10,
    ],
    ids=["a byte short", "no whole head", "empty", "a bit of the body", "a bit of the count", "foreign"],
)
def test_a_damaged_file_is_set_aside_and_the_rest_is_served(
    folder: Path, harm: object, caplog: pytest.LogCaptureFixture
) -> None:
    kept = spool(folder)
    for body in (b"one", b"two", b"three"):
        kept.put(body, 1)
    second = files(folder)[1]
    second.write_bytes(harm(second.read_bytes()))  # type: ignore[operator]
    assert bodies(kept) == [b"one", b"three"]
    (aside,) = files(folder)
    assert aside.name == f"{second.name}.damaged"
    assert "damaged and set aside" in caplog.text


def test_what_cannot_lie_on_the_disk_waits_in_memory_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("no folder can be here")
    kept = spool(blocked / "spool")
    assert kept.put(b"one", 1)
    assert kept.put(b"two", 1)
    assert not kept.put(b"x" * 8 * MIB, 3)  # all that memory may hold
    assert kept.dropped == 3
    assert bodies(kept) == [b"one", b"two"]
    assert sum("the spool cannot be written" in record.getMessage() for record in caplog.records) == 1


def test_what_waits_in_memory_goes_to_the_disk_at_the_end_where_it_can(tmp_path: Path) -> None:
    blocked = tmp_path / "spool"
    blocked.write_text("no folder can be here")
    kept = spool(blocked)
    kept.put(b"one", 1)
    blocked.unlink()
    kept.close()
    assert kept.dropped == 0
    heir = spool(blocked)
    heir.adopt()
    assert bodies(heir) == [b"one"]


def test_what_only_memory_may_hold_is_dropped_at_the_end_and_counted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = spool(folder, spool_mb=0)
    kept.put(b"one", 5)
    kept.close()
    assert kept.dropped == 5
    assert "the process ends" in caplog.text
    assert not kept.put(b"two", 1)  # it is closed


def test_with_no_room_on_disk_wanted_nothing_lies_there(folder: Path) -> None:
    kept = spool(folder, spool_mb=0)
    assert kept.put(b"one", 1)
    assert bodies(kept) == [b"one"]
    assert not folder.exists()


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"XDG_STATE_HOME": "STATE"}, "STATE/switchgear/spool"),
        ({"HOME": "HOME"}, "HOME/.local/state/switchgear/spool"),
    ],
    ids=["XDG", "home"],
)
def test_without_a_folder_given_it_is_one_of_the_user(
    environ: dict[str, str], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert group_of(Settings.read(environ={})).parent == tmp_path / where


KEEPER = """
import sys, time
from pathlib import Path
from switchgear.export.complaints import Complaints
from switchgear.export.spool import Spool
from switchgear.settings import Settings
kept = Spool(Settings.read(environ={}, spool=Path(sys.argv[1])), Complaints())
kept.put(b"theirs", 1)
print("kept", flush=True)
time.sleep(60)
"""


@pytest.fixture
def keeper(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which keeps one body and lives."""
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
        yield process
        process.kill()


def test_what_a_killed_process_left_is_adopted_by_one_and_not_before(
    folder: Path, keeper: subprocess.Popen[str]
) -> None:
    one, other = spool(folder), spool(folder)
    one.adopt()
    assert one.waiting == 0  # it lives
    keeper.kill()
    keeper.wait()
    one.adopt()
    other.adopt()
    assert (one.waiting, other.waiting) == (1, 0)
    assert bodies(one) == [b"theirs"]
    assert list(group_of(one.settings).iterdir()) == []  # its folder went with its last file


def test_only_the_same_collector_and_key_adopt(folder: Path) -> None:
    left = spool(folder, api_key="one")
    left.put(b"body", 1)
    left.close()
    for given in ({"api_key": "two"}, {}, {"api_key": "one", "collector": "http://elsewhere:4318"}):
        stranger = spool(folder, **given)
        stranger.adopt()
        assert stranger.waiting == 0
    heir = spool(folder, api_key="one")
    heir.adopt()
    assert bodies(heir) == [b"body"]


def test_a_fork_child_leaves_its_parents_files_alone(folder: Path) -> None:
    kept = spool(folder)
    kept.put(b"the parent's", 1)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        kept.forget()
        kept.adopt()
        kept.put(b"the child's", 1)
        os.write(writes, f"{kept.waiting} {kept.oldest().body.decode()}".encode())  # type: ignore[union-attr]
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reads, 100) == b"1 the child's"
    os.close(reads)
    os.close(writes)
    kept.adopt()
    assert bodies(kept) == [b"the parent's", b"the child's"]


def test_a_closed_spool_leaves_what_waits_and_no_empty_folder(folder: Path) -> None:
    with_nothing, with_one = spool(folder), spool(folder)
    for kept in (with_nothing, with_one):
        kept.put(b"body", 1)
    bodies(with_nothing)
    with_nothing.close()
    with_one.close()
    assert len(list(group_of(with_one.settings).iterdir())) == 1


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a file system is mounted by root alone"
)
def test_on_a_full_disk_what_comes_waits_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        kept = spool(small)
        placed = [kept.put(bytes([number]) * 100_000, 1) for number in range(4)]
        assert placed == [True] * 4
        assert len(files(small)) == 2  # of 256 KiB, the third does not fit; nor is a part of it left
        assert "the spool cannot be written" in caplog.text
        assert [body[0] for body in bodies(kept)] == [0, 1, 2, 3]
        kept.close()
    finally:
        subprocess.run(["umount", str(small)], check=True)
