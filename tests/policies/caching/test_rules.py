"""Which entry holds for a scope, and that answers are shared only where each tenant's own entry says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.caching.rules import CacheRule, CacheRules, suffix_of
from switchgear.cache import Mode, Terms

SHADOW = Terms(Mode.SHADOW)


def rule(name: str, tenant: str | None = None, workload: str | None = None, *with_: str) -> CacheRule:
    """A rule that a test knows by its one tag."""
    return CacheRule(replace(SHADOW, tags=(name,)), tenant, workload, frozenset(with_))


EVERY_KIND = (
    rule("all"),
    rule("w", workload="w"),
    rule("acme", "acme"),
    rule("acme w", "acme", "w"),
)


@pytest.mark.parametrize(
    ("tenant", "workload", "left_out", "holds"),
    [
        pytest.param("acme", "w", 0, "acme w", id="both named"),
        pytest.param("acme", "w", 1, "acme", id="a tenant's own before its workload's"),
        pytest.param("acme", "w", 2, "w", id="a workload's before everybody's"),
        pytest.param("acme", "v", 0, "acme", id="another workload of the tenant"),
        pytest.param("globex", "w", 0, "w", id="another tenant of the workload"),
        pytest.param("globex", "v", 0, "all", id="nobody named"),
    ],
)
def test_the_most_particular_entry_holds(tenant: str, workload: str, left_out: int, holds: str) -> None:
    rules = CacheRules(EVERY_KIND[: len(EVERY_KIND) - left_out])
    found = rules.of(tenant, workload)
    assert found is not None
    assert found.rule.terms.tags == (holds,)


def test_where_no_entry_is_for_a_scope_the_policies_say_nothing() -> None:
    assert CacheRules(()).of("acme", "w") is None
    assert CacheRules([rule("v", workload="v")]).of("acme", "w") is None


BOTH = '["acme", "globex"]'
ACME, GLOBEX = rule("a", "acme", None, "globex"), rule("g", "globex", None, "acme")


@pytest.mark.parametrize(
    ("rules", "group", "refusing"),
    [
        pytest.param([ACME, GLOBEX], BOTH, [], id="both name each other"),
        pytest.param([rule("a", "acme", None, "acme", "globex"), GLOBEX], BOTH, [], id="itself named too"),
        pytest.param([ACME], None, ["globex"], id="one alone"),
        pytest.param([ACME, rule("g", "globex")], None, ["globex"], id="the other names nobody"),
        pytest.param([ACME, GLOBEX, rule("gw", "globex", "w")], None, ["globex"], id="not for this workload"),
        pytest.param(
            [ACME, rule("g", "globex", None, "acme", "initech")],
            None,
            ["globex"],
            id="the other would share with one more",
        ),
        pytest.param(
            [ACME, rule("all", None, None, "acme", "globex")], None, ["globex"], id="an entry for everybody"
        ),
    ],
)
def test_answers_are_shared_only_where_each_tenants_own_entry_names_the_same_tenants(
    rules: list[CacheRule], group: str | None, refusing: list[str]
) -> None:
    found = CacheRules(rules)
    acme = found.of("acme", "w")
    assert acme is not None
    assert acme.group == group
    assert acme.document["group"] == acme.group
    assert found.refusing("acme", "w") == refusing


TENANTS = st.sampled_from(["a", "b", "c"])
RULES = st.builds(
    CacheRule,
    st.just(SHADOW),
    st.none() | TENANTS,
    st.none() | st.sampled_from(["w", "v"]),
    st.frozensets(TENANTS),
)


@given(st.lists(RULES, max_size=8), st.sampled_from(["w", "v"]))
def test_whoever_shares_is_shared_with_by_every_other_of_the_group(
    rules: list[CacheRule], workload: str
) -> None:
    found = CacheRules(rules)
    groups = {tenant: each.group for tenant in "abc" if (each := found.of(tenant, workload)) and each.group}
    for tenant, group in groups.items():
        own = found.rule(tenant, workload)
        assert own is not None
        assert own.tenant == tenant
        members = own.share_with | {tenant}
        assert {each for each in "abc" if groups.get(each) == group} == members


def test_a_tag_ends_with_the_terms_and_changes_with_them_alone() -> None:
    one, other = CacheRules([rule("x")]), CacheRules([rule("y")])
    assert suffix_of([None, None]) == ""
    assert suffix_of([one.of("acme", "w")]) == suffix_of([one.of("globex", "v")])
    assert suffix_of([one.of("acme", "w")]) != suffix_of([other.of("acme", "w")])
    assert suffix_of([one.of("acme", "w"), None]) != suffix_of([None, one.of("acme", "w")])
