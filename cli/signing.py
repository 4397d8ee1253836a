"""`switchgear review sign`, `status` and `action`: who has signed a week, and what is to be done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from .asking import said
from .collectors import Asked
from .console import FAILED, misuse, plain, say
from .review import REVIEWS
from .tables import table

__all__ = ["actions", "change", "decide", "sign", "status"]


@said
def sign(ask: Asked, week: str, *, owner: str, name: str, hash_: str, note: str | None) -> int:
    """Sign the week's review for the cost of `owner`, or with "" for all of it."""
    body = {"owner": owner, "name": name, "hash": hash_, "note": note}
    found = ask.write(f"{REVIEWS}/{week}/signatures", body)
    if ask.as_json:
        say(json.dumps(found))
        return 0
    whose = f"the cost of {plain(owner)}" if owner else "all of it: the week is sealed"
    say(f"{week} is signed by {plain(name)} for {whose}.")
    if found["unsigned"] and found["state"] != "sealed":
        say(f"Not signed yet: {', '.join(map(plain, found['unsigned']))}")
    return 0


@said
def status(ask: Asked) -> int:
    """Print the reviews that were published; exit 1 where a signature is wanted."""
    found = ask.get(REVIEWS)["reviews"]
    if ask.as_json:
        say(json.dumps({"reviews": found}))
    elif not found:
        say("No review was published yet: switchgear review --week WEEK --publish")
    else:
        rows = [
            (
                each["week"],
                each["state"],
                each["published_at"],
                ", ".join(one["name"] for one in each["signatures"]),
                ", ".join(each["unsigned"]) if each["state"] != "sealed" else "",
                each["hash"][:16],
            )
            for each in found
        ]
        table(("week", "state", "published at", "signed by", "wanted of", "hash"), rows)
    return FAILED if any(each["state"] != "sealed" for each in found) else 0


@said
def actions(ask: Asked, week: str) -> int:
    """Print what was decided in a week, and what of earlier weeks is open; exit 1 where something is overdue."""
    found = ask.get(f"{REVIEWS}/{week}/actions")
    every = [*found["actions"], *found["earlier"]]
    if ask.as_json:
        say(json.dumps(found))
    elif not every:
        say(f"Nothing was decided in {week}, and nothing of earlier weeks is open.")
    else:
        table(("week", "owner", "what", "due", "state", "note", "id"), [_row(each) for each in every])
    return FAILED if any(each["state"] == "overdue" for each in every) else 0


@said
def decide(ask: Asked, week: str, *, owner: str, text: str, due: str, saving: str | None) -> int:
    """Note what an owner is to do."""
    try:
        date.fromisoformat(due)
    except ValueError:
        return misuse(f"review action add: --due {plain(due)!r} is no day; write 2026-11-30")
    try:
        is_fit = saving is None or Decimal(saving) >= 0
    except InvalidOperation:
        is_fit = False
    if not is_fit:
        return misuse(f"review action add: --saving {plain(saving or '')!r} is no amount; write 120.00")
    found = ask.write(
        f"{REVIEWS}/{week}/actions", {"owner": owner, "text": text, "due": due, "saving": saving}
    )
    say(json.dumps(found) if ask.as_json else f"Noted for {plain(owner)}, due {due}: {found['id']}")
    return 0


@said
def change(ask: Asked, action: str, state: str, note: str | None) -> int:
    """Say what became of an action."""
    found = ask.write(f"{REVIEWS}/actions/{action}", {"state": state, "note": note}, method="PATCH")
    say(json.dumps(found) if ask.as_json else f"{plain(action)} is {state}.")
    return 0


def _row(each: Mapping[str, Any]) -> tuple[object, ...]:
    return (each["week"], each["owner"], each["text"], each["due"], each["state"], each["note"], each["id"])
