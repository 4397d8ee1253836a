"""The book with everything at once: tenants, own budgets, stand-ins, other policies, restarts, folds, days that roll.

What a scope counts is worked out here from what was asked and told alone, and compared after every step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from math import inf

from engines import MICRO, engine, price
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from laws import examples

from policies.accounts import Account
from policies.admission import GrantRequest
from policies.book import lease_of
from policies.engine import BookedCall, Engine
from policies.files import parse
from policies.model import Override, PolicySet, Rolling, Unit, Who
from policies.records import Position, Record
from policies.restoring import mattering, restore
from policies.sizing import Request
from policies.units import decimal
from switchgear.decision import Action
from switchgear.tier import Tier
from switchgear.usage import Usage

TENANTS = (
    "tenants: {acme: {workloads: {w: {owner: ann, degrade: [{from: m, to: small}]}, v: {}}}, zenith: {}}\n"
)
FIRST = """
  - {name: minute, limit: 900 USD, window: 60s}
  - {name: day, limit: 900 USD, window: {calendar: day, zone: Europe/Berlin}}
  - {name: tokens, limit: 900M tokens, window: 24h}
  - {name: task, limit: 900 USD, per: task}
  - {name: models, limit: 900 USD, window: 1h, per: model}
  - {name: owners, limit: 900 USD, window: 30d, per: owner}
  - {name: acme, scope: {tenant: acme}, limit: 0.01 USD, window: 2h, shadow: true, ladder: [{at: 10%, do: degrade}]}
  - {name: small, scope: {model: small}, limit: 0.02 USD, window: 1h, ladder: [{at: 10%, do: degrade}]}
"""
SECOND = """
  - {name: minute, limit: 800 USD, window: 24h}
  - {name: day, limit: 900 USD, window: {calendar: week, zone: Europe/Berlin}}
  - {name: task, limit: 800 USD, per: task}
  - {name: models, limit: 900 USD, window: 1h, per: [tenant, workload]}
  - {name: owners, limit: 900 USD, window: 30d, per: owner}
  - {name: acme, scope: {tenant: acme}, limit: 1 USD, window: 2h, ladder: [{at: 1%, do: degrade}]}
"""
# 30 hours before the clocks of Berlin go back.
BEGIN = 1_792_825_200.0 - 30 * 3600


def policies(ceilings: str) -> PolicySet:
    return parse(f"version: 1\n{TENANTS}ceilings:\n{ceilings}", name="p.yaml")


@dataclass
class Call:
    """What one call counts as: for whom, in which own budgets, how much, since when."""

    who: Who
    budgets: frozenset[str]
    money: Decimal
    tokens: int
    at: float


@dataclass
class Grant:
    """What an agent knows of its grant; `each` is what one of its calls is held at."""

    who: Who
    budgets: frozenset[str]
    calls: int
    left: int
    expires_at: float
    money: Decimal
    tokens: int
    apart: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    """Those that were extended."""
    given_back: int = 0
    booked: int = 0
    settled: int = 0
    """Those that are settled and not booked."""

    def holds(self, lease: str) -> bool:
        """Whether something is held for this call, which has not ended."""
        return lease in self.apart or self.left > len(self.apart)

    def size(self, lease: str) -> tuple[Decimal, int]:
        return self.apart.get(lease, (self.money, self.tokens))

    def held(self, unit: Unit) -> Decimal:
        sizes = [*self.apart.values()] + [(self.money, self.tokens)] * (self.left - len(self.apart))
        return Decimal(sum(money if unit is Unit.MONEY else tokens for money, tokens in sizes))


def counts(account: Account, who: Who, budgets: frozenset[str]) -> bool:
    """Whether a call counts there, by what the ceiling says."""
    values = dict(account.meter.values)
    if account.meter.is_own_budget:
        return values.popitem()[1] in budgets and account.ceiling.scope.tenant == who.tenant
    wanted = account.ceiling.scope.to_wire() | {name.value: value for name, value in values.items()}
    known = {name: getattr(who, name) or "" for name in wanted}
    return known == {name: str(value) for name, value in wanted.items()}


class Scenes(RuleBasedStateMachine):
    """Grants and calls of two tenants under two policy sets, over days and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.ceilings = FIRST
        self.engine = engine(FIRST, TENANTS)
        self.now = BEGIN
        self.ids = count(1)
        self.grants: dict[str, Grant] = {}
        self.undrawn: dict[str, str] = {}
        self.settled: dict[str, Call] = {}
        self.booked: dict[str, Call] = {}
        self.aged: dict[str, Call] = {}
        self.leases: dict[str, str | None] = {}
        self.feed: list[str] = []
        self.journal: list[Record] = []
        self.folded = False

    # -- what agents do

    @rule(
        tenant=st.sampled_from(["acme", "zenith"]),
        workload=st.sampled_from(["w", "v"]),
        task=st.sampled_from([None, "t", "root"]),
        output=st.integers(1, 3000),
        calls=st.integers(1, 3),
        spare=st.integers(0, 2),
    )
    def ask(self, tenant: str, workload: str, task: str | None, output: int, calls: int, spare: int) -> None:
        owner = "ann" if (tenant, workload) == ("acme", "w") else None
        who = Who(tenant, workload, Tier.INTERACTIVE, task, "openai", "m", owner)
        budgets = (("root", Decimal(500)), ("sub", Decimal(400))) if task == "root" else ()
        call = Request("openai", "m", 0, output)
        request = GrantRequest(
            f"g{next(self.ids)}", who, call, frozenset(), budgets, calls=calls, spare=spare
        )
        ticket = self.engine.request(request, self.now)
        if ticket.grant is None:
            self.engine.leave(request.id, self.now)
            return
        assert ticket.decision is not None
        if ticket.decision.action is Action.DEGRADE and ticket.decision.caps.model:
            who = replace(who, model=ticket.decision.caps.model)
        found = self.engine.book.find(request.id)
        assert found is not None
        own = frozenset(name for name, _ in budgets)
        sizes, calls = found.sizes, ticket.grant.calls
        self.grants[request.id] = Grant(
            who, own, calls, calls, found.expires_at, decimal(sizes.money.mean), sizes.tokens.mean
        )
        self.undrawn |= {lease_of(request.id, number): request.id for number in range(1, calls + 1)}

    @precondition(lambda self: self.undrawn)
    @rule(data=st.data(), output=st.one_of(st.none(), st.integers(0, 3000)))
    def settle(self, data: st.DataObject, output: int | None) -> None:
        lease = data.draw(st.sampled_from(sorted(self.undrawn)))
        usage = None if output is None else Usage(output=output)
        assert self.engine.settle(lease, "m", usage, self.now)
        grant, size = self._drawn(lease)
        grant.settled += 1
        self.settled[lease] = self._call(grant, grant.who, size, output, self.now)

    @precondition(lambda self: any(grant.left for grant in self.grants.values()))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        grant_id = data.draw(st.sampled_from(sorted(i for i, grant in self.grants.items() if grant.left)))
        grant = self.grants[grant_id]
        assert self.engine.release(lease_of(grant_id, 1), self.now)
        grant.given_back, grant.left, grant.apart = grant.given_back + grant.left, 0, {}
        self._drop_if_over(grant_id)

    @precondition(lambda self: self.undrawn)
    @rule(data=st.data(), output=st.integers(1, 5000))
    def extend(self, data: st.DataObject, output: int) -> None:
        lease = data.draw(st.sampled_from(sorted(self.undrawn)))
        grant = self.grants[self.undrawn[lease]]
        if self.engine.leases.extend(lease, output, self.now):
            assert grant.holds(lease)
            found = self.engine.book.find(self.undrawn[lease])
            assert found is not None
            size = found.sizes_of(int(lease.rpartition(":")[2]))
            grant.apart[lease] = (decimal(size.money.mean), size.tokens.mean)
        if grant.holds(lease):
            grant.expires_at = self.now + 300.0

    # -- what the collector tells

    @precondition(lambda self: self.undrawn or self.settled)
    @rule(
        data=st.data(),
        output=st.one_of(st.none(), st.integers(0, 3000)),
        late=st.sampled_from([0.0, 50.0, 3600.0]),
        model=st.sampled_from([None, "small", "other"]),
    )
    def a_span_is_booked(
        self, data: st.DataObject, output: int | None, late: float, model: str | None
    ) -> None:
        """The model that answered need not be the one that was asked for."""
        lease = data.draw(st.sampled_from(sorted([*self.undrawn, *self.settled])))
        grant_id = lease.rpartition(":")[0]
        settled = self.settled.pop(lease, None)
        grant, size = (self.grants[grant_id], None) if settled is not None else self._drawn(lease)
        grant.booked += 1
        who = replace(grant.who, model=model or grant.who.model)
        call = self._call(grant, who, size or (Decimal(0), 0), output, self.now - late)
        if settled is not None:
            grant.settled -= 1
            call.at = max(call.at, settled.at)
            if output is None:
                call.money, call.tokens = settled.money, settled.tokens
        self._book(f"call of {lease}", lease, call, unknown=output is None)
        self._drop_if_over(grant_id)

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), output=st.integers(0, 3000))
    def a_richer_record_comes(self, data: st.DataObject, output: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.booked)))
        call = replace(self.booked[key], money=output * MICRO, tokens=output)
        self._book(key, self.leases[key], call)

    @rule(tenant=st.sampled_from(["acme", "zenith"]), output=st.integers(0, 3000))
    def a_call_without_a_hold_is_booked(self, tenant: str, output: int) -> None:
        who = Who(tenant, "v", Tier.BATCH, "t", "openai", "m")
        call = Call(who, frozenset(), output * MICRO, output, self.now)
        self._book(f"unguarded {len(self.feed)}", None, call)

    # -- what people and time do

    @rule(passed=st.sampled_from([0.01, 20.0, 301.0, 7200.0, 40_000.0, 100_000.0]))
    def time_passes(self, passed: float) -> None:
        # What a task has spent is forgotten when it was idle for a week.
        self.now = min(self.now + passed, BEGIN + 6 * 86_400.0)
        self.engine.tick(self.now)
        for grant in self.grants.values():
            if grant.expires_at <= self.now:
                grant.left, grant.apart = 0, {}
        self.engine.tidy(self.now)
        known = {grant_id for grant_id in self.grants if self.engine.book.find(grant_id) is not None}
        for grant_id, grant in self.grants.items():
            # So long it is known for certain: an hour and its own time.
            assert grant_id in known or self._is_over(grant) or grant.expires_at + 3600.0 < self.now
        self.undrawn = {lease: of for lease, of in self.undrawn.items() if of in known}
        for key, call in list(self.booked.items()):
            # It counts on, added up with others, and cannot be replaced any more.
            if not self.engine.book.has(key):
                assert call.at < self.now - 86_400.0
                self.aged[key] = self.booked.pop(key)

    @rule()
    def other_policies_are_loaded(self) -> None:
        self.ceilings = SECOND if self.ceilings is FIRST else FIRST
        self.engine.replace(policies(self.ceilings), self.now)

    @rule(limit=st.sampled_from([Decimal("0.0001"), Decimal(950)]), for_s=st.sampled_from([10.0, 10_000.0]))
    def somebody_overrides(self, limit: Decimal, for_s: float) -> None:
        override = Override("models", limit, self.now + for_s, "ann", "a test")
        self.engine.by_hand.override(f"o{next(self.ids)}", override, self.now)

    @rule()
    def a_place_in_the_feed_is_written_down(self) -> None:
        self.engine.records.append(Position(self.now, len(self.feed)))

    @rule()
    def the_journal_is_folded(self) -> None:
        self._write()
        self.journal = list(filter(mattering(self.engine, self.now), self.journal))
        self.folded = True

    @rule()
    def the_engine_starts_again(self) -> None:
        """From its journal, and from the place in the feed that it says."""
        self._write()
        overrides = dict(self.engine.accounts.overrides)
        self.engine = Engine(policies(self.ceilings), price)
        self.engine.accounts.open_windows(self.now)
        position = restore(self.engine, self.journal, self.now)
        self.booked |= self.aged
        self.aged = {}
        last = {key: number for number, key in enumerate(self.feed)}
        for key, number in sorted(last.items(), key=lambda item: item[1]):
            if number >= position:
                call = self.booked[key]
                usage = Usage(output=call.tokens)
                told = BookedCall(key, call.who, usage, call.money, call.at, self.leases[key])
                self.engine.booked([told], self.now)
        self.engine.tick(self.now)
        assert self.engine.accounts.overrides == {
            name: each for name, each in overrides.items() if each.until > self.now
        }

    # -- the truth

    @invariant()
    def counters_are_the_ledger(self) -> None:
        calls = [*self.settled.values(), *self.booked.values(), *self.aged.values()]
        aged = {id(call) for call in self.aged.values()}
        for account in self.engine.accounts:
            name, unit, window = account.ceiling.name, account.ceiling.unit, account.ceiling.window
            in_flight = [grant for grant in self.grants.values() if counts(account, grant.who, grant.budgets)]
            assert account.held == sum(grant.held(unit) for grant in in_flight), name
            assert account.meter.holds == sum(grant.left for grant in in_flight), name

            begin, end, slack = 0.0, inf, 0.0
            if isinstance(window, Rolling):
                begin, slack = self.now - window.length_s, window.length_s / 240
            elif window is not None:
                begin, end = window.bounds(self.now)
            mine = [call for call in calls if counts(account, call.who, call.budgets)]
            inside, nearly = (
                sum(
                    call.money if unit is Unit.MONEY else Decimal(call.tokens)
                    for call in mine
                    if begin - (more + 900.0 if more and id(call) in aged else more) <= call.at < end
                )
                for more in (0.0, slack)
            )
            if account.meter.is_own_budget and self.folded:
                # Which budgets a call counts in stands in its grant alone, and that is folded away once it is booked.
                inside = 0
            assert inside <= account.spent(self.now) <= nearly, name

    # -- inside

    def _call(self, grant: Grant, who: Who, size: tuple[Decimal, int], output: int | None, at: float) -> Call:
        money, tokens = size if output is None else (output * MICRO, output)
        return Call(who, grant.budgets, money, tokens, at)

    def _drawn(self, lease: str) -> tuple[Grant, tuple[Decimal, int]]:
        """The grant of a call that ends, and what was held for it."""
        grant = self.grants[self.undrawn.pop(lease)]
        size = grant.size(lease)
        grant.left -= grant.holds(lease)
        grant.apart.pop(lease, None)
        return grant, size

    def _book(self, key: str, lease: str | None, call: Call, *, unknown: bool = False) -> None:
        usage, money = (None, None) if unknown else (Usage(output=call.tokens), call.money)
        self.engine.booked([BookedCall(key, call.who, usage, money, call.at, lease)], self.now)
        self.booked[key] = call
        self.leases[key] = lease
        self.feed.append(key)

    def _write(self) -> None:
        self.journal += self.engine.records
        self.engine.records.clear()

    def _is_over(self, grant: Grant) -> bool:
        over = grant.booked + grant.given_back >= grant.calls and grant.settled == 0
        return over and not (grant.given_back and grant.budgets)

    def _drop_if_over(self, grant_id: str) -> None:
        if self._is_over(self.grants[grant_id]):
            self.undrawn = {lease: of for lease, of in self.undrawn.items() if of != grant_id}


Scenes.TestCase.settings = settings(max_examples=examples(15), stateful_step_count=40, deadline=None)
TestScenes = Scenes.TestCase
