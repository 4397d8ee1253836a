"""What is odd about a call: it is booked all the same, and the call says so."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import booked

from collector.call import Flag
from switchgear.usage import Usage

GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
}
READ, WRITTEN = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens"
REASONING, TOTAL = "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.total_tokens"
BEDROCK = "opentelemetry.instrumentation.bedrock"


@pytest.mark.parametrize(
    ("attributes", "scope", "usage"),
    [
        ({}, "", Usage(1000, output=50)),
        ({TOTAL: 1050}, "", Usage(1000, output=50)),
        ({READ: 600, WRITTEN: 100, TOTAL: 1050}, "", Usage(1000 - 600 - 100, 600, 100, output=50)),
        ({READ: 600, TOTAL: 1050}, BEDROCK, Usage(1000, 600, output=50)),
        ({READ: 600, TOTAL: 1000 + 600 + 50}, BEDROCK, Usage(1000, 600, output=50)),
        ({READ: 1600}, BEDROCK, Usage(1000, 1600, output=50)),
        ({REASONING: 50}, "", Usage(1000, output=50, reasoning=50)),
        ({"gen_ai.usage.input_tokens": None, READ: 600}, "", Usage(0, 600, output=50)),
        ({"gen_ai.usage.output_tokens": None, TOTAL: 1050}, "", Usage(1000)),
        ({TOTAL: "many"}, "", Usage(1000, output=50)),
    ],
    ids=[
        *("plain", "total", "cached", "known to leave out", "the same with all", "more cached, known"),
        *("all reasoning", "no input", "no output", "total no number"),
    ],
)
def test_counts_that_agree_are_not_flagged(attributes: dict[str, Any], scope: str, usage: Usage) -> None:
    found = booked({**GENAI, **attributes}, scope)
    assert (found.usage, found.flags) == (usage, ())


@pytest.mark.parametrize(
    ("attributes", "usage"),
    [
        # The emitter counts the cached tokens beside the input: none of its parts is left out.
        ({READ: 900, WRITTEN: 200}, Usage(1000, 900, 200, output=50)),
        ({REASONING: 80}, Usage(1000, output=50 + 80, reasoning=80)),
        # The total is never billed.
        ({TOTAL: 5000}, Usage(1000, output=50)),
        ({TOTAL: 0}, Usage(1000, output=50)),
    ],
    ids=["more cached than input", "more reasoning than output", "total above", "total below"],
)
def test_counts_that_contradict_each_other_are_flagged_and_the_parts_believed(
    attributes: dict[str, Any], usage: Usage
) -> None:
    found = booked({**GENAI, **attributes})
    assert (found.usage, found.flags) == (usage, (Flag.INCONSISTENT,))


def test_a_call_that_ends_before_it_begins_has_no_end_and_says_so() -> None:
    found = booked(GENAI, end_ns=0)
    assert (found.ended_at, found.flags) == (None, (Flag.CLOCK,))


def test_all_that_is_odd_is_told_in_the_order_of_the_alphabet() -> None:
    found = booked({**GENAI, TOTAL: 1}, end_ns=0, flags=(Flag.DUPLICATE_KEYS, Flag.TRUNCATED))
    assert found.flags == (Flag.CLOCK, Flag.DUPLICATE_KEYS, Flag.INCONSISTENT, Flag.TRUNCATED)
    assert list(found.flags) == ["clock", "duplicate_keys", "inconsistent", "truncated"]
