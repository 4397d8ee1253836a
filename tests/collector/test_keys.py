"""Keys: what they say, how they are kept, and who passes with them."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from waiting import until

from collector.errors import DeniedError, KeyringError, StoreError
from collector.keys.access import Access
from collector.keys.key import EVERYTHING, ROOT, Key, unfit
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.rules import OPEN, Everywhere, Rules

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Rules(
    {
        "GET /healthz": OPEN,
        "GET /v1/reports": ("read", "owner"),
        "GET /v1/reports/{name}": ("read", "owner"),
        "POST /v1/grants/{id}:settle": ("decide",),
        "GET /metrics": (Everywhere("read"),),
    }
)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "data" / FILE_NAME)


def access(keyring: Keyring, **options: Any) -> Access:
    return Access(RULES, keyring, **{"clock": NOW.timestamp, **options})


def status(access: Access, secret: str | None, route: str = "GET /v1/reports") -> int:
    """What a request is told: 200 where it may pass."""
    method, path = route.split()
    try:
        access.admit(method, path, "" if secret is None else f"Bearer {secret}")
    except DeniedError as denied:
        return denied.status
    return 200


# -- what a key says


@pytest.mark.parametrize(
    ("tenants", "tenant", "speaks"),
    [
        (("acme",), "acme", True),
        (("acme",), "acme-eu", False),
        (("acme",), "Acme", False),
        (("acme", "globex"), "globex", True),
        (("acme-*",), "acme-eu", True),
        (("acme-*",), "acme", False),
        (("*-eu",), "acme-eu", True),
        (("*",), "anyone", True),
        (("a?c[me]*",), "a?c[me] west", True),
        (("a?c[me]*",), "abcm west", False),
        ((), "acme", False),
    ],
    ids=str,
)
def test_a_key_speaks_for_the_tenants_of_its_set(
    tenants: tuple[str, ...], tenant: str, *, speaks: bool
) -> None:
    assert Key("k", tenants, frozenset({"ingest"})).speaks_for(tenant) is speaks


@pytest.mark.parametrize(
    ("tenants", "scopes", "options", "says"),
    [
        (["acme"], ["ingst"], [], "did you mean ingest?"),
        (["acme"], ["owner:"], [], "did you mean owner:NAME?"),
        (["acme"], ["everything"], [], "there are: admin, decide"),
        (["acme"], [], [], "needs a scope"),
        ([], ["read"], [], "name each, a pattern such as 'acme-*', or '*' for all"),
        (["acme"], ["internal"], [], "give it tenant '*'"),
        (["a\nb"], ["read"], [], "tenant 'a\\nb' is no name"),
        (["x" * 129], ["read"], [], "1 to 128 characters"),
        (["acme"], ["read"], ["cost_span"], "did you mean cost_spans?"),
    ],
)
def test_rights_that_cannot_be_are_named_with_what_to_write(
    tenants: list[str], scopes: list[str], options: list[str], says: str
) -> None:
    (finding,) = unfit(tenants, scopes, options)
    assert says in finding


# -- how keys are kept


def test_the_file_holds_no_secret_and_only_its_owner_may_read_it(keyring: Keyring, tmp_path: Path) -> None:
    record, secret = keyring.create(["acme"], ["ingest"], now=NOW, name="agents", options=["cost_spans"])
    assert secret.startswith(f"{record.key.id}_")
    assert len(secret) - len(record.key.id) - 1 == 43  # 256 bits, six in a character
    file = tmp_path / "data" / FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [FILE_NAME]
    content = file.read_bytes()
    assert record.key.id.encode() in content
    assert secret.encode() not in content
    assert secret.removeprefix(record.key.id)[1:].encode() not in content


def test_what_is_kept_is_what_was_made(keyring: Keyring) -> None:
    assert keyring.records() == []
    first, _ = keyring.create(["acme", "é"], ["read", "owner:ann"], now=NOW, name="a", expires_at=NOW + DAY)
    second, _ = keyring.create(["*"], ["admin"], now=NOW + DAY, options=["cost_spans"])
    assert keyring.records() == [first, second]
    assert first.key.tenants == ("acme", "é")


def test_a_rotated_key_goes_on_for_the_overlap_and_its_successor_lives_as_long_again(
    keyring: Keyring,
) -> None:
    old, old_secret = keyring.create(["acme"], ["read"], now=NOW, name="a", expires_at=NOW + 90 * DAY)
    later = NOW + 80 * DAY
    new, new_secret = keyring.rotate(old.key.id, now=later, until=later + DAY, expires_at=None)
    assert (new.replaces, new.name, new.key.scopes) == (old.key.id, "a", old.key.scopes)
    assert new.expires_at == later + 90 * DAY
    for at, passes in ((later, (200, 200)), (later + DAY, (401, 200)), (later + 90 * DAY, (401, 401))):
        door = access(keyring, clock=at.timestamp)
        assert (status(door, old_secret), status(door, new_secret)) == passes


def test_an_overlap_does_not_lengthen_a_key(keyring: Keyring) -> None:
    old, _ = keyring.create(["acme"], ["read"], now=NOW, expires_at=NOW + DAY)
    keyring.rotate(old.key.id, now=NOW, until=NOW + 9 * DAY, expires_at=None)
    assert keyring.records()[0].expires_at == NOW + DAY


def test_a_key_that_has_ended_cannot_be_rotated_and_ends_once(keyring: Keyring) -> None:
    record, _ = keyring.create(["acme"], ["read"], now=NOW)
    assert keyring.revoke(record.key.id, now=NOW).revoked_at == NOW
    assert keyring.revoke(record.key.id, now=NOW + DAY).revoked_at == NOW
    with pytest.raises(KeyringError, match="is revoked; make a new one"):
        keyring.rotate(record.key.id, now=NOW, until=NOW + DAY, expires_at=None)
    with pytest.raises(KeyringError, match="no key 'sg_nobody'"):
        keyring.revoke("sg_nobody", now=NOW)


def test_keys_made_at_once_are_all_kept(keyring: Keyring) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keyring.create(["acme"], ["read"], now=NOW)[0].key.id, range(24)))
    assert sorted(each.key.id for each in keyring.records()) == sorted(set(made))


def test_a_copy_of_the_file_is_whole(keyring: Keyring, tmp_path: Path) -> None:
    _, secret = keyring.create(["acme"], ["read"], now=NOW)
    shutil.copy(tmp_path / "data" / FILE_NAME, tmp_path / "copy.sqlite")
    assert status(access(Keyring(tmp_path / "copy.sqlite")), secret) == 200


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE keyring SET schema_version = 2", "has schema 2, this switchgear knows 1"),
        ("DROP TABLE keyring", "none of switchgear's"),
    ],
)
def test_a_file_of_something_else_or_newer_is_refused(
    keyring: Keyring, tmp_path: Path, statement: str, says: str
) -> None:
    keyring.create(["acme"], ["read"], now=NOW)
    with sqlite3.connect(tmp_path / "data" / FILE_NAME) as con:
        con.execute(statement)
    con.close()
    with pytest.raises(StoreError, match=says):
        access(keyring)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("no database, and longer than its header would be" * 40)
    with pytest.raises(StoreError, match="cannot use the key file"):
        access(Keyring(tmp_path / FILE_NAME))


# -- who passes


def test_who_may_pass(keyring: Keyring) -> None:
    _, reader = keyring.create(["acme"], ["read"], now=NOW)
    _, everywhere = keyring.create(["*"], ["read"], now=NOW)
    _, agent = keyring.create(["acme"], ["ingest", "decide"], now=NOW)
    _, owner = keyring.create([], ["owner:ann"], now=NOW)
    _, admin = keyring.create(["acme"], ["admin"], now=NOW)
    door = access(keyring, root="the root key")
    routes = ("GET /v1/reports", "GET /v1/reports/spend", "POST /v1/grants/g1:settle", "GET /metrics")
    passes = {
        None: (401, 401, 401, 401),
        reader: (200, 200, 403, 403),
        everywhere: (200, 200, 403, 200),
        agent: (403, 403, 200, 403),
        owner: (200, 200, 403, 403),
        admin: (200, 200, 200, 403),
        "the root key": (200, 200, 200, 200),
    }
    assert {each: tuple(status(door, each, route) for route in routes) for each in passes} == passes
    assert status(door, None, "GET /healthz") == 200


def test_only_a_bearer_token_is_a_key(keyring: Keyring) -> None:
    _, secret = keyring.create(["acme"], ["read"], now=NOW)
    door = access(keyring)
    for given in (
        secret,
        f"Basic {secret}",
        f"Bearer {secret}x",
        f"Bearer {secret}, Bearer {secret}",
        "Bearer",
    ):
        with pytest.raises(DeniedError) as denied:
            door.admit("GET", "/v1/reports", given)
        assert denied.value.status == 401
    assert door.admit("GET", "/v1/reports", f"bearer  {secret}").tenants == ("acme",)


def test_a_route_without_a_rule_is_not_served(keyring: Keyring) -> None:
    door = access(keyring)
    assert status(door, None, "GET /v1/nothing") == 404
    assert status(door, None, "GET /v1/reports/") == 404
    assert status(door, None, "GET /v1/reports/a/b") == 404
    with pytest.raises(DeniedError) as denied:
        door.admit("PUT", "/v1/reports", "")
    assert (denied.value.status, denied.value.allow) == (405, ["GET"])


def test_nothing_is_told_apart_in_what_is_refused(keyring: Keyring) -> None:
    """Not by the words, and not by the time: the same lines run for each."""
    known, secret = keyring.create(["acme"], ["read"], now=NOW)
    revoked, revoked_secret = keyring.create(["acme"], ["read"], now=NOW)
    keyring.revoke(revoked.key.id, now=NOW)
    _, expired = keyring.create(["acme"], ["read"], now=NOW - DAY, expires_at=NOW)
    door = access(keyring, root="the root key")
    wrong = {
        "known, wrong secret": f"{known.key.id}_{'A' * 43}",
        "unknown": f"sg_000000000000_{'A' * 43}",
        "revoked": revoked_secret,
        "expired": expired,
        "of no form": "x",
    }
    assert status(door, secret) == 200
    told = {}
    for name, given in wrong.items():
        lines: list[int] = []

        def trace(frame: FrameType, event: str, _: object, lines: list[int] = lines) -> Any:
            if event == "line":
                lines.append(frame.f_lineno)
            return trace

        sys.settrace(trace)
        try:
            door.admit("GET", "/v1/reports", f"Bearer {given}")
        except DeniedError as denied:
            told[name] = (str(denied), denied.status, lines)
        finally:
            sys.settrace(None)
    assert len(told) == len(wrong)
    assert all(each == told["unknown"] for each in told.values()), told


# -- what a running service sees


def test_a_running_service_sees_what_changes(keyring: Keyring) -> None:
    door = access(keyring)
    assert door.admit("GET", "/metrics", "") is EVERYTHING
    record, secret = keyring.create(["acme"], ["read"], now=NOW)
    door.refresh()
    assert (status(door, None), status(door, secret)) == (401, 200)
    keyring.revoke(record.key.id, now=NOW)
    door.refresh()
    assert (status(door, None), status(door, secret)) == (401, 401)


def test_a_revoked_key_is_seen_without_being_asked_to_look(keyring: Keyring) -> None:
    record, secret = keyring.create(["acme"], ["read"], now=NOW)
    door = access(keyring)
    door.start()
    keyring.revoke(record.key.id, now=NOW)
    until(lambda: status(door, secret) == 401, "the revocation is seen")
    door.close()


def test_a_key_that_has_ended_meanwhile_is_told_before_an_answer_that_took_long(keyring: Keyring) -> None:
    now = NOW.timestamp()
    door = access(keyring, root="r", keyless=True, clock=lambda: now)
    anybody = door.admit("GET", "/v1/reports", "")
    door.check(anybody)
    record, revoked = keyring.create(["acme"], ["read"], now=NOW)
    _, expiring = keyring.create(["acme"], ["read"], now=NOW, expires_at=NOW + DAY)
    door.refresh()
    keys = [door.admit("GET", "/v1/reports", f"Bearer {each}") for each in (revoked, expiring, "r")]
    for key in keys:
        door.check(key)
    keyring.revoke(record.key.id, now=NOW)
    door.refresh()
    now += DAY.total_seconds()
    for key in (anybody, *keys[:2]):
        with pytest.raises(DeniedError):
            door.check(key)
    door.check(keys[2])


def test_a_root_key_closes_the_door_unless_it_is_for_the_services_alone(keyring: Keyring) -> None:
    assert status(access(keyring, root="r"), None) == 401
    among_services = access(keyring, root="r", keyless=True)
    assert (status(among_services, None), status(among_services, "anything")) == (200, 200)
    keyring.create(["acme"], ["read"], now=NOW)
    among_services.refresh()
    assert status(among_services, None) == 401
    assert among_services.admit("GET", "/metrics", "Bearer r") is ROOT


def test_a_key_of_the_file_is_no_root_key_whoever_names_it_so(keyring: Keyring) -> None:
    _, secret = keyring.create(["*"], ["internal"], now=NOW)
    assert status(access(keyring, root=secret), secret, "GET /metrics") == 403
    unknown = "sg_000000000000_" + "A" * 43
    assert status(access(Keyring(Path("/nowhere")), root=unknown), unknown) == 401


def test_a_file_that_goes_away_opens_no_door(keyring: Keyring, tmp_path: Path) -> None:
    _, secret = keyring.create(["acme"], ["read"], now=NOW)
    door = access(keyring)
    (tmp_path / "data" / FILE_NAME).unlink()
    door.refresh()
    assert (status(door, None), status(door, secret)) == (401, 401)


def test_a_file_put_in_its_place_is_read(keyring: Keyring, tmp_path: Path) -> None:
    _, secret = keyring.create(["acme"], ["read"], now=NOW)
    other = Keyring(tmp_path / "other.sqlite")
    _, new_secret = other.create(["acme"], ["read"], now=NOW)
    door = access(keyring)
    (tmp_path / "other.sqlite").rename(tmp_path / "data" / FILE_NAME)
    door.refresh()
    assert (status(door, secret), status(door, new_secret)) == (401, 200)


def test_a_file_that_cannot_be_read_leaves_the_keys_and_is_logged_once(
    keyring: Keyring, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, secret = keyring.create(["acme"], ["read"], now=NOW)
    door = access(keyring)
    (tmp_path / "data" / FILE_NAME).write_text("no database, and longer than its header would be" * 40)
    with caplog.at_level(logging.ERROR):
        door.refresh()
        door.refresh()
    assert (status(door, None), status(door, secret)) == (401, 200)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "keys are those that were read last"
    ]
