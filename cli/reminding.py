"""`switchgear review remind`: owners are told what they have not signed, and which actions are overdue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from analytics.reviews.document import Action
from analytics.reviews.due import AFTER_DAYS, Due, Standing, due
from policies.notices import NoticeFileError, NoticeSet, Reminder, load, remind, wanted

from .asking import said
from .collectors import Asked
from .console import FAILED, fail, misuse, note, plain, say
from .paths import notice_path
from .review import REVIEWS

__all__ = ["run"]


@said
def run(
    ask: Asked,
    file: Path | None,
    *,
    dry_run: bool = False,
    after_days: int = AFTER_DAYS,
    now: datetime | None = None,
) -> int:
    """Remind whoever has something to do, in one message for each destination; the exit code.

    0 where all that is due was told, or nothing is due; 1 where a destination was not reached or nobody wants it.
    """
    at = now or datetime.now(UTC)
    path = notice_path(file)
    if path is None and not dry_run:
        return misuse(
            "review remind: there is no notices.yaml; name one with --notices (docs/notifications.md)"
        )
    try:
        told = load(path) if path is not None else NoticeSet(())
    except NoticeFileError as refused:
        for line in str(refused).splitlines():
            note(line)
        return FAILED
    found = _found(ask, at.date(), after_days)
    reminders = [Reminder(each.owner, each.text, _data(each)) for each in found]
    listeners = {each.name: wanted(each, reminders) for each in told.destinations}
    problems = {} if dry_run else asyncio.run(remind(told, reminders, at))
    _say(found, listeners, problems, as_json=ask.as_json, dry_run=dry_run)
    heard = {id(each) for some in listeners.values() for each in some}
    unheard = [each for each in reminders if id(each) not in heard]
    if unheard and not dry_run:
        return fail(
            f"review remind: no destination of {path} wants {len(unheard)} of them, such as of "
            f'{plain(unheard[0].owner) or "all of it"!r}: write "review" under its tell, and the owner in its scopes'
        )
    return FAILED if any(problems.values()) else 0


def _found(ask: Asked, today: date, after_days: int) -> list[Due]:
    """What is due by the collector."""
    reviews = [
        Standing(
            each["week"],
            datetime.fromisoformat(each["published_at"]).date(),
            each["hash"],
            each["state"] == "sealed",
            each["unsigned"],
        )
        for each in ask.get(REVIEWS)["reviews"]
    ]
    year, number, _ = today.isocalendar()
    listed = ask.get(f"{REVIEWS}/{year}-W{number:02d}/actions")
    actions = msgspec.convert([*listed["actions"], *listed["earlier"]], list[Action], strict=False)
    return due(today, reviews, actions, after_days)


def _data(each: Due) -> dict[str, str]:
    return {
        "owner": each.owner,
        "what": each.what,
        "week": each.week,
        "since": each.since.isoformat(),
        "text": each.text,
    }


def _say(
    found: Sequence[Due],
    listeners: Mapping[str, Sequence[Reminder]],
    problems: Mapping[str, str | None],
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    if as_json:
        destinations: list[dict[str, Any]] = [
            {"name": name, "reminders": len(some), "error": problems.get(name)}
            for name, some in listeners.items()
        ]
        reminders = [_data(each) for each in found]
        say(json.dumps({"reminders": reminders, "destinations": destinations, "sent": not dry_run}))
        return
    if not found:
        say("Nobody has to be reminded.")
    for each in found:
        say(plain(each.text))
    for name, some in listeners.items():
        if not some:
            continue
        if dry_run:
            say(f"Would tell {plain(name)} {len(some)} of them.")
        elif (problem := problems.get(name)) is not None:
            note(f"review remind: {plain(name)}: not delivered: {plain(problem)}")
        else:
            say(f"Told {plain(name)} {len(some)} of them.")
