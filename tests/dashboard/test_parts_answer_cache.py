"""The Answer cache tab: its figures are the report's, what is not known is a dash, and names stay text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dashboard.parts.chargeback import statements
from dashboard.parts.showback.answer_cache import cells, drawn

HOSTILE = "![x](http://evil.example/a.png)<img src=http://evil.example/b.png><b>=1+1</b>"
COUNTS = (
    *("requests", "bypassed", "missed", "exact", "semantic", "audits", "audit_same", "audit_different"),
    *("shadows", "shadow_exact", "shadow_same", "shadow_different", "unknown"),
)
AMOUNTS = (
    *("saved", "saved_exact", "saved_semantic", "wrong", "wrong_at_most", "unjudged", "net", "audit_cost"),
    *("shadow_saved", "shadow_wrong", "shadow_unjudged", "shadow_net"),
)


def row(**told: Any) -> dict[str, Any]:
    amounts = {name: None if name not in told else Decimal(told[name]) for name in AMOUNTS}
    return {**dict.fromkeys(COUNTS, 0), **told, **amounts, "currency": told.get("currency", "USD")}


def values(told: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {name: (value, aside) for name, value, aside in cells(told)}


def test_the_hit_rate_is_of_all_that_could_have_been_served() -> None:
    told = values(
        row(exact=2, semantic=1, missed=6, audits=1, audit_same=1, net="2.50", saved="3", wrong="0.5")
    )
    # 3 of 3 + 6 + 1.
    assert told["Answered from the cache"] == ("30.0 %", "3 of 10, 1 by meaning")
    assert told["Saved, net"] == ("$2.50", "not billed, and no revenue")
    assert told["Wrong answers, taken off"][0] == "$0.5000"


def test_what_nobody_judged_is_a_dash_and_says_why() -> None:
    told = values(row(semantic=1, saved="3", unjudged="3"))
    assert told["Saved, net"][0] == "—"
    assert told["Wrong answers, taken off"] == ("—", "no audit was judged: not known")
    assert told["Not judged, not counted"][0] == "$3.00"
    assert told["Wrong in shadow"][0] == "—"


def test_a_shadow_shows_what_it_would_save_and_how_often_it_would_be_wrong() -> None:
    told = values(row(shadows=10, shadow_same=3, shadow_different=1, shadow_net="1.25"))
    assert told["Shadow would have saved"] == ("$1.25", "10 answers to serve, nothing served")
    assert told["Wrong in shadow"] == ("25.0 %", "1 of 4 judged")
    assert told["Answered from the cache"][0] == "—"


@pytest.mark.parametrize("name", [HOSTILE, None], ids=["hostile", "none"])
def test_a_name_is_a_cell_as_it_is(name: str | None) -> None:
    table = pa.Table.from_pylist([{"workload": name, **row(exact=1, missed=3, net="1")}])
    frame = drawn(table, "workload")
    assert frame["workload"].to_list() == [name or "(no workload)"]
    assert frame["hits"].to_list() == [25.0]


def test_what_was_saved_is_a_line_of_its_own_after_the_total_of_a_statement() -> None:
    line = {
        "tenant": "acme",
        "cost_centre": None,
        "workload": "w",
        "model": None,
        "what": None,
        "meter": None,
    }
    usage = {**line, "section": "usage", "currency": "USD", "tokens": 5, "cost": Decimal(3), "saved": None}
    total = {**usage, "section": "total"}
    saved = {**usage, "section": "saved", "cost": None, "tokens": 0, "saved": Decimal(2)}
    frame, _ = statements.drawn(pa.Table.from_pylist([usage, total, saved]), "cost_centre")
    assert frame["section"].to_list() == ["Usage", "Total, USD", "Saved by the cache, not billed"]
    assert frame["cost"].to_list() == [3.0, 3.0, None]
    assert frame["saved"].to_list() == [None, None, 2.0]
    assert statements.by_section([usage, total, saved], "USD") == [("Usage", Decimal(3))]
    without, _ = statements.drawn(pa.Table.from_pylist([usage, total]), "cost_centre")
    assert "saved" not in without.columns
