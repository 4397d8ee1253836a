"""Policy files: what is good is taken whole, what is bad is refused with file, line and reason."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policies.files import PolicyFileError, load, parse
from policies.model import Step
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


CEILING = (
    "version: 1\ntenants: {acme: {workloads: {w: {}}}}\nceilings:\n  - {name: c, window: 1h, limit: 5 USD}\n"
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", 'p.yaml:1:1: the file holds no mapping; it starts with "version: 1"'),
        ("- a\n", "p.yaml:1:1: the file holds no mapping"),
        ("version: 1\nceilings: [\n", "p.yaml:3:1: not YAML that can be used"),
        ("version: 1\nversion: 1\n", 'p.yaml:2:1: not YAML that can be used: found duplicate key "version"'),
        ("version: 1\n\x00", "p.yaml:2:1: not YAML that can be used"),
        ("version: !!float w\n", "p.yaml:1:10: not YAML that can be used"),
        ("[" * 1000, "p.yaml:1:51: not YAML that can be used: lists and mappings stand more than 50 deep"),
        ("currency: USD\n", "p.yaml:1:1: version: is missing"),
        ("version: 2\n", "p.yaml:1:10: version: Input should be 1 (it is 2)"),
        ("version: 1\ncurrency: dollars\n", "p.yaml:2:11: currency:"),
        ("version: 1\nbudget: 5\n", "p.yaml:2:1: budget: no such setting here"),
        ("version: 1\nunpriced_rate: 60\n", 'p.yaml:2:16: unpriced_rate: 60 has no currency; write "60 USD"'),
        ("version: 1\ntenants:\n  acme:\n    weight: 0\n", "p.yaml:4:13: tenants.acme.weight:"),
        (CEILING.replace("5 USD", "500"), 'p.yaml:4:34: ceilings[0].limit: 500 has no currency; write "500 USD"'),
        (CEILING.replace("5 USD", "-5 USD"), 'p.yaml:4:34: ceilings[0].limit: "-5 USD" is not above zero'),
        (CEILING.replace("5 USD", "0 USD"), '"0 USD" is not above zero'),
        (CEILING.replace("5 USD", "NaN USD"), '"NaN" is not a finite amount'),
        (CEILING.replace("5 USD", "five USD"), '"five" is not an amount'),
        (CEILING.replace("5 USD", "5 EUR"), "ceilings[0].limit: \"5 EUR\" is not in the file's currency USD"),
        (CEILING.replace("1h", "1 hour"), '"1 hour" is not a length of time; write "30s", "5m", "1h" or "7d"'),
        (CEILING.replace("1h", "0s"), '"0s" is not a length of time'),
        (CEILING.replace("window: 1h, ", ""), 'say over what the limit counts: either "window: 1h" or "per: task"'),
        (CEILING.replace("window: 1h", "window: 1h, ladder: [{at: 80, do: warn}]"), 'write "80%"'),
        (CEILING.replace("window: 1h", "window: 1h, ladder: [{at: 120%, do: warn}]"), "not a share of the limit"),
        (CEILING.replace("window: 1h", "window: 1h, ladder: [{at: 80%, do: panic}]"), "ladder[0].do: Input should be"),
        (CEILING.replace("window: 1h", "per: task, ladder: [{at: 80%, do: queue}]"), '"queue" waits for room'),
        (CEILING.replace("window: 1h", "window: 1h, scope: {tenant: acm}"), 'no tenant "acm" is declared; did'),
        (CEILING.replace("window: 1h", "window: 1h, scope: {workload: x}"), 'no workload "x" is declared; there'),
        (CEILING.replace("window: 1h", "window: 1h, scope: {team: x}"), "ceilings[0].scope.team: no such setting here"),
        (CEILING.replace("name: c", "name: task budget"), 'p.yaml:4:12: ceilings[0].name: "task budget" is taken'),
        (CEILING.replace("name: c", 'name: "*"'), 'ceilings[0].name: "*" is taken'),
        (CEILING + "  - {name: c, window: 2h, limit: 1 USD}\n", 'p.yaml:5:12: ceilings[1].name: "c" is already the'),
        ('version: 1\nplans: [{cost_centre: a, month: "2026-13", amount: 1 USD}]\n', "p.yaml:2:33: plans[0].month"),
        ("version: 1\ncapacity: [{provider: openai, requests_per_minute: 0}]\n", "capacity[0].requests_per_minute"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse(text, name="p.yaml")
    assert says in str(refused.value)
    assert all(line.startswith("p.yaml:") for line in str(refused.value).splitlines())


def test_every_error_of_a_file_is_reported_at_once() -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse("version: 3\nfoo: 1\nceilings:\n  - {name: a, limit: 5, window: 1h}\n", name="p.yaml")
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["1", "2", "4"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match=r"none\.yaml: cannot be read"):
        load(tmp_path / "none.yaml")
