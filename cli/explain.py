"""`switchgear policies explain`: which ceilings apply to a call and why, by a file, or by the running engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from collector.wire import decimal_text
from policies.caching.words import told_of
from policies.calendars import Calendar
from policies.files import PolicyFileError, load
from policies.model import Ceiling, PolicySet, Unit, Who
from policies.trials.matching import Match, matches
from switchgear.tier import Tier

from .asking import NoAnswerError, Policies
from .breakers import scope as scope_text
from .console import FAILED, misuse, note, plain, say
from .tables import table

__all__ = ["by_engine", "by_file"]

Named = Mapping[str, str | None]
_NUMBERS = ("spent", "held", "projected", "limit")


def by_file(file: Path, named: Named, decision: str | None, *, as_json: bool) -> int:
    """Print each ceiling of `file` and whether it counts a call of whom `named` names; the exit code."""
    if decision is not None:
        return misuse("policies explain: a decision is known to the engine that made it; leave the file out")
    if not named["tenant"] or not named["workload"]:
        return misuse("policies explain: say whose calls: --tenant and --workload")
    try:
        policies = load(file)
        tier = None if named["tier"] is None else Tier.parse(named["tier"])
    except PolicyFileError as problem:
        for line in str(problem).splitlines():
            note(line)
        return FAILED
    except ValueError as problem:
        return misuse(f"policies explain: --tier: {problem}")
    who = _who(policies, named, tier)
    found, cache = matches(policies, who), told_of(policies, who.tenant, who.workload)
    if as_json:
        ceilings = [_document(each) for each in found]
        caching = policies.caching.of(who.tenant, who.workload)
        terms = None if caching is None else caching.document
        say(json.dumps({"who": _parts(who), "ceilings": ceilings, "cache": cache, "terms": terms}, indent=2))
        return 0
    say(f"{scope_text(_parts(who))}: {_applying(sum(each.scope is not None for each in found))}")
    table(
        ["ceiling", "applies", "scope", "limit", "window", "shadow", "why not"],
        (
            [
                each.ceiling.name,
                "no" if each.scope is None else "yes",
                None if each.scope is None else scope_text(dict(sorted(each.scope))),
                _limit(each.ceiling, policies.currency),
                _window(each.ceiling),
                "yes" if each.ceiling.shadow else None,
                each.why_not,
            ]
            for each in found
        ),
    )
    if cache is not None:
        say(plain(cache))
    return 0


def by_engine(
    named: Named, decision: str | None, *, policies: str, api_key: str | None, as_json: bool
) -> int:
    """Print what every ceiling of the running engine says, now or in a decision that it made; the exit code."""
    asked = {name: value for name, value in named.items() if value is not None}
    if decision is None and not {"tenant", "workload"} <= asked.keys():
        return misuse(
            "policies explain: say whose calls: --tenant and --workload, or which decision: --decision ID"
        )
    if decision is not None and asked:
        return misuse("policies explain: a decision has its scope: leave --tenant and the like out")
    if decision is not None:
        asked = {"decision": decision}
    try:
        found = Policies("policies explain", policies, api_key).get("/v1/explain", asked)
    except NoAnswerError as problem:
        return problem.code
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _print(found)
    return 0


def _print(found: Mapping[str, Any]) -> None:
    told = found["decision"]
    say(f"{scope_text(found['who'])}: {told['action']}: {told['reason']} ({told['id']} at {found['at']})")
    table(
        ["", "ceiling", "scope", "state", "says", *_NUMBERS, "", "why"],
        (
            [
                "=>" if each["restricts"] else "",
                each["ceiling"],
                scope_text(each["scope"]),
                f"{each['state']} (shadow)" if each["shadow"] else each["state"],
                each["action"],
                *(each[name] for name in _NUMBERS),
                each["currency"],
                each["reason"],
            ]
            for each in found["ceilings"]
        ),
        numbers=_NUMBERS,
    )
    for each in found["ceilings"]:
        if each["shadow"]:
            say(f"{each['ceiling']} is in shadow: what it says is recorded and not acted upon")
    if found.get("cache") is not None:
        say(plain(found["cache"]))


def _who(policies: PolicySet, named: Named, tier: Tier | None) -> Who:
    tenant, workload = named["tenant"] or "", named["workload"] or ""
    declared = policies.workload(tenant, workload)
    tier = tier or (declared.tier if declared else Tier.BATCH)
    owner = declared.owner if declared else None
    return Who(tenant, workload, tier, named["task"], named["provider"], named["model"], owner)


def _parts(who: Who) -> dict[str, str]:
    names = ("tenant", "workload", "tier", "task", "owner", "provider", "model")
    return {name: str(value) for name in names if (value := getattr(who, name)) is not None}


def _applying(count: int) -> str:
    return f"{count or 'no'} ceiling{' applies' if count == 1 else 's apply'}"


def _document(match: Match) -> dict[str, Any]:
    ceiling = match.ceiling
    return {
        "ceiling": ceiling.name,
        "applies": match.scope is not None,
        "scope": None if match.scope is None else dict(sorted(match.scope)),
        "limit": decimal_text(ceiling.limit),
        "unit": ceiling.unit.value,
        "window_s": ceiling.window_s,
        "shadow": ceiling.shadow,
        "why_not": match.why_not,
    }


def _limit(ceiling: Ceiling, currency: str) -> str:
    return f"{decimal_text(ceiling.limit)} {'tokens' if ceiling.unit is Unit.TOKENS else currency}"


def _window(ceiling: Ceiling) -> str:
    if isinstance(ceiling.window, Calendar):
        return f"each {ceiling.window.cut} ({ceiling.window.zone.key})"
    return "each task" if ceiling.window is None else f"{ceiling.window.length_s:g} s"
