"""Claims: by what each target of a rule, and each party that belongs to it, is given its part of a cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from analytics.bursts.attribution import shares
from analytics.patterns import is_pattern

from .rules import Method, Party, Rule, To

__all__ = ["claims"]

Use = Mapping[Party, Decimal]
_NOTHING = Fraction(0)


def claims(rule: Rule, used: Use, cost: Use, committed: Decimal | None) -> dict[Party, Fraction]:
    """The claim of each party, all above 0; in the order of their keys, and none where nobody has one.

    A target's claim is the method's. It is dealt out to the parties of the target by what they used (where the method
    does not ask for use: by what they cost), so that sums by tenant and by cost centre are right at once. A target of
    which nobody used anything is a party by itself.
    """
    parties = _by_target(rule, used)
    inside = parties if rule.method in (Method.PROPORTIONAL, Method.MARGINAL) else _by_target(rule, cost)
    found: dict[Party, Fraction] = {}
    for target, claim in _of_targets(rule, parties, committed).items():
        within = {party: use for party, use in inside.get(target, {}).items() if use > 0}
        total = sum(within.values(), _NOTHING)
        if claim > 0 and not within:
            found[_alone(rule, target)] = claim
        elif claim > 0:
            found |= {party: claim * use / total for party, use in within.items()}
    return dict(sorted(found.items(), key=lambda item: item[0].key))


def _of_targets(
    rule: Rule, parties: Mapping[str, Mapping[Party, Fraction]], committed: Decimal | None
) -> dict[str, Fraction]:
    if rule.method is Method.FIXED:
        return {target: Fraction(share) for target, share in rule.shares.items()}
    named = [target for target in rule.only if not is_pattern(target) and rule.is_for(target)]
    used = dict.fromkeys(named, _NOTHING) | {
        target: max(sum(each.values(), _NOTHING), _NOTHING) for target, each in parties.items()
    }
    if rule.method is Method.EVEN:
        return dict.fromkeys(used, Fraction(1))
    return used if rule.method is Method.PROPORTIONAL else _beside_shares(rule, used, committed)


def _beside_shares(rule: Rule, used: dict[str, Fraction], committed: Decimal | None) -> dict[str, Fraction]:
    """By how much each is above its share, or, where all together are below what was committed, below it."""
    everyone = used | {
        target: _NOTHING for target in rule.weights if target not in used and rule.is_for(target)
    }
    total = sum(everyone.values(), _NOTHING)
    whole = total if committed is None else Fraction(committed)
    held = shares(whole, everyone, rule.weights)
    sign = 1 if total >= whole else -1
    return {target: max(_NOTHING, sign * (use - held[target])) for target, use in everyone.items()}


def _by_target(rule: Rule, used: Use) -> dict[str, dict[Party, Fraction]]:
    found: dict[str, dict[Party, Fraction]] = {}
    for party, use in used.items():
        if (target := rule.target_of(party)) is not None:
            found.setdefault(target, {})[party] = Fraction(use)
    return found


def _alone(rule: Rule, target: str) -> Party:
    return Party(cost_centre=target) if rule.to is To.COST_CENTRES else Party(tenant=target)
