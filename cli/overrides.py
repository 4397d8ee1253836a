"""`switchgear override`: another limit for a ceiling, for a time."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from switchgear.money import Money

from .asking import NoAnswerError, Policies
from .author import author
from .breakers import scope
from .console import misuse, plain, say
from .durations import duration
from .tables import table

__all__ = ["grant", "list_", "revoke"]


def grant(
    ceiling: str,
    *,
    limit: str,
    length: str,
    reason: str,
    by: str | None,
    named: dict[str, str | None],
    policies: str,
    api_key: str | None,
    as_json: bool,
) -> int:
    """Give `ceiling` another limit for a time, in the scope that `named` has values for; the exit code."""
    try:
        for_s = duration(length).total_seconds()
    except ValueError as problem:
        return misuse(f"override grant: --for: {problem}")
    if not limit.endswith(" tokens"):
        try:
            Money.parse(limit)
        except ValueError as problem:
            return misuse(f"override grant: --limit: {problem}")
    within = {name: value for name, value in named.items() if value is not None}
    order = {"limit": limit, "for_s": for_s, "by": author(by), "reason": reason}
    try:
        made = Policies("override grant", policies, api_key).write(
            "/v1/overrides", {"ceiling": ceiling, "scope": within, **order}
        )
    except NoAnswerError as problem:
        return problem.code
    if as_json:
        say(json.dumps(made, ensure_ascii=False))
    else:
        whose = f" ({scope(within)})" if within else ""
        say(f"{plain(ceiling)}{whose} has a limit of {limit} for {length}: {_text(made['id'])}")
        say(f"To end it before: switchgear override revoke {_text(made['id'])}")
    return 0


def list_(policies: str, api_key: str | None, *, as_json: bool) -> int:
    """Print the overrides that hold; the exit code."""
    try:
        found = Policies("override list", policies, api_key).get("/v1/overrides")
    except NoAnswerError as problem:
        return problem.code
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    else:
        table(
            ["id", "ceiling", "scope", "limit", "until", "by", "why"],
            (
                [
                    *(each[name] for name in ("id", "ceiling")),
                    scope(each["scope"]),
                    *(each[name] for name in ("limit", "until", "by", "reason")),
                ]
                for each in found["overrides"]
            ),
        )
    return 0


def revoke(override: str, *, reason: str, by: str | None, policies: str, api_key: str | None) -> int:
    """End an override now; the exit code."""
    try:
        Policies("override revoke", policies, api_key).end(
            f"/v1/overrides/{quote(override, safe='')}", {"by": author(by), "reason": reason}
        )
    except NoAnswerError as problem:
        return problem.code
    say(f"{plain(override)} is over: the ceiling's own limit holds")
    return 0


def _text(value: Any) -> str:
    return plain(str(value))
