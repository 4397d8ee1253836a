"""Who is reminded of what, over which channel, and that a destination that was not reached is named."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sinks import HttpSink

from analytics.reviews.document import Action
from analytics.reviews.due import Standing, due
from cli import reminding
from cli.collectors import Asked
from policies.notices import Reminder, load, remind
from policies.notices.formats import signature, signing_key

TODAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEEK = "2026-W47"


def standing(days: int, unsigned: tuple[str, ...] = ("ann", "bob"), *, sealed: bool = False) -> Standing:
    return Standing(WEEK, TODAY - timedelta(days=days), "ab" * 32, sealed, unsigned)


def action(owner: str, days: int, state: str = "open") -> Action:
    return Action("id-1", "2026-W46", owner, "Cap the writer", TODAY - timedelta(days=days), None, state)


@pytest.mark.parametrize(
    ("reviews", "actions", "found"),
    [
        ([standing(1)], [], []),
        ([standing(2)], [], [("ann", "signature"), ("bob", "signature")]),
        ([standing(9, sealed=True)], [], []),
        ([standing(2, ())], [], [("", "signature")]),
        ([], [action("ann", 0)], []),
        ([], [action("ann", 1), action("bob", 9, "overdue")], [("ann", "action"), ("bob", "action")]),
        ([], [action("ann", 9, "done"), action("ann", 9, "dropped")], []),
        ([standing(2, ("ann",))], [action("ann", 5)], [("ann", "action"), ("ann", "signature")]),
    ],
    ids=["too soon", "unsigned", "sealed", "to seal", "due today", "overdue", "over", "the longest first"],
)
def test_whoever_has_not_signed_or_is_overdue_is_reminded(
    reviews: list[Standing], actions: list[Action], found: list[tuple[str, str]]
) -> None:
    assert [(each.owner, each.what) for each in due(TODAY, reviews, actions)] == found


def test_a_reminder_says_what_is_wanted_since_when_and_how() -> None:
    (first,) = due(TODAY, [standing(2, ("ann",))], [])
    assert first.text == (
        "ann: the review of 2026-W47 is not signed (published on 2026-11-24, 2 days ago). "
        'switchgear review sign --week 2026-W47 --hash abababababababab --name NAME --owner "ann"'
    )


def notices(folder: Path, url: str, more: str = "    tell: [review]\n", name: str = "hook") -> Path:
    (folder / "secret").write_text(SECRET)
    path = folder / "notices.yaml"
    hook = f"  - name: {name}\n    webhook: {{url: '{url}', secret: {{file: secret}}}}\n{more}"
    known = path.read_text() if path.exists() else "version: 1\nallow: [127.0.0.0/8]\ndestinations:\n"
    path.write_text(known + hook)
    return path


REMINDERS = [Reminder("ann", "ann: sign", {"owner": "ann"}), Reminder("", "seal it", {"owner": ""})]


async def told(path: Path) -> dict[str, str | None]:
    async def pause(_: float) -> None:
        """No time passes."""

    return await remind(load(path), REMINDERS, NOW, pause=pause)


async def test_each_destination_is_told_once_of_what_it_wants_signed(tmp_path: Path) -> None:
    with HttpSink() as every, HttpSink() as of_ann, HttpSink() as others:
        path = notices(tmp_path, every.url)
        notices(tmp_path, of_ann.url, "    scopes: [{owner: a*}]\n", "ann")
        notices(tmp_path, others.url, "    tell: [trip]\n", "trips")
        notices(tmp_path, others.url, "    ceilings: ['*']\n", "ceilings")
        assert await told(path) == {"hook": None, "ann": None}
        (first,), (second,) = every.posted, of_ann.posted
        assert others.posted == []
    body = json.loads(first.body)
    assert (body["type"], [each["owner"] for each in body["data"]["reminders"]]) == (
        "review.reminder",
        ["ann", ""],
    )
    assert [each["owner"] for each in json.loads(second.body)["data"]["reminders"]] == ["ann"]
    sent = first.headers
    keys = [signing_key(SECRET)]
    assert sent["webhook-signature"] == signature(
        keys, sent["webhook-id"], int(sent["webhook-timestamp"]), first.body
    )


async def test_what_is_refused_now_is_tried_again_and_what_fails_is_said_by_name(tmp_path: Path) -> None:
    with HttpSink((503, {}), (503, {})) as slow, HttpSink((410, {})) as gone:
        path = notices(tmp_path, slow.url)
        notices(tmp_path, gone.url, name="gone")
        assert await told(path) == {"hook": None, "gone": "answered 410"}
        assert (len(slow.posted), len(gone.posted)) == (3, 1)
        assert len({each.headers["webhook-id"] for each in slow.posted}) == 1


class Asking(Asked):
    """A collector that answers what a test says."""

    def get(self, path: str, params: Any = None) -> dict[str, Any]:
        if path == "/v1/reviews":
            at = "2026-11-24T06:00:00Z"
            one = {"week": WEEK, "state": "published", "published_at": at, "hash": "ab" * 32}
            return {"reviews": [{**one, "unsigned": ["ann"]}]}
        overdue = {"id": "1", "week": "2026-W46", "owner": "bob", "text": "Cap it", "due": "2026-11-20"}
        return {"actions": [], "earlier": [{**overdue, "saving": "1.5", "state": "overdue", "note": None}]}


ASK = Asking("review remind", "http://collector", None)


def test_the_verb_tells_everybody_and_fails_where_one_was_not_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpSink() as sink, HttpSink((410, {})) as gone:
        path = notices(tmp_path, sink.url)
        assert reminding.run(ASK, path, now=NOW) == 0
        (posted,) = sink.posted
        found = json.loads(posted.body)["data"]["reminders"]
        assert [(each["owner"], each["what"]) for each in found] == [("ann", "signature"), ("bob", "action")]
        notices(tmp_path, gone.url, name="gone")
        capsys.readouterr()
        assert reminding.run(ASK, path, now=NOW) == 1
        assert "gone: not delivered: answered 410" in capsys.readouterr().err


def test_a_dry_run_tells_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with HttpSink() as sink:
        assert reminding.run(ASK, notices(tmp_path, sink.url), dry_run=True, now=NOW) == 0
        assert sink.posted == []
    said = capsys.readouterr().out
    assert "ann: the review of 2026-W47 is not signed" in said
    assert "Would tell hook 2 of them." in said


def test_what_nobody_wants_to_hear_and_no_file_at_all_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpSink() as sink:
        path = notices(tmp_path, sink.url, "    scopes: [{owner: ann}]\n")
        assert reminding.run(ASK, path, now=NOW) == 1
        assert len(sink.posted) == 1
    assert "no destination of" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path.parent)
    assert reminding.run(ASK, None, now=NOW) == 2
