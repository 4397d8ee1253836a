"""Top workloads: caps that history suggests, what they would have refused, and lines that the policy engine reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from audited import MONDAY, WEEK, audit, call, stored
from hypothesis import given
from hypothesis import strategies as st

from analytics.audits.caps import Cap, Costs, of_day, of_task, policy, rounded_up
from analytics.audits.top_workloads import audit_top_workloads
from collector.call import Call
from collector.reporting import ReportError
from policies.files import parse

HOUR, DAY = 3600.0, 86_400.0


def tasks(weeks_ago: int, costs: Sequence[int], *, prefix: str, calls: int = 1, **fields: Any) -> list[Call]:
    """A task for each of `costs` in cents, ten minutes apart from the week's Monday on, in so many calls each."""
    start = -weeks_ago * 7 * DAY
    return [
        call(start + place * 600 + turn, f"{prefix}-{place}", output=cost // calls, **fields)
        for place, cost in enumerate(costs)
        for turn in range(calls)
    ]


def rows(calls: Sequence[Call], **params: str) -> list[dict[str, Any]]:
    with stored(calls) as store:
        return audit(store, "audit_top_workloads", **params)


PAST = tasks(1, [100] * 20, prefix="past")


def test_a_cap_for_tasks_is_what_past_tasks_cost_times_a_margin() -> None:
    (row,) = rows([*PAST, *tasks(0, [100], prefix="now")])
    assert (row["cap"], row["limit"]) == ("task", Decimal("1.5"))  # 20 tasks of 1.00, times 1.5
    assert row["basis"].startswith("the largest of 20 tasks before")
    assert row["refused_calls"] == 0


def test_a_runaway_is_refused_from_the_call_on_at_which_the_cap_was_spent() -> None:
    # 10.00 in 20 calls of 0.50: after three of them 1.50 is spent, so that 17 are refused.
    runaway = tasks(0, [1000], prefix="runaway", calls=20)
    (row,) = rows([*PAST, *runaway, *tasks(0, [100] * 5, prefix="now", tenant="acme", sent=7)])
    assert (row["refused_calls"], row["refused_cost"]) == (17, Decimal("8.50"))
    assert (row["refused_tasks"], row["refused_succeeded_tasks"], row["refused_unknown_tasks"]) == (1, 0, 1)
    assert row["recommended"]
    assert row["limit"] == Decimal("1.5")


def test_what_a_task_spent_before_the_range_counts_towards_its_cap() -> None:
    # 1.40 on Sunday, then 0.20 and 0.20: the first of these passes 1.50, the second is refused.
    early = [call(-60, "long", output=140), call(60, "long", output=20), call(120, "long", output=20)]
    (row,) = rows([*PAST, *early])
    assert (row["refused_calls"], row["refused_cost"]) == (1, Decimal("0.20"))


def test_sub_agents_of_the_workload_share_the_cap_of_their_task() -> None:
    family = [
        call(10 * turn, f"sub-{turn}", root_task_id="root", parent_task_id="root", output=100)
        for turn in range(4)
    ]
    (row,) = rows([*PAST, *family])
    assert (row["refused_calls"], row["refused_tasks"]) == (2, 1)  # 1.00, 2.00: from then on


def test_the_harm_is_told_of_tasks_that_ended_well() -> None:
    runaway = tasks(0, [1000], prefix="runaway", calls=20)
    with stored([*PAST, *runaway]) as store:
        store.cursor().execute(
            "INSERT INTO task_ends BY NAME SELECT 1 AS seq, booked_at, identity_hash, tenant, workload, task_id,"
            " task_id AS root_task_id, 'succeeded' AS outcome, started_at, ended_at, trace_id, span_id, scope"
            " FROM booked WHERE task_id = 'runaway-0' LIMIT 1"
        )
        (row,) = audit(store, "audit_top_workloads")
    assert (row["refused_succeeded_tasks"], row["refused_succeeded_cost"]) == (1, Decimal("8.50"))
    assert row["refused_unknown_tasks"] == 0


def test_a_day_that_is_beyond_those_of_the_past_is_cut_at_the_day_cap() -> None:
    # Four weeks of 24 calls a day at 0.10 each = 2.40; on Tuesday each hour costs 1.00.
    past = [call((hour - 28 * 24) * HOUR, None, output=10) for hour in range(28 * 24)]
    now = [call(hour * HOUR, None, output=100 if 24 <= hour < 48 else 10) for hour in range(7 * 24)]
    (row,) = rows([*past, *now])
    assert (row["cap"], row["limit"]) == ("day", Decimal("3.6"))  # 2.40 x 1.5
    # 4.00 is spent after four calls of Tuesday; the other 20 are refused. Other days stay below.
    assert (row["refused_calls"], row["refused_cost"]) == (20, Decimal("20.00"))


def test_workloads_are_ranked_by_what_is_at_stake_then_by_cost() -> None:
    calm = tasks(1, [1000] * 20, prefix="p", workload="dear") + tasks(
        0, [1000] * 20, prefix="n", workload="dear"
    )
    found = rows([*PAST, *calm, *tasks(0, [1000], prefix="runaway", calls=20)], top="2")
    assert [row["workload"] for row in found] == ["writer", "dear"]
    assert [row["place"] for row in found] == [1, 2]
    assert len({row["place"] for row in rows([*PAST, *calm, *tasks(0, [5], prefix="x")], top="1")}) == 1


def test_without_history_there_is_no_cap_and_it_says_so() -> None:
    (row,) = rows(tasks(0, [100] * 5, prefix="now"))
    assert (row["cap"], row["limit"], row["policy"], row["growth"]) == (None, None, None, None)
    assert row["basis"].startswith("too little history")


def test_growth_is_over_the_median_of_earlier_times() -> None:
    past = [
        each
        for weeks, cost in ((1, 100), (2, 100), (3, 900))
        for each in tasks(weeks, [cost], prefix=f"w{weeks}")
    ]
    (row,) = rows([*past, *tasks(0, [300], prefix="now")], weeks="3")
    assert (row["usual_cost"], row["growth"]) == (Decimal("1.00"), 3.0)


@pytest.mark.parametrize(
    "workload", ["writer", "true", "no", 'with "quotes": {and} #signs', "it's", "ü - 7", "12"]
)
@pytest.mark.parametrize("per", ["task", "day"])
def test_the_policy_lines_are_read_by_the_policy_engine(workload: str, per: str) -> None:
    lines = policy("acme", workload, Cap(per, Decimal("1.5"), ""), "USD")
    assert lines is not None
    name = workload.replace("\\", "\\\\").replace('"', '\\"')
    document = f'version: 1\ncurrency: USD\ntenants: {{acme: {{workloads: {{"{name}": {{}}}}}}}}\nceilings:\n{lines}\n'
    (ceiling,) = parse(document, name="snippet.yaml").ceilings
    assert ceiling.limit == Decimal("1.5")
    assert ceiling.shadow


@pytest.mark.parametrize(
    ("tenant", "workload"), [("acme", None), ("unattributed", "w"), ("acme", "a\u2028b"), ("a ", "w")]
)
def test_what_no_policy_can_name_has_no_policy_lines(tenant: str, workload: str | None) -> None:
    assert policy(tenant, workload, Cap("task", Decimal(1), ""), "USD") is None


def test_the_task_cap_goes_by_tasks_that_ended_well_where_there_are_enough() -> None:
    well = Costs(19, Decimal("1.00"), "tasks that ended well before")
    any_end = Costs(500, Decimal("9.00"), "tasks before, however they ended")
    found = [of_task((replaced, any_end), Decimal(2)) for replaced in (well, Costs(18, Decimal("1.00"), ""))]
    assert [cap.limit for cap in found if cap] == [Decimal("2.0"), Decimal(18)]
    assert of_task((Costs(18, Decimal(1), ""),), Decimal(2)) is None


def test_one_wild_day_does_not_move_the_day_cap() -> None:
    days = list(range(20_000, 20_028))
    calm = of_day(days, [Decimal(10)] * 28)
    wild = of_day(days, [Decimal(10)] * 27 + [Decimal(1000)])
    assert calm == wild
    assert calm is not None
    assert calm.limit == Decimal(15)
    assert of_day(days[:9], [Decimal(10)] * 9) is None


@given(st.decimals("0.000001", "1e9", places=6))
def test_a_limit_is_rounded_up_to_two_digits(amount: Decimal) -> None:
    rounded = rounded_up(amount)
    assert amount <= rounded <= amount * Decimal("1.1")
    assert len(rounded.normalize().as_tuple().digits) <= 2


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"to": "9999-12-31T23:59:59Z"}, "from, to: 2026 to 9999 are no years of calls"),
        ({"from": "0001-01-01T00:00:00Z"}, "from, to: 1 to 2026 are no years of calls"),
        ({"margin": "0.5"}, "margin: '0.5' is no number from 1 to 100"),
        ({"weeks": "0"}, "weeks: '0' is no number from 1 to 26"),
        ({"model": "m"}, "model: unknown parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused(params: dict[str, str], said: str) -> None:
    with stored(PAST) as store, pytest.raises(ReportError, match=said.split("'")[0]):
        audit_top_workloads(store.cursor(), {**WEEK, **params})


def test_costs_that_fill_all_stored_places_have_a_median_too() -> None:
    # As under a contract: between weeks of 0.01 and 0.020000000001 there is no stored amount.
    weeks = [(3, Decimal(1)), (2, Decimal("0.01")), (1, Decimal("0.020000000001")), (0, Decimal("0.02"))]
    with stored([call(-week * 7 * DAY, f"t-{week}", output=2) for week, _ in weeks]) as store:
        with store.transaction() as con:
            for week, cost in weeks:
                con.execute(
                    'UPDATE rollup_hours_recent SET cost = $1 WHERE "hour" = $2',
                    [cost, MONDAY - timedelta(weeks=week)],
                )
        (row,) = audit(store, "audit_top_workloads", weeks="3")
    assert row["usual_cost"] == Decimal("0.015000000000")  # 0.0150000000005, to even


@pytest.mark.parametrize("cost", ["0.0000002", "0.000000000001"])
def test_days_that_cost_next_to_nothing_have_a_cap_above_that(cost: str) -> None:
    cap = of_day(range(20), [Decimal(cost)] * 20)
    assert cap is not None
    assert Decimal(cost) < cap.limit <= 2 * Decimal(cost)
