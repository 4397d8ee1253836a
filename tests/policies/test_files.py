"""Policy files: what is good is taken whole; what is bad is in test_files_refused and its neighbours."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from policy_texts import override

from policies.calendars import Calendar, Cut, Periods
from policies.files import PolicyFileError, load, parse
from policies.model import (
    TIER_WEIGHTS,
    Capacity,
    Dimension,
    Holds,
    Override,
    Rolling,
    Rung,
    Scope,
    Step,
    Unit,
)
from switchgear.tier import Tier

GOOD = """\
version: 1
currency: USD
unpriced_rate: 60 USD
tenants:
  acme:
    weight: 2
    workloads:
      nightly: {owner: data, cost_centre: CC-1, tier: background, degrade: [{from: a, to: b, supports: [tools]}]}
plans:
  - {cost_centre: CC-1, month: "2026-11", amount: 1200 USD}
capacity:
  - {provider: openai, requests_per_minute: 600, tokens_per_minute: 900000}
ceilings:
  - name: acme-hour
    scope: {tenant: acme}
    limit: 5 USD
    window: 1h
    ladder: [{at: 60%, do: warn}, {at: 80%, do: throttle}]
    cooldown: 30s
    fail: closed
  - {name: per-task, scope: {workload: nightly}, limit: 0.25 USD, per: task, shadow: true}
"""


def test_a_good_file_is_taken_whole() -> None:
    policies = parse(GOOD, name="p.yaml")

    hour, task = policies.ceilings
    nightly = policies.workload("acme", "nightly")
    assert (hour.limit, hour.window_s, hour.cooldown_s, hour.fail) == (Decimal(5), 3600.0, 30.0, "closed")
    assert [(rung.at, rung.step) for rung in hour.ladder] == [
        (Decimal("0.6"), Step.WARN),
        (Decimal("0.8"), Step.THROTTLE),
    ]
    assert (task.per_task, task.limit, task.shadow) == (True, Decimal("0.25"), True)
    assert nightly is not None
    assert (nightly.owner, nightly.tier, nightly.degrade[0].to_model) == ("data", Tier.BACKGROUND, "b")
    assert policies.weight("acme") == 2
    assert policies.capacity[0].tokens_per_minute == 900_000
    assert policies.plans[0].amount == Decimal(1200)


def test_the_version_is_the_content_s() -> None:
    assert parse(GOOD, name="a").version == parse(GOOD, name="b").version
    assert parse(GOOD, name="a").version != parse(GOOD + "# seen\n", name="a").version


def test_the_packaged_starter_is_good(request: pytest.FixtureRequest) -> None:
    starter = request.config.rootpath / "policies/library/starter.yaml"
    assert all(ceiling.shadow for ceiling in load(starter).ceilings)


FULL = """\
version: 1
tenants: {acme: {workloads: {w: {owner: data}}}}
tiers: {interactive: 200, background: 0.5}
capacity:
  - {provider: openai, model: gpt-4o, account: eu, tokens_per_minute: 900_000}
ceilings:
  - name: tokens-each
    scope: {owner: data, model: gpt-4o, provider: openai}
    per: [tenant, workload]
    limit: 2.5M tokens
    window: 6h
    holds: worst_case
    ladder: [{at: 90%, do: degrade, tiers: interactive}, {at: 90%, do: queue, tiers: [batch, background]}]
  - name: month
    per: tenant
    limit: 1000 USD
    window: {calendar: month, zone: Europe/Berlin}
    carry_over: 20%
  - name: retail
    limit: 500k tokens
    window: {calendar: fiscal, zone: UTC, year_starts: 02-01, periods: 4-5-4, week_starts: sunday, day_begins: 06:00}
  - {name: task, scope: {tier: background}, per: task, limit: 2 USD, wrap_up: 70%}
  - {name: burst, per: [task, model], limit: 1 USD, window: 5m}
overrides:
  - ceiling: tokens-each
    scope: {tenant: acme, workload: w}
    limit: 5M tokens
    until: 2026-12-01T00:00:00Z
    author: kim
    reason: "Launch week: agreed with finance."
"""  # fmt: skip


def test_a_ceiling_names_any_scope_and_gives_each_value_of_per_its_own_limit() -> None:
    tokens, month, _, task, burst = parse(FULL, name="p.yaml").ceilings
    assert tokens.scope == Scope(owner="data", model="gpt-4o", provider="openai")
    assert tokens.per == (Dimension.TENANT, Dimension.WORKLOAD)
    assert (tokens.limit, tokens.unit, tokens.holds) == (2_500_000, Unit.TOKENS, Holds.WORST_CASE)
    assert tokens.window == Rolling(6 * 3600)
    assert (month.per, month.unit, month.holds) == ((Dimension.TENANT,), Unit.MONEY, Holds.LEARNED)
    assert task.scope == Scope(tier=Tier.BACKGROUND)
    assert (task.per, task.window) == ((Dimension.TASK,), None)
    assert (burst.per, burst.window) == ((Dimension.TASK, Dimension.MODEL), Rolling(300))


def test_a_window_is_a_calendar_of_a_zone() -> None:
    month, retail = parse(FULL, name="p.yaml").ceilings[1:3]
    assert month.window == Calendar(Cut.MONTH, ZoneInfo("Europe/Berlin"))
    assert month.carry_over == Decimal("0.2")
    assert retail.window == Calendar(
        Cut.FISCAL, ZoneInfo("UTC"), time(6), week_starts=6, year_starts=(2, 1), periods=Periods.WEEKS_4_5_4
    )


@pytest.mark.parametrize(
    ("tier", "step"),
    [(Tier.INTERACTIVE, Step.DEGRADE), (Tier.BATCH, Step.QUEUE), (Tier.BACKGROUND, Step.QUEUE), (None, None)],
)
def test_a_rung_is_for_the_tiers_that_it_names(tier: Tier | None, step: Step | None) -> None:
    tokens = parse(FULL, name="p.yaml").ceilings[0]
    serving = [rung for rung in tokens.ladder if rung.serves(tier)]
    assert [(rung.at, rung.step) for rung in serving] == ([] if step is None else [(Decimal("0.9"), step)])


def test_only_a_task_s_life_is_wrapped_up_and_by_itself_at_85_percent() -> None:
    tokens, _, _, task, burst = parse(FULL, name="p.yaml").ceilings
    assert (tokens.wrap_up_at, task.wrap_up_at, burst.wrap_up_at) == (None, Decimal("0.7"), None)
    assert parse(GOOD, name="p.yaml").ceilings[1].wrap_up_at == Decimal("0.85")


def test_an_override_keeps_who_wanted_it_and_why() -> None:
    (override,) = parse(FULL, name="p.yaml").overrides
    assert override == Override(
        ceiling="tokens-each",
        limit=Decimal(5_000_000),
        until=datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
        author="kim",
        reason="Launch week: agreed with finance.",
        scope=((Dimension.TENANT, "acme"), (Dimension.WORKLOAD, "w")),
    )


def test_tiers_weigh_what_a_file_says_and_else_as_usual() -> None:
    assert parse(FULL, name="p.yaml").tier_weights == {
        Tier.INTERACTIVE: 200.0,
        Tier.BATCH: TIER_WEIGHTS[Tier.BATCH],
        Tier.BACKGROUND: 0.5,
    }
    assert parse(GOOD, name="p.yaml").tier_weights == TIER_WEIGHTS


def test_capacity_is_of_a_provider_or_of_one_model_and_account_of_it() -> None:
    assert parse(FULL, name="p.yaml").capacity == (Capacity("openai", None, 900_000, "gpt-4o", "eu"),)


def test_words_are_read_as_yaml_1_2_has_them() -> None:
    policies = parse("version: 1\ntenants: {no: {}, on: {}, 1e: {}}\n", name="p.yaml")
    assert [tenant.name for tenant in policies.tenants] == ["no", "on", "1e"]


def test_a_ladder_is_written_once_and_named_again() -> None:
    text = (
        "version: 1\nceilings:\n"
        "  - &hour {name: a, limit: 5 USD, window: 1h, ladder: &ladder [{at: 80%, do: warn}]}\n"
        "  - {name: b, limit: 9 USD, window: 7d, ladder: *ladder}\n"
        "  - {<<: *hour, name: c, limit: 7 USD}\n"
    )
    first, second, third = parse(text, name="p.yaml").ceilings
    assert first.ladder == second.ladder == third.ladder == (Rung(Decimal("0.8"), Step.WARN),)
    assert (third.name, third.limit, third.window) == ("c", Decimal(7), Rolling(3600))


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("\ufeff" + GOOD)
    assert load(file).ceilings == parse(GOOD, name="p.yaml").ceilings


def test_every_error_of_a_file_is_told_at_once_in_its_order() -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse("version: 3\nfoo: 1\nceilings:\n  - {name: a, limit: 5, window: 1h}\n", name="p.yaml")
    assert [line.split(": ")[:2] for line in str(refused.value).splitlines()] == [
        ["p.yaml:1:10", "version"],
        ["p.yaml:2:1", "foo"],
        ["p.yaml:4:22", "ceilings[0].limit"],
    ]


def test_of_very_many_errors_the_first_hundred_are_told() -> None:
    rules = "".join(
        f"  - {{name: c{n}, limit: 1 USD, window: 1h, scope: {{tenant: t{n}}}}}\n" for n in range(300)
    )
    with pytest.raises(PolicyFileError) as refused:
        parse(f"version: 1\nceilings:\n{rules}", name="p.yaml")
    *told, last = str(refused.value).splitlines()
    assert len(told) == 100
    assert (
        last == "p.yaml:103:60: ceilings[100].scope.tenant: more problems follow; mend the 100 before first"
    )


NO_TEXT = "cannot be read: it is no UTF-8"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version: 1\n# caf\xe9\n", f":2:6: {NO_TEXT} (invalid continuation byte); save it as UTF-8"),
        ("version: 1\n".encode("utf-16"), f":1:1: {NO_TEXT} (invalid start byte); save it as UTF-8"),
        (None, ": cannot be read: No such file or directory"),
    ],
    ids=["Latin-1", "UTF-16", "no file"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_once(content: bytes | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PolicyFileError) as refused:
        load(file)
    assert str(refused.value) == f"{file}{says}"


END = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (END - 1, None),
        (END, "p.yaml:7:62: overrides[0].until: it ended at 2026-12-01T00:00:00+00:00 and does nothing"),
        (END - 366 * 86400, None),
        (END - 366 * 86400 - 1, "p.yaml:7:62: overrides[0].until: it ends in more than a year"),
    ],
    ids=["a second before", "at its end", "a year before", "more than a year before"],
)
def test_who_looks_a_file_over_is_told_of_an_override_that_has_ended(now: float, says: str | None) -> None:
    if says is None:
        assert parse(override(), name="p.yaml", now=now).overrides
        return
    with pytest.raises(PolicyFileError) as refused:
        parse(override(), name="p.yaml", now=now)
    assert str(refused.value).startswith(says)


def test_a_file_that_was_right_is_right_when_its_override_has_ended() -> None:
    assert parse(override(until="2001-01-01T00:00:00Z"), name="p.yaml").overrides
