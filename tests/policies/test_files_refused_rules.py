"""Bad policy files: rules that say nothing together are refused with their place and a hint."""

from __future__ import annotations

import pytest
from policy_texts import ceiling, override

from policies.files import PolicyFileError, parse

BAD_CEILINGS = {
    "carrying over in a rolling window": (
        ceiling(carry_over="20%"),
        "p.yaml:4:53: ceilings[0].carry_over: only a calendar has a last period to carry over from; write"
        " window: {calendar: month, zone: ...}",
    ),
    "carrying over more than is left": (
        ceiling(window="{calendar: month, zone: UTC}", carry_over="120%"),
        'p.yaml:4:79: ceilings[0].carry_over: "120%" is not a share of the limit; write "80%"',
    ),
    "wrapping up a window": (
        ceiling(wrap_up="80%"),
        "p.yaml:4:50: ceilings[0].wrap_up: only a task wraps up, and this limit comes back with its "
        "window; leave it out, or write per: task and no window",
    ),
    "holds misspelt": (
        ceiling(holds="worst-case"),
        'p.yaml:4:48: ceilings[0].holds: "worst-case" is none of: learned, worst_case; did you mean '
        '"worst_case"?',
    ),
    "a failure that is none": (
        ceiling(fail="maybe"),
        'p.yaml:4:47: ceilings[0].fail: "maybe" is none of: open, closed',
    ),
    "an overrun that is none": (
        ceiling(overrun="stop"),
        'p.yaml:4:50: ceilings[0].overrun: "stop" is none of: extend, cut',
    ),
    "shadow as a word": (
        ceiling(shadow="perhaps"),
        'p.yaml:4:49: ceilings[0].shadow: "perhaps" is neither true nor false; write one of them',
    ),
    "shadow as a number": (
        ceiling(shadow="5"),
        "p.yaml:4:49: ceilings[0].shadow: 5 is neither true nor false; write one of them",
    ),
    "a cool-down without a unit": (
        ceiling(cooldown=10),
        'p.yaml:4:51: ceilings[0].cooldown: 10 is not a length of time; write "30s", "5m", "1h" or "7d"',
    ),
    "a name that is taken": (
        ceiling(name="task budget"),
        'p.yaml:4:12: ceilings[0].name: "task budget" is taken: it means what an agent sets for its own '
        "task; choose another",
    ),
    "a name that means all": (
        ceiling(name='"*"'),
        'p.yaml:4:12: ceilings[0].name: "*" is taken: it means every ceiling; choose another',
    ),
    "a name twice": (
        ceiling() + "  - {name: c, window: 2h, limit: 1 USD}\n",
        'p.yaml:5:12: ceilings[1].name: "c" is already the name of ceilings[0]; choose another',
    ),
    "a number as a name": (
        ceiling(name=12),
        "p.yaml:4:12: ceilings[0].name: 12 is no text as it stands; write a text, in quotes",
    ),
}

BAD_LADDERS = {
    "a share without its sign": (
        ceiling(ladder="[{at: 80, do: warn}]"),
        'p.yaml:4:55: ceilings[0].ladder[0].at: 80 is not a share of the limit; write "80%"',
    ),
    "a share as a fraction": (
        ceiling(ladder="[{at: 0.8, do: warn}]"),
        'p.yaml:4:55: ceilings[0].ladder[0].at: 0.8 is not a share of the limit; write "80%"',
    ),
    "more than the limit": (
        ceiling(ladder="[{at: 120%, do: warn}]"),
        'p.yaml:4:55: ceilings[0].ladder[0].at: "120%" is not a share of the limit; write "80%"',
    ),
    "a step that there is not": (
        ceiling(ladder="[{at: 80%, do: panic}]"),
        'p.yaml:4:64: ceilings[0].ladder[0].do: "panic" is none of: warn, throttle, queue, degrade, open',
    ),
    "a step misspelt": (
        ceiling(ladder="[{at: 80%, do: degrad}]"),
        'p.yaml:4:64: ceilings[0].ladder[0].do: "degrad" is none of: warn, throttle, queue, degrade, open; did '
        'you mean "degrade"?',
    ),
    "an open breaker for one tier": (
        ceiling(ladder="[{at: 80%, do: open, tiers: [background]}]"),
        "p.yaml:4:77: ceilings[0].ladder[0].tiers: an open breaker refuses every tier; leave tiers out",
    ),
    "queueing at a task's ceiling": (
        ceiling(window=None, per="task", ladder="[{at: 80%, do: queue}]"),
        'p.yaml:4:63: ceilings[0].ladder[0].do: "queue" waits for room, and a task\'s spend never leaves; '
        "use warn or degrade",
    ),
    "a rung for tiers out of scope": (
        ceiling(scope="{tier: batch}", ladder="[{at: 80%, do: warn, tiers: background}]"),
        "p.yaml:4:99: ceilings[0].ladder[0].tiers: the scope is for the tier batch alone, which this rung"
        " leaves out; leave tiers out",
    ),
    "two rungs at one share": (
        ceiling(ladder="[{at: 80%, do: warn}, {at: 80.0%, do: throttle, tiers: [batch]}]"),
        'p.yaml:4:76: ceilings[0].ladder[1].at: "warn" stands at the same share for the same tier, and '
        "one step is done at a time; write another share",
    ),
    "one rung without its dash": (
        ceiling(ladder="{at: 80%, do: warn}"),
        'p.yaml:4:49: ceilings[0].ladder: a mapping is no list; write each entry below it, after "- "',
    ),
    "a rung for no tier": (
        ceiling(ladder="[{at: 80%, do: warn, tiers: []}]"),
        "p.yaml:4:77: ceilings[0].ladder[0].tiers: the list is empty; leave it out, or write some of: "
        "interactive, batch, background",
    ),
}

BAD_SCOPES = {
    "a tenant misspelt": (
        ceiling(scope="{tenant: acm}"),
        'p.yaml:4:57: ceilings[0].scope.tenant: no tenant "acm" is declared; did you mean "acme"?',
    ),
    "a tenant that nobody declared": (
        ceiling(scope="{tenant: zzz}"),
        'p.yaml:4:57: ceilings[0].scope.tenant: no tenant "zzz" is declared; there are: acme',
    ),
    "a workload that nobody declared": (
        ceiling(scope="{workload: x}"),
        'p.yaml:4:59: ceilings[0].scope.workload: no workload "x" is declared; there are: v, w',
    ),
    "a workload that the tenant has not": (
        ceiling(scope="{tenant: acme, workload: x}"),
        'p.yaml:4:73: ceilings[0].scope.workload: no workload "x" is declared; there are: v, w',
    ),
    "an owner misspelt": (
        ceiling(scope="{owner: dta}"),
        'p.yaml:4:56: ceilings[0].scope.owner: no owner "dta" is declared; did you mean "data"?',
    ),
    "an owner of other workloads": (
        ceiling(scope="{workload: v, owner: data}"),
        'p.yaml:4:69: ceilings[0].scope.owner: "data" owns nothing of workload "v": no call would count; '
        "leave one out",
    ),
    "a scope by team": (
        ceiling(scope="{team: x}"),
        'p.yaml:4:49: ceilings[0].scope.team: no such setting here; did you mean "tenant"?',
    ),
    "a scope by task": (
        ceiling(scope="{task: x}"),
        "p.yaml:4:49: ceilings[0].scope.task: no such setting here; there are: model, owner, provider, "
        "tenant, tier, workload",
    ),
    "a scope as a word": (
        ceiling(scope="acme"),
        'p.yaml:4:48: ceilings[0].scope: "acme" is no mapping; write its settings below it, each "name: '
        'value"',
    ),
    "a scope left empty": (
        ceiling(scope=""),
        'p.yaml:4:48: ceilings[0].scope: nothing is no mapping; write its settings below it, each "name: '
        'value"',
    ),
    "a dimension misspelt": (
        ceiling(per="tennant"),
        'p.yaml:4:46: ceilings[0].per: "tennant" is none of: tenant, workload, task, tier, owner, model, '
        'provider; did you mean "tenant"?',
    ),
    "a dimension that there is not": (
        ceiling(per="[tenant, team]"),
        'p.yaml:4:46: ceilings[0].per: "team" is none of: tenant, workload, task, tier, owner, model, '
        'provider; did you mean "tenant"?',
    ),
    "a dimension twice": (
        ceiling(per="[tenant, tenant]"),
        'p.yaml:4:46: ceilings[0].per: "tenant" stands twice in the list; write it once',
    ),
    "no dimension": (
        ceiling(per="[]"),
        "p.yaml:4:46: ceilings[0].per: the list is empty; leave it out, or write some of: tenant, "
        "workload, task, tier, owner, model, provider",
    ),
    "a dimension that the scope names": (
        ceiling(scope="{tenant: acme}", per="tenant"),
        "p.yaml:4:69: ceilings[0].per: the scope names one tenant already, so there is nothing to fan "
        "out; leave one of the two out",
    ),
    "true as a dimension": (
        ceiling(per="true"),
        "p.yaml:4:46: ceilings[0].per: true is none of: tenant, workload, task, tier, owner, model, provider",
    ),
}

BAD_OVERRIDES = {
    "an override of nothing": (
        override(ceiling="n"),
        'p.yaml:7:15: overrides[0].ceiling: no ceiling "n" is declared; there are: all, m',
    ),
    "an override of a name misspelt": (
        override(ceiling="al"),
        'p.yaml:7:15: overrides[0].ceiling: no ceiling "al" is declared; did you mean "all"?',
    ),
    "money for tokens": (
        override(ceiling="all", scope=None),
        'p.yaml:7:27: overrides[0].limit: "all" counts tokens: "2000000 tokens"; write the same unit here',
    ),
    "a scope for a ceiling without per": (
        override(ceiling="all", limit="3M tokens"),
        'p.yaml:7:36: overrides[0].scope.tenant: "all" has no limit per tenant: it has no per, and one '
        "limit for all; leave it out",
    ),
    "a dimension that the ceiling has not": (
        override(scope="{tenant: acme, workload: w}"),
        'p.yaml:7:50: overrides[0].scope.workload: "m" has no limit per workload: it counts per tenant; '
        "leave it out",
    ),
    "a scope for a part of per": (
        override().replace("per: tenant", "per: [tenant, workload]"),
        'p.yaml:7:25: overrides[0].scope: "m" counts per tenant and workload: name workload too, or leave '
        "the scope out",
    ),
    "an override where there is no ceiling": (
        "version: 1\noverrides: [{ceiling: m, limit: 8 USD, until: 2026-12-01T00:00:00Z, author: kim, reason: x}]\n",
        'p.yaml:2:23: overrides[0].ceiling: no ceiling "m" is declared; there are none: declare it first',
    ),
    "an override for a tenant misspelt": (
        override(scope="{tenant: acmee}"),
        'p.yaml:7:34: overrides[0].scope.tenant: no tenant "acmee" is declared; did you mean "acme"?',
    ),
    "an override in another currency": (
        override(limit="8 EUR"),
        'p.yaml:7:48: overrides[0].limit: "8 EUR" is not in the file\'s currency USD; write it in USD, or '
        "set currency: EUR",
    ),
    "an override by nobody": (
        override(author=None),
        "p.yaml:7:5: overrides[0].author: is missing; write author: kim",
    ),
    "an override without a reason": (
        override(reason="''"),
        "p.yaml:7:105: overrides[0].reason: the text is empty; write at least one letter",
    ),
    "an override until tomorrow": (
        override(until="tomorrow"),
        'p.yaml:7:62: overrides[0].until: "tomorrow" is no moment; write "2026-12-01T18:00:00Z"',
    ),
    "an override until a time without an offset": (
        override(until="2026-12-01T00:00:00"),
        "p.yaml:7:62: overrides[0].until: 2026-12-01 00:00:00 has no offset; write "
        '"2026-12-01T00:00:00Z", or +01:00 at its end',
    ),
    "an override until the end of time": (
        override(until="9999-12-31T23:59:59-12:00"),
        "p.yaml:7:62: overrides[0].until: 9999-12-31 23:59:59-12:00 is in no year that can be meant; write "
        '"2026-12-01T18:00:00Z"',
    ),
    "an override until a day": (
        override(until="2026-12-01"),
        'p.yaml:7:62: overrides[0].until: 2026-12-01 is no moment; write "2026-12-01T18:00:00Z"',
    ),
    "the same override twice": (
        override() + override().splitlines()[-1],
        "p.yaml:8:5: overrides[1]: overrides[0] is for the same ceiling and scope; keep one of the two",
    ),
}

BAD = BAD_CEILINGS | BAD_LADDERS | BAD_SCOPES | BAD_OVERRIDES


@pytest.mark.parametrize(("text", "lines"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_its_place_the_reason_and_what_to_write(text: str, lines: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse(text, name="p.yaml")
    assert str(refused.value) == lines
