"""The demo of the answer cache: its questions, its checks, and a short run of all of it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cli.demo import cached
from cli.demo.cached.play import Told, checked
from cli.demo.cached.questions import MODEL, TENANTS, asked, meaning, truth
from cli.demo.rates import bill
from switchgear.testing import Log, Served
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
USAGE = Usage(100, output=10)
COST = bill(MODEL, USAGE)
PROMPT = next(asked("civic", seed=1)).prompt


def test_a_seed_fixes_what_is_asked_and_each_tenant_asks_for_itself() -> None:
    first = {tenant: list(asked(tenant, seed=7)) for tenant in TENANTS}
    assert first == {tenant: list(asked(tenant, seed=7)) for tenant in TENANTS}
    assert len({tuple(each) for each in first.values()}) == 3
    assert len(list(asked("civic", seed=7, scale=0.1))) == 70


def test_wordings_of_one_meaning_have_one_truth_and_no_two_meanings_or_tenants_share_any() -> None:
    said: dict[Any, set[str | None]] = {}
    for tenant in TENANTS:
        for question in asked(tenant, seed=7, scale=4):
            said.setdefault((tenant, meaning(question.prompt)), set()).add(truth(tenant, question.prompt))
    assert {len(each) for each in said.values()} == {1}
    assert max(Counter(next(iter(each)) for each in said.values()).values()) == 1


def test_what_is_none_of_the_questions_has_no_truth() -> None:
    assert truth("civic", "What is the weather?") is None


def told(tenant: str = "civic", served: str | None = None, said: str | None = None) -> Told:
    return Told(tenant, PROMPT, said or truth(tenant, PROMPT) or "", served, COST)


def log(calls: int) -> Log:
    billed = Served("id", "openai", MODEL, "civic", USAGE, COST, NOW, NOW, 0.0)
    return Log(served=[billed] * calls)


def row(calls: int, exact: int, semantic: int = 0) -> dict[str, Any]:
    saved = str((exact + semantic) * COST)
    return {"calls": calls, "cost": str(calls * COST), "exact": exact, "semantic": semantic, "saved": saved}


def failing(seen: list[Told], calls: int, booked: dict[str, Any]) -> list[int]:
    """The places of the checks that do not hold."""
    return [place for place, (_, holds) in enumerate(checked(seen, log(calls), [booked])) if not holds]


def test_where_all_is_as_it_should_be_every_check_holds() -> None:
    seen = [told(), told(served="exact"), told(served="semantic")]
    assert failing(seen, 1, row(1, 1, 1)) == []


@pytest.mark.parametrize(
    ("seen", "calls", "booked", "expected"),
    [
        ([told(), told(served="exact", said=truth("northwind", PROMPT))], 1, row(1, 1), [0, 1]),
        ([told(), told(served="exact", said="99 (desk civic/9/9)")], 1, row(1, 1), [1]),
        ([told(served="semantic", said="1 (desk civic/9/9)")] * 4, 0, row(0, 0, 4), [2]),
        ([told(), told()], 1, row(1, 0), [3]),
        ([told(), told(served="exact")], 1, row(2, 1), [4]),
        ([told(), told(served="exact")], 1, {**row(1, 1), "cost": "0"}, [4]),
        ([told(), told(served="exact")], 1, {**row(1, 1), "saved": "0"}, [5]),
        ([told(), told(served="exact")], 1, {**row(1, 1), "exact": 2}, [5]),
    ],
    ids=[
        *(
            "another tenant's answer",
            "a wrong exact answer",
            "too many wrong by meaning",
            "an answer too many",
        ),
        *(
            "a call booked twice",
            "a cost that is not booked",
            "a saving that is not booked",
            "one served twice",
        ),
    ],
)
def test_what_is_not_as_it_should_be_fails_its_check(
    seen: list[Told], calls: int, booked: dict[str, Any], expected: list[int]
) -> None:
    assert failing(seen, calls, booked) == expected


def test_a_short_run_saves_calls_and_holds_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert cached.run(seed=7, as_json=True, scale=0.2) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(check["holds"] for check in found["checks"])
    for each in found["tenants"]:
        assert each["calls"] + each["exact"] + each["semantic"] == 140
    # 140 questions each, of 60 meanings in three wordings: some come again word for word.
    assert sum(each["exact"] for each in found["tenants"]) > 0
    assert sum(Decimal(each["saved"] or 0) for each in found["tenants"]) > 0
