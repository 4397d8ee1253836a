"""`switchgear policies shadow-report`: what ceilings in shadow would have done, and what to change to enforce them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from analytics import documents
from analytics.documents import DocumentError
from collector.wire import decimal_text
from policies.files import load
from policies.model import Unit
from policies.trials.shadows import Shadow, Verdict, observed_sql, shadow_document, shadows

from .answers import key_refused, reason, stranger
from .calls import CallsError, MisuseError, instant
from .client import connect
from .console import FAILED, fail, misuse, note, plain, say
from .recordings import Wanted, progress, recorded

__all__ = ["run"]

_WITHIN_S = 60.0


def run(file: Path, wanted: Wanted, *, as_json: bool) -> int:
    """Print, for each ceiling of `file` in shadow, what it would have done; the exit code.

    0 where enforcing them would have changed nothing, 1 where it would, or where something cannot be read.
    """
    try:
        policies = load(file)
        names = {index: each.name for index, each in enumerate(policies.ceilings) if each.shadow}
        if not names:
            say(f"{file}: no ceiling is in shadow")
            return 0
        recordings = recorded(wanted, [policies])
        observed = None if wanted.calls is not None else _observed(wanted)
        places = _places(file, names)
    except DocumentError as problem:
        for line in str(problem).splitlines():
            note(line)
        return FAILED
    except MisuseError as problem:
        return misuse(f"policies shadow-report: {problem}")
    except CallsError as problem:
        return fail(f"policies shadow-report: {problem}")
    found = shadows(policies, recordings, observed, progress(str(file), len(recordings.calls)))
    placed = [(each, places[each.judged.ceiling.name]) for each in found]
    if as_json:
        document = {"file": str(file), "shadows": [_document(each, place) for each, place in placed]}
        say(json.dumps(document, indent=2))
    else:
        say(f"{len(recordings.calls):,} calls; {len(found)} of {len(policies.ceilings)} ceilings in shadow")
        for each, place in placed:
            _print(each, place, policies.currency)
    return FAILED if any(each.acts for each in found) else 0


def _places(file: Path, names: Mapping[int, str]) -> dict[str, str]:
    """By the name of a ceiling the line that puts it in shadow."""
    tree = documents.tree_of(documents.read(file), str(file))
    lines = {name: documents.place_of(tree, ("ceilings", at, "shadow")).line for at, name in names.items()}
    return {name: f"{file}:{line}" for name, line in lines.items()}


def _observed(wanted: Wanted) -> dict[str, tuple[int, int]]:
    """By policy, how often breakers in shadow opened and throttled in the range, by the collector's log."""
    start, end = (instant("", text or "") for text in (wanted.start, wanted.end))
    sql = observed_sql(start, end)
    try:
        with connect(wanted.collector, wanted.api_key, timeout_s=_WITHIN_S) as client:
            answer = client.post("/v1/query", json={"sql": sql, "params": [], "format": "json"})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise CallsError(key_refused(answer))
        if not answer.is_success:
            raise CallsError(f"the collector answered {answer.status_code}: {reason(answer)}")
        return {policy: (int(opened), int(throttled)) for policy, opened, throttled in answer.json()["rows"]}
    except httpx.HTTPError as problem:
        raise CallsError(f"no collector answers at {wanted.collector} ({problem})") from problem
    except (ValueError, KeyError, TypeError):
        raise CallsError(stranger(wanted.collector)) from None


def _print(shadow: Shadow, place: str, currency: str) -> None:
    judged = shadow.judged
    unit = "tokens" if judged.ceiling.unit is Unit.TOKENS else currency
    say(f"\n{plain(judged.ceiling.name)}: limit {decimal_text(judged.ceiling.limit)} {unit}")
    if shadow.observed is not None:
        opened, throttled = shadow.observed
        say(f"  its breakers recorded: opened {opened:,} times, throttled {throttled:,} times")
    highest = "nothing" if judged.highest is None else f"{decimal_text(judged.highest)} {unit}"
    say(
        f"  highest in its window: {highest}; breaches: {judged.breaches:,}, before {len(judged.opening.leads):,} it "
        f"was open, before {len(judged.slowing.leads):,} it slowed calls down at least"
    )
    say(
        f"  enforced it would have refused {judged.refused.calls:,} calls, let {judged.gave_up.calls:,} give up "
        f"({decimal_text(judged.refused.amount + judged.gave_up.amount)} {currency} in all, of it "
        f"{decimal_text(judged.needless.amount)} needlessly), let {judged.waited:,} wait and degraded "
        f"{judged.degraded:,}"
    )
    for line in _advice(shadow, place, unit):
        say(f"  {line}")


def _advice(shadow: Shadow, place: str, unit: str) -> Sequence[str]:
    """What to do next."""
    judged = shadow.judged
    enforce = f"to enforce it, take away `shadow: true` at {place}"
    if shadow.verdict is Verdict.IDLE:
        return [f"nothing would have changed: {enforce}"]
    if shadow.verdict is Verdict.NEEDLESS:
        above = decimal_text(judged.highest or Decimal(0))
        return [
            f"it would have stopped work that did no harm: a limit above {above} {unit} stops nothing of it,",
            f"a ladder slows it down before; then run this again. Or, if that is meant: {enforce}",
        ]
    return [f"what it stops led to breaches: {enforce}"]


def _document(shadow: Shadow, place: str) -> dict[str, Any]:
    return {**shadow_document(shadow), "to_enforce": {"place": place, "remove": "shadow: true"}}
