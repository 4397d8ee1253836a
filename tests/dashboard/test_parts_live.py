"""The Live page's parts: answers of the services in, escaped HTML out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard import look
from dashboard.parts.live import burning, capacity, ceilings, health, open_grants, transitions
from dashboard.parts.live.concerned import concerned, of_calls
from dashboard.view import View

NOW = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
HOSTILE = "![x](http://evil.example/a.png)<img src=x onerror=alert(1)>\"'"


def budget(ceiling: str = "acme-hour", **changes: Any) -> dict[str, Any]:
    usual = {
        "ceiling": ceiling,
        "scope": {"tenant": "acme"},
        "window_s": 3600.0,
        "limit": "10",
        "currency": "USD",
        "spent": "4",
        "held": "1",
        "projected": "6",
        "band": {"q05": "5", "q20": "5.5", "q80": "7", "q95": "9"},
        "rate_per_s": "0.001",
        "state": "closed",
        "shadow": False,
        "action": "allow",
        "reason": "4 of 10 spent, 6 projected",
        "since": (NOW - timedelta(minutes=5)).isoformat(),
        "until": None,
        "retry_after_s": None,
    }
    return usual | changes


def test_what_is_cut_comes_first_and_shadows_come_last() -> None:
    told = [
        budget("calm"),
        budget("shadow", state="open", shadow=True),
        budget("slowed", state="throttled"),
        budget("warned", action="warn"),
        budget("task", state="open", scope={"tenant": "acme", "task": "t"}),
        budget("cut", state="open"),
        budget("trial", state="half_open"),
        budget("fuller", projected="9"),
    ]
    assert [each["ceiling"] for each in ceilings.urgent(told)] == [
        *("cut", "task", "trial", "slowed", "warned", "fuller", "calm", "shadow")
    ]


def test_a_ceiling_shows_its_band_from_quantile_to_quantile_on_a_track_of_one_and_a_half_limits() -> None:
    shown = ceilings.table([budget()], at=NOW, now=NOW)
    # 15 USD is the whole track: 5.5 and 7 are at 36.7 and 46.7 %, 5 and 9 at 33.3 and 60 %.
    assert 'class="box" style="left:36.7%;width:10.0%' in shown
    assert 'class="tail" style="left:33.3%;width:26.7%' in shown
    assert 'aria-label="spent $4.00, held $1.00, projected $6.00, limit $10.00"' in shown
    assert "55 to 70 %" in shown


def test_limits_stand_in_one_line_and_far_projections_end_at_the_edge() -> None:
    far = dict.fromkeys(("q05", "q20", "q80", "q95"), "40")
    shown = ceilings.table([budget(projected="40", band=far, limit="2")], at=NOW, now=NOW)
    assert 'class="limit" style="left:66.7%"' in shown
    assert 'class="mark" style="left:100.0%' in shown
    assert "&rsaquo;" in shown


def test_a_state_is_told_by_a_word_beside_its_colour() -> None:
    for name, state in look.STATES.items():
        assert state.word in ceilings.table([budget(state=name)], at=NOW, now=NOW)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"state": "open", "retry_after_s": 90.0}, "1 min 20 s", id="goes on from when it was told"
        ),
        pytest.param({"state": "forced_open"}, "by hand", id="forced without an end"),
        pytest.param(
            {"state": "disabled", "until": (NOW + timedelta(hours=1)).isoformat()},
            "1 h 00 min",
            id="forced for a time",
        ),
        pytest.param({"state": "closed"}, "—", id="closed"),
    ],
)
def test_a_row_counts_down_to_when_it_comes_back(changes: dict[str, Any], told: str) -> None:
    shown = ceilings.table([budget(**changes)], at=NOW - timedelta(seconds=10), now=NOW)
    assert told in shown.rpartition('<div class="n opt">')[2]


def test_names_that_tenants_chose_are_inert_in_every_part() -> None:
    scope = {"tenant": HOSTILE, "workload": HOSTILE}
    line = {"id": 1, "at": NOW.isoformat(), "policy": HOSTILE, "scope": scope, "from": "closed", "to": "open",
            "by": HOSTILE, "reason": HOSTILE, "shadow": False}  # fmt: skip
    holds = {**scope, "owner": HOSTILE, "tier": "batch", "grants": 1, "calls": 1, "held": "1",
             "held_tokens": 1, "expires_at": NOW.isoformat()}  # fmt: skip
    lane = {"provider": HOSTILE, "queued": {}, "shares": [
        {"tenant": HOSTILE, "tier": "batch", "demand": 5, "allotted": None, "queue": 1}
    ]}  # fmt: skip
    shown = (
        ceilings.table([budget(HOSTILE, scope=scope, reason=HOSTILE)], at=NOW, now=NOW)
        + transitions.listed([line], now=NOW, most=5)
        + open_grants.table([holds], "USD", now=NOW)
        + capacity.cards([lane], View(), now=NOW)
    )
    assert "<img" not in shown
    assert HOSTILE not in shown
    assert "onerror=alert(1)&gt;" in shown


def test_a_filter_keeps_the_ceilings_that_may_count_such_calls() -> None:
    scopes = [
        {},
        {"tenant": "acme"},
        {"tenant": "acme", "workload": "w"},
        {"tenant": "globex"},
        {"tier": "batch"},
        {"owner": "ann"},
        {"owner": "bob"},
    ]
    named = [(scope, scope) for scope in scopes]
    assert concerned(named, View(tenant="acme", workload="v")) == [scopes[n] for n in (0, 1, 4, 5, 6)]
    registry = [{"tenant": "acme", "workload": "w", "owner": "ann"}]
    assert concerned(named, View(owner="ann"), registry) == [scopes[n] for n in (0, 1, 2, 4, 5)]


def test_a_filter_keeps_the_rows_of_such_calls_and_an_empty_one_those_without_a_name() -> None:
    rows: list[dict[str, Any]] = [
        {"tenant": "acme", "owner": None},
        {"tenant": "acme", "owner": "ann"},
        {"tenant": "globex", "owner": "ann"},
    ]
    assert of_calls(rows, View(tenant="acme", owner="ann")) == [rows[1]]
    assert of_calls(rows, View(owner="")) == [rows[0]]


def lane(**changes: Any) -> dict[str, Any]:
    share = {"weight": 1.0, "entitlement": 1.0, "borrowed": 0.0}
    usual = {
        "provider": "openai",
        "requests_per_minute": 600,
        "tokens_per_minute": 1000,
        "learned_requests_per_minute": 150.0,
        "learned_tokens_per_minute": 1000.0,
        "used_requests": 147,
        "used_tokens": 500,
        "queued": {"interactive": 1, "batch": 5, "background": 0},
        "shares": [
            {**share, "tenant": "acme", "tier": "interactive", "demand": 100, "allotted": 250, "queue": 1},
            {**share, "tenant": "globex", "tier": "batch", "demand": 400, "allotted": 500, "queue": 5},
        ],
        "throttled": 3,
        "throttled_until": (NOW + timedelta(seconds=12)).isoformat(),
    }
    return usual | changes


def test_a_provider_shows_what_it_refuses_and_each_tier_what_it_uses_and_waits_for() -> None:
    shown = capacity.cards([lane()], View(), now=NOW)
    assert "3 x 429" in shown
    assert "refuses for 12 s" in shown
    assert "25 % of tokens" in shown
    assert "50 % of tokens" in shown
    # 147 of the 150 requests that its answers have taught, of 600 declared.
    assert "width:98.0%;background:var(--sg-hot)" in shown
    assert "declared are 600" in shown
    assert capacity.refusing([lane(), lane(throttled_until=None)], NOW) == [("openai", 12.0)]


def test_who_waits_is_told_of_the_tenant_and_tier_that_are_filtered_for() -> None:
    assert capacity.waiting([lane()], View()) == {"interactive": 1, "batch": 5, "background": 0}
    assert capacity.waiting([lane()], View(tenant="acme")) == {"interactive": 1, "batch": 0, "background": 0}
    assert capacity.waiting([lane()], View(tier="batch")) == {"interactive": 0, "batch": 5, "background": 0}


def test_429s_that_a_key_may_not_see_are_not_counted_as_none() -> None:
    assert capacity.throttled([lane(throttled=None)]) is None
    assert capacity.throttled([lane(), lane(throttled=2)]) == 5
    assert capacity.throttled([]) == 0


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        pytest.param("1.00", "0.10", "▲ 10.0 x", id="much more"),
        pytest.param("0.11", "0.10", "+10 % on the hour before: $0.1000", id="somewhat more"),
        pytest.param("0.05", "0.10", "\N{MINUS SIGN}50 % on the hour before: $0.1000", id="less"),
        pytest.param("0.05", "0", "nothing in the hour before", id="new"),
        pytest.param(None, "0.10", "the hour before is not known", id="not known now"),
    ],
)
def test_the_rate_is_told_beside_a_minute_of_the_hour_before(now: str | None, before: str, told: str) -> None:
    minutes = burning.Minutes((Decimal(1),) * 60, (Decimal(before),) * 60)
    value, aside = burning.rate(None if now is None else Decimal(now), minutes, "USD")
    assert told in aside
    assert ("—" in value) == (now is None)


def test_minutes_without_calls_cost_nothing_and_stand_in_their_place() -> None:
    costs = {1: Decimal(3), 61: None, 120: Decimal(2)}
    rows = [{"bucket": NOW - timedelta(minutes=n), "cost": cost} for n, cost in costs.items()]
    minutes = burning.of_minutes(rows, NOW + timedelta(seconds=30))
    assert (minutes.last[-1], sum(minutes.last)) == (Decimal(3), Decimal(3))
    assert (minutes.before[0], sum(minutes.before)) == (Decimal(2), Decimal(2))
    assert len(minutes.before) == 60


def test_calls_without_a_known_price_cost_nobody_knows_what() -> None:
    assert burning.cost({"cost": None, "calls": 3}) is None
    assert burning.cost({"cost": None, "calls": 0}) == 0
    assert burning.cost({"cost": "1.5", "calls": 3}) == Decimal("1.5")


METRICS = {
    "switchgear_collector_accepted_spans_total": 130.0,
    'switchgear_collector_rejected_spans_total{reason="bad_id"}': 4.0,
    'switchgear_collector_rejected_spans_total{reason="quarantined"}': 1.0,
    "switchgear_collector_waiting_calls": 7.0,
    "switchgear_collector_healthy": 1.0,
}


def test_ingest_is_told_by_the_second_and_not_over_a_restart() -> None:
    now = health.Ingest.told(METRICS, NOW)
    before = METRICS | {"switchgear_collector_accepted_spans_total": 100.0}
    earlier = health.Ingest.told(before, NOW - timedelta(seconds=10))
    assert now.per_second(earlier) == 3.0
    assert now.per_second(None) is None
    assert earlier.per_second(now) is None
    assert (now.rejected, now.waiting) == ({"bad_id": 4, "quarantined": 1}, 7)


@pytest.mark.parametrize(
    ("age_s", "waiting", "known", "told"),
    [
        pytest.param(1, 0, True, '"sg-badge">booked up to', id="fresh"),
        pytest.param(300, 0, True, 'warm">▲ no calls come', id="quiet"),
        pytest.param(60, 9, True, 'bad">■ booking has stopped', id="stuck"),
        pytest.param(1, 0, False, 'bad">■ stale', id="the collector is away"),
        pytest.param(None, 0, True, "nothing is booked yet", id="empty"),
        pytest.param(None, None, False, "nothing is known", id="never seen"),
    ],
)
def test_the_badge_turns_when_the_watermark_stops(
    age_s: int | None, waiting: int | None, *, known: bool, told: str
) -> None:
    watermark = None if age_s is None else NOW - timedelta(seconds=age_s)
    assert told in health.badge(health.Booking(watermark, waiting, is_known=known), NOW)


def test_what_is_wrong_with_the_figures_names_where_it_is_put_right() -> None:
    hour = {"cost": "8", "unpriced_calls": 2, "incomplete_calls": 1, "unowned_calls": 3, "unowned_cost": "2"}
    booking = health.Booking(NOW, 7, is_known=True)
    shown = health.cells(booking, health.Ingest.told(METRICS, NOW), 3.0, hour, NOW)
    for told in (
        "docs/prices.md",
        "docs/usage.md",
        "docs/registry.md",
        "25.0 % of cost",
        "most: bad_id",
        "▲ 5",
    ):
        assert told in shown
    unknown = health.cells(booking, None, None, {}, NOW)
    assert unknown.count('<div class="v">—') == 6


def test_what_is_held_adds_up_over_all_workloads() -> None:
    row = {"tenant": "acme", "owner": None, "tier": "batch", "held_tokens": 1, "expires_at": NOW.isoformat()}
    rows = [{**row, "workload": f"w{n}", "grants": 1, "calls": 2, "held": "0.1"} for n in range(10)]
    assert open_grants.held(rows) == (Decimal("1.0"), 20, 10)
    assert "2 more hold $0.2000 for 4 calls" in open_grants.table(rows, "USD", now=NOW)


def test_lines_of_engine_and_collector_are_merged_each_once_newest_first() -> None:
    def line(second: int, **named: Any) -> dict[str, Any]:
        return {"at": (NOW + timedelta(seconds=second)).isoformat(), **named}

    engine = [line(3, id=12, hash="c"), line(1, id=10, hash="a"), line(1, id=9, hash="z")]
    collector = [line(2, id="b"), line(1, id="z"), line(1, id="a")]
    assert [line["id"] for line in transitions.merged(engine, collector)] == [12, "b", 10, 9]


def test_a_line_tells_who_did_it_by_hand() -> None:
    line = {"id": 1, "at": NOW.isoformat(), "policy": "p", "scope": None, "from": "closed", "to": "forced_open",
            "by": "ann (sg_1)", "reason": "incident 12"}  # fmt: skip
    shown = transitions.listed([line, {**line, "by": "engine", "to": "warned"}], now=NOW, most=5)
    assert 'by <b class="by">ann (sg_1)</b>' in shown
    assert shown.count('class="by"') == 1
    assert "forced open" in shown
    assert "warned" in shown
