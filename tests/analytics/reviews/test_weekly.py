"""The schedule, by a clock of its own: every Monday once, what was missed too, and reminders once a day."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reviewed import line, review

from analytics.reviews.document import encoded, hash_of
from cli import reminding, weekly
from cli.asking import NoAnswerError
from cli.collectors import Asked

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)


@dataclass
class Clock:
    """Time passes when somebody sleeps; at `until` it ends."""

    now: datetime
    until: datetime
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        if self.now >= self.until:
            raise weekly.EndedError


class Collector(Asked):
    """Keeps what is published, at the clock's time; `away` says when it does not answer."""

    clock: Clock
    away: Callable[[datetime], bool]
    log: list[tuple[str, datetime]]
    weeks: dict[str, dict[str, Any]]

    def get(self, path: str, params: Any = None) -> dict[str, Any]:
        self._answers()
        return (
            {"reviews": list(self.weeks.values())}
            if path == "/v1/reviews"
            else self.weeks[path.split("/")[3]]
        )

    def write(self, path: str, body: Any, method: str = "POST") -> dict[str, Any]:
        self._answers()
        week = path.split("/")[3]
        self.log.append((week, self.clock.now))
        document = encoded(review([line("docs", "1")]))
        told = {"week": week, "state": "published", "signatures": [], "unsigned": ["docs"]}
        self.weeks[week] = {**told, "hash": hash_of(document), "document": document.decode()}
        return self.weeks[week]

    def _answers(self) -> None:
        if self.away(self.clock.now):
            raise NoAnswerError(1)


def collector(clock: Clock, *known: str, away: Callable[[datetime], bool] = lambda _: False) -> Collector:
    made = Collector("review", "http://collector", None)
    for name, value in (("clock", clock), ("away", lambda _: False), ("log", []), ("weeks", {})):
        object.__setattr__(made, name, value)
    for week in known:
        made.write(f"/v1/reviews/{week}/publish", {})
    made.log.clear()
    object.__setattr__(made, "away", away)
    return made


def run(ask: Collector, out: Path, notices: Path | None = None) -> int:
    clock = ask.clock
    return weekly.run(
        ask,
        out=out,
        kinds=("csv", "json"),
        at="06:00",
        notices=notices,
        now=lambda: clock.now,
        sleep=clock.sleep,
    )


def test_last_week_is_published_every_monday_at_the_time_and_once(tmp_path: Path) -> None:
    ask = collector(Clock(FRIDAY, FRIDAY + timedelta(days=16)), "2026-W46")
    assert run(ask, tmp_path / "out") == 0
    assert ask.log == [("2026-W47", MONDAY), ("2026-W48", MONDAY + timedelta(days=7))]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"review-2026-W{week}.{kind}" for week in (46, 47, 48) for kind in ("csv", "json")}


@pytest.mark.parametrize(
    ("known", "made_up"),
    [((), ["2026-W46"]), (("2026-W43",), ["2026-W44", "2026-W45", "2026-W46"]), (("2026-W46",), [])],
    ids=["never", "three Mondays away", "up to date"],
)
def test_mondays_that_were_missed_are_made_up_for_at_the_start(
    tmp_path: Path, known: tuple[str, ...], made_up: list[str]
) -> None:
    ask = collector(Clock(FRIDAY, FRIDAY + timedelta(days=1)), *known)
    assert run(ask, tmp_path) == 0
    assert [week for week, _ in ask.log] == made_up


def test_a_collector_that_is_away_is_asked_again_with_growing_pauses(tmp_path: Path) -> None:
    back = MONDAY + timedelta(minutes=20)
    clock = Clock(MONDAY, MONDAY + timedelta(hours=2))
    ask = collector(clock, "2026-W46", away=lambda now: now < back)
    assert run(ask, tmp_path) == 0
    assert clock.slept[:5] == [60, 120, 240, 480, 900]  # minutes: 1, 3, 7, 15, 30
    assert ask.log == [("2026-W47", MONDAY + timedelta(minutes=30))]


def test_reminders_leave_once_a_day_also_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[datetime] = []
    monkeypatch.setattr(reminding, "run", lambda ask, file, *, now: told.append(now) or 0)
    for hours in (30, 20, 2):
        clock = Clock(told[-1] if told else MONDAY, MONDAY + timedelta(hours=hours))
        clock.until = clock.now + timedelta(hours=hours)
        assert run(collector(clock, "2026-W47"), tmp_path, tmp_path / "notices.yaml") == 0
    assert told == [MONDAY, MONDAY + timedelta(days=1)]


def test_a_time_of_day_that_there_is_not_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = Asked("review", "http://127.0.0.1:1", None)
    assert weekly.run(ask, out=tmp_path, kinds=(), at="25:00", notices=None) == 2
    assert "--at '25:00' is no time of day; write 06:00" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_signal_ends_it_cleanly(tmp_path: Path, sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "cli", "review", "--schedule", "--collector", "http://127.0.0.1:1"]
    with subprocess.Popen([*command, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for said in running.stderr:
            if "no collector answers" in said:
                break
        running.send_signal(sent)
        assert running.wait(20) == 0
        assert running.stderr.read().strip().endswith("review: ended")
