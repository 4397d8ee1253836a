"""`switchgear review`: the week's cost-ownership review as files, made of the document that the collector gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from analytics.reports import iso_week
from analytics.reviews.document import Review, Signature, decoded
from analytics.reviews.files import KINDS, made
from analytics.reviews.wording import money

from .answers import stranger
from .asking import NoAnswerError
from .collectors import Asked
from .console import fail, misuse, note, plain, say

__all__ = ["REVIEWS", "asked", "run", "signatures", "week_before"]

REVIEWS = "/v1/reviews"


def asked(verb: str, collector: str, api_key: str | None, *, as_json: bool) -> Asked:
    """The collector, which tells how far a review is."""
    return Asked(verb, collector, api_key, as_json, f"{REVIEWS}/progress")


def week_before(now: datetime) -> str:
    """The last ISO week that is over at `now`, in UTC."""
    year, number, _ = (now.astimezone(UTC) - timedelta(days=7)).isocalendar()
    return f"{year}-W{number:02d}"


def run(
    ask: Asked,
    week: str,
    *,
    out: Path,
    kinds: Sequence[str] = KINDS,
    publish: bool = False,
    fresh: bool = False,
) -> int:
    """Write `review-WEEK.KIND` for each kind into `out` and say where they are; the exit code.

    0 with the files, 1 where the collector or the folder fails, 2 for a week that there is not. A week without
    calls is written all the same: that nothing was spent is a fact that an owner signs too.
    """
    try:
        iso_week(week)
    except ValueError as problem:
        return misuse(f"review: --week {problem}")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        return misuse(
            f"review: --only {plain(unknown[0])!r} is no kind of file; there are: {', '.join(KINDS)}"
        )
    try:
        found = (
            ask.write(f"{REVIEWS}/{week}/publish", {})
            if publish
            else ask.get(f"{REVIEWS}/{week}", {"fresh": "true"} if fresh else {})
        )
        document = found["document"].encode()
        review = decoded(document)
        signed = signatures(found)
    except NoAnswerError as problem:
        return problem.code
    except (KeyError, AttributeError, TypeError, msgspec.ValidationError, msgspec.DecodeError):
        return fail(f"review: {stranger(ask.url)}")
    try:
        paths = _written(document, signed, kinds, out, week, quiet=ask.as_json)
    except OSError as problem:
        return fail(
            f"review: cannot write into {out}: {problem.strerror or problem}; choose a folder with --out"
        )
    _say(review, found, paths, as_json=ask.as_json)
    return 0


def signatures(found: Mapping[str, Any]) -> list[Signature]:
    """Those of an answer."""
    return msgspec.convert(found["signatures"], list[Signature])


def _written(
    document: bytes, signed: Sequence[Signature], kinds: Sequence[str], out: Path, week: str, *, quiet: bool
) -> dict[str, Path]:
    out.mkdir(parents=True, exist_ok=True)
    paths = {}
    files = made(
        document, signed, kinds, progress=lambda kind: None if quiet else note(f"review: writing {kind}")
    )
    for kind, content in files.items():
        paths[kind] = out / f"review-{week}.{kind}"
        # Whoever reads it meanwhile has the whole of the one or of the other.
        fresh = out / f".review-{week}.{kind}"
        fresh.write_bytes(content)
        fresh.replace(paths[kind])
    return paths


def _say(review: Review, found: Mapping[str, Any], paths: Mapping[str, Path], *, as_json: bool) -> None:
    total, hash_ = review.total, found.get("hash") or found.get("own_hash")
    if as_json:
        amounts = {
            name: None if amount is None else f"{amount:f}"
            for name, amount in (
                ("actual", total.actual),
                ("plan", total.plan),
                ("variance", total.variance),
                ("week_on_week", total.change),
            )
        }
        counts = {
            "calls": total.calls,
            "unpriced_calls": total.unpriced_calls,
            "incomplete_calls": total.incomplete_calls,
            "breaker_trips": total.trips,
        }
        files = {kind: str(path) for kind, path in paths.items()}
        state = {"state": found["state"], "hash": hash_, "signatures": found["signatures"]}
        words = {"headline": " ".join(review.headline.sentences)}
        document = {"week": review.week, "currency": review.currency, **amounts, **counts}
        say(json.dumps({**document, **state, "files": files, **words}, ensure_ascii=False))
        return
    for sentence in review.headline.sentences:
        say(plain(sentence))
    for line in review.owners[:3]:
        who = line.owner or "UNOWNED"
        say(f"  {plain(who)}: {money(line.actual, review.currency)}. {plain(line.next_action)}")
    say(f"Week {review.week} is Monday {review.first_day} to Sunday {review.last_day}, in {review.zone}.")
    for path in paths.values():
        say(f"  {path}")
    if found["state"] == "draft":
        say(f"It is a draft. To have it signed: switchgear review --week {review.week} --publish")
    elif found["state"] == "published":
        sign = f"switchgear review sign --week {review.week} --hash {str(hash_)[:16]}"
        say(f"To sign it: {sign} --name NAME --owner OWNER")
