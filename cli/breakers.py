"""`switchgear breakers`: how the breakers of a running engine stand, and moving them by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .asking import NoAnswerError, Policies
from .author import author
from .console import misuse, plain, say
from .durations import duration
from .tables import table

__all__ = ["list_", "move"]

_EVERY = "*"
_DONE = {"open": "forced open", "disable": "disabled", "restore": "given back to the engine"}
_NUMBERS = ("spent", "held", "projected", "limit")


def list_(
    policies: str, api_key: str | None, *, ceilings: Sequence[str], transitions: int, as_json: bool
) -> int:
    """Print every breaker (of these ceilings, where there are any) and its last transitions; the exit code."""
    try:
        found = Policies("breakers", policies, api_key).get("/v1/breakers")
    except NoAnswerError as problem:
        return problem.code
    breakers = [each for each in found["breakers"] if not ceilings or each["ceiling"] in ceilings]
    moved = [each for each in found["transitions"] if not ceilings or each["policy"] in ceilings]
    if as_json:
        say(json.dumps({"breakers": breakers, "transitions": moved[:transitions]}, ensure_ascii=False))
        return 0
    table(
        ["ceiling", "scope", "state", *_NUMBERS, "", "until", "why"],
        (
            [
                each["ceiling"],
                scope(each["scope"]),
                f"{each['state']} (shadow)" if each["shadow"] else each["state"],
                *(each[name] for name in _NUMBERS),
                each["currency"],
                each["until"],
                each["reason"],
            ]
            for each in breakers
        ),
        numbers=_NUMBERS,
    )
    if moved and transitions:
        say("\nLast transitions")
        table(
            ["at", "ceiling", "scope", "from", "to", "by", "why"],
            (
                [
                    *(each[name] for name in ("at", "policy")),
                    scope(each["scope"]),
                    *(each[name] for name in ("from", "to", "by", "reason")),
                ]
                for each in moved[:transitions]
            ),
        )
    return 0


def move(
    do: str,
    ceilings: Sequence[str],
    *,
    every: bool,
    reason: str,
    length: str | None,
    by: str | None,
    policies: str,
    api_key: str | None,
    as_json: bool,
) -> int:
    """Force the breakers of ceilings open, disable them, or give them back (`do` open, disable, restore)."""
    verb = f"breakers {'close' if do == 'restore' else do}"
    if every == bool(ceilings):
        return misuse(f"{verb}: name the ceilings, or say --all; switchgear breakers list shows them")
    try:
        for_s = None if length is None else duration(length).total_seconds()
    except ValueError as problem:
        return misuse(f"{verb}: --for: {problem}")
    engine, moved, who = Policies(verb, policies, api_key), 0, author(by)
    order = {"do": do, "by": who, "reason": reason, "for_s": for_s}
    try:
        for ceiling in [_EVERY] if every else ceilings:
            moved += int(engine.write("/v1/breakers", {"ceiling": ceiling, **order})["ceilings"])
    except NoAnswerError as problem:
        return problem.code
    if as_json:
        say(json.dumps({"ceilings": moved, **order}, ensure_ascii=False))
    else:
        whole = f"{moved} ceiling{'' if moved == 1 else 's'} {_DONE[do]}"
        say(f"{whole}{f' for {length}' if length else ''}, by {plain(who)}: {plain(reason)}")
    return 0


def scope(parts: Mapping[str, Any]) -> str:
    """A breaker's scope on one line: "tenant=acme task=t1", or "everyone"."""
    return " ".join(f"{name}={value}" for name, value in parts.items()) or "everyone"
