"""Case files: what a policy file is meant to do, as steps in virtual time with what is expected of each.

    version: 1
    rates: {gpt-4o: 10 USD}              # per million tokens; a model without one: 1 USD
    defaults: {tenant: acme, workload: nightly, model: gpt-4o}
    cases:
      - name: exactly at the limit
        start: 2026-03-28T22:00:00Z
        steps:
          - {call: {cost: 20 USD}, expect: {action: allow, ceilings: {acme-hour: {remaining: 0 USD}}}}
          - {at: 1h, call: {cost: 0.01 USD}, expect: {action: deny, policy: acme-hour}}

Read with positions, checked against the policies that it is for, and turned into frozen values. What is wrong is told
as in policy files: file:line: where: why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from analytics import documents
from analytics.documents import Location
from analytics.trees import MapTree
from switchgear.decision import Action
from switchgear.money import Money
from switchgear.tier import Tier
from switchgear.usage import MAX_TOKENS_PER_CALL

from ..breaker import State
from ..files.fields import Name, PositiveAmount
from ..files.times import Instant, Seconds
from ..model import PolicySet, Unit
from .steps import Agent, Ask, Call, Case, Expected, Force, Rates, Spend, Step

__all__ = ["CaseDocument", "load", "parse"]

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
_SECONDS: TypeAdapter[float] = TypeAdapter(Seconds)
_STATES = {"open": State.FORCED_OPEN, "disable": State.DISABLED, "restore": None}
_VERBS = ("call", "spend", "ask", "force")
_TOLD = ("action", "policy", "reason", "model")
_BEGIN = "2026-01-01T00:00:00Z"
_PROVIDER, _MODEL = "openai", "a-model"


def _length(value: Any) -> float:
    seconds: float = 0.0 if value == "0s" else _told(_SECONDS, value)
    return seconds


def _moment(value: Any) -> float | datetime:
    """A length from the case's start on, or an instant."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        instant: datetime = _told(_INSTANT, value)
        return instant
    return _length(value)


def _told(adapter: TypeAdapter[Any], value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _quantity(value: Any) -> Money | int:
    """An amount of either unit, nothing and less than nothing among them."""
    if isinstance(value, str) and value.endswith(" tokens"):
        count = value.removesuffix(" tokens").replace("_", "")
        if not count.removeprefix("-").isdecimal():
            raise ValueError(f'"{value}" is no number of tokens; write "500 tokens"')
        return int(count)
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no amount; write "{value} USD" or "{value} tokens"')  # noqa: TRY004 - pydantic wants ValueError
    return Money.parse(value)


Length = Annotated[float, BeforeValidator(_length)]
Moment = Annotated[float | datetime, BeforeValidator(_moment)]
Quantity = Annotated[Money | int, BeforeValidator(_quantity)]
Count = Annotated[int, Field(ge=1, le=MAX_TOKENS_PER_CALL)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class AgentDocument(_Strict):
    """Who it is that calls; what is not named here is by `defaults`."""

    tenant: Name | None = None
    workload: Name | None = None
    tier: Tier | None = None
    task: Name | None = None
    provider: Name | None = None
    model: Name | None = None


class SpendDocument(AgentDocument):
    """Calls that were made without asking: `cost` or `tokens` each."""

    cost: PositiveAmount | None = None
    tokens: Count | None = None
    times: Annotated[int, Field(ge=1, le=100_000)] = 1
    every: Length = 0.0


class CallDocument(SpendDocument):
    """Calls that ask first."""

    takes: Length = 0.0
    waits: Length = 0.0
    needs: list[Literal["tools", "schema", "thinking"]] = []


class ForceDocument(_Strict):
    """A breaker moved by hand."""

    ceiling: Name
    do: Literal["open", "disable", "restore"]
    for_: Seconds | None = Field(default=None, alias="for")


class StandDocument(_Strict):
    """How a ceiling stands for the step's agent."""

    state: State | None = None
    spent: Quantity | None = None
    held: Quantity | None = None
    remaining: Quantity | None = None


class ExpectDocument(_Strict):
    """What is told to the step's agent, and how ceilings stand for it then."""

    action: Action | None = None
    policy: Name | None = None
    reason: str | None = None
    model: Name | None = None
    ceilings: dict[Name, StandDocument] = {}


class StepDocument(_Strict):
    """At a moment (or after a while) one thing happens, and something is expected."""

    at: Moment | None = None
    advance: Length | None = None
    call: CallDocument | None = None
    spend: SpendDocument | None = None
    ask: AgentDocument | None = None
    force: ForceDocument | None = None
    expect: ExpectDocument | None = None


class OneCaseDocument(_Strict):
    """What a policy file is meant to do in one situation."""

    name: Name
    start: Instant | None = None
    defaults: AgentDocument = AgentDocument()
    steps: list[StepDocument] = Field(min_length=1)


class CaseDocument(_Strict):
    """A file of cases for one policy file."""

    version: Literal[1]
    rates: dict[Name, PositiveAmount] = {}
    start: Instant = Field(default=_BEGIN, validate_default=True)
    defaults: AgentDocument = AgentDocument()
    cases: list[OneCaseDocument] = Field(min_length=1)


def load(path: Path, policies: PolicySet) -> tuple[Case, ...]:
    """The cases in a file, for these policies. Raises DocumentError, also where the file cannot be read."""
    return parse(documents.read(path), policies, name=str(path))


def parse(text: str, policies: PolicySet, *, name: str) -> tuple[Case, ...]:
    """The cases in `text`; `name` stands for the file in errors. Raises DocumentError with every error."""
    tree = documents.tree_of(text, name)
    document = documents.validated(CaseDocument, tree, name)
    errors = list(_errors(document, policies))
    if errors:
        raise documents.refused(tree, name, errors)
    return tuple(_case(tree, document, _rates(document), index) for index in range(len(document.cases)))


# -- what no single field shows


def _errors(document: CaseDocument, policies: PolicySet) -> Iterator[tuple[Location, str]]:
    for model, rate in document.rates.items():
        yield from _in_currency(("rates", model), rate, policies)
    rates = _rates(document)
    seen: dict[str, int] = {}
    for index, case in enumerate(document.cases):
        where: Location = ("cases", index)
        if case.name in seen:
            yield (*where, "name"), f'"{case.name}" is already the name of cases[{seen[case.name]}]'
        seen.setdefault(case.name, index)
        defaults = _over(document.defaults, case.defaults)
        for number, step in enumerate(case.steps):
            yield from _step_errors((*where, "steps", number), step, defaults, rates, policies)


def _step_errors(
    where: Location,
    step: StepDocument,
    defaults: Mapping[str, Any],
    rates: Rates,
    policies: PolicySet,
) -> Iterator[tuple[Location, str]]:
    done = [verb for verb in _VERBS if getattr(step, verb) is not None]
    if len(done) > 1:
        yield (*where, done[1]), f'a step does one thing; make a step of its own of "{done[1]}"'
    if not done and step.at is None and step.advance is None and step.expect is None:
        yield where, f"nothing happens here; write one of: {', '.join((*_VERBS, 'advance', 'expect'))}"
    if step.at is not None and step.advance is not None:
        yield (*where, "advance"), 'a step has one moment; write either "at" or "advance"'
    if step.force is not None:
        yield from _known((*where, "force", "ceiling"), step.force.ceiling, policies)
    agent = step.call or step.spend or step.ask
    if agent is not None:
        missing = [name for name in ("tenant", "workload") if not _over(defaults, agent)[name]]
        yield from (((*where, done[0], name), "is missing, here and in the defaults") for name in missing)
    if isinstance(agent, SpendDocument):
        yield from _amount_errors((*where, done[0]), agent, _over(defaults, agent)["model"], rates, policies)
    yield from _expect_errors((*where, "expect"), step, defaults, policies)


def _amount_errors(
    where: Location, spend: SpendDocument, model: str | None, rates: Rates, policies: PolicySet
) -> Iterator[tuple[Location, str]]:
    if (spend.cost is None) == (spend.tokens is None):
        yield where, 'say how large the call is: either "cost: 0.50 USD" or "tokens: 1000"'
    elif spend.cost is not None:
        yield from _in_currency((*where, "cost"), spend.cost, policies)
        tokens = rates.tokens(model or _MODEL, spend.cost.amount)
        if tokens != int(tokens):
            yield (
                (*where, "cost"),
                f'"{spend.cost}" is {tokens:f} tokens at the rate of {model or _MODEL}; write what whole tokens cost',
            )
        elif tokens > MAX_TOKENS_PER_CALL:
            yield (
                (*where, "cost"),
                f'"{spend.cost}" is {tokens:f} tokens; give the model a higher rate, or write "times"',
            )


def _expect_errors(
    where: Location, step: StepDocument, defaults: Mapping[str, Any], policies: PolicySet
) -> Iterator[tuple[Location, str]]:
    expect = step.expect
    if expect is None:
        return
    told = [name for name in _TOLD if name in expect.model_fields_set]
    if told and step.call is None and step.ask is None:
        yield (*where, told[0]), 'nobody is told anything in this step; write it under a "call" or an "ask"'
    if expect.policy is not None:
        yield from _known((*where, "policy"), expect.policy, policies)
    for name, stand in expect.ceilings.items():
        yield from _known((*where, "ceilings", name), name, policies)
        ceiling = next((each for each in policies.ceilings if each.name == name), None)
        for field in ("spent", "held", "remaining"):
            given = getattr(stand, field)
            if isinstance(given, Money):
                yield from _in_currency((*where, "ceilings", name, field), given, policies)
            if (
                ceiling is not None
                and given is not None
                and isinstance(given, int) != (ceiling.unit is Unit.TOKENS)
            ):
                yield (*where, "ceilings", name, field), f'"{name}" counts {ceiling.unit}'
    if expect.ceilings and not (step.call or step.spend or step.ask) and not defaults["tenant"]:
        yield (
            (*where, "ceilings"),
            "it is not said for whom; write it under a call, or name the tenant in the defaults",
        )


def _in_currency(where: Location, money: Money, policies: PolicySet) -> Iterator[tuple[Location, str]]:
    if money.currency != policies.currency:
        yield where, f'"{money}" is not in the policies\' currency {policies.currency}'


def _known(where: Location, ceiling: str, policies: PolicySet) -> Iterator[tuple[Location, str]]:
    names = [each.name for each in policies.ceilings]
    if ceiling not in names:
        yield where, f'no ceiling "{ceiling}" is declared; there are: {", ".join(names) or "none"}'


# -- to values


def _rates(document: CaseDocument) -> Rates:
    return Rates({model: rate.amount for model, rate in document.rates.items()})


def _case(tree: MapTree, document: CaseDocument, rates: Rates, index: int) -> Case:
    case = document.cases[index]
    start = (case.start or document.start).timestamp()
    defaults = _over(document.defaults, case.defaults)
    steps = tuple(
        Step(
            line=documents.place_of(tree, ("cases", index, "steps", number)).line,
            at=step.at.timestamp()
            if isinstance(step.at, datetime)
            else None
            if step.at is None
            else start + step.at,
            after_s=step.advance or 0.0,
            agent=_agent(_over(defaults, step.call or step.spend or step.ask)),
            does=_does(step, defaults, rates),
            expected=_expected(step.expect or ExpectDocument()),
        )
        for number, step in enumerate(case.steps)
    )
    return Case(case.name, documents.place_of(tree, ("cases", index)).line, start, rates, steps)


def _does(step: StepDocument, defaults: Mapping[str, Any], rates: Rates) -> Call | Spend | Ask | Force | None:
    if step.force is not None:
        return Force(step.force.ceiling, _STATES[step.force.do], step.force.for_)
    if step.ask is not None:
        return Ask()
    spend = step.call or step.spend
    if spend is None:
        return None
    model = _over(defaults, spend)["model"]
    tokens = spend.tokens or int(rates.tokens(model, spend.cost.amount if spend.cost else Decimal(0)))
    if step.call is None:
        return Spend(tokens, spend.times, spend.every)
    call = step.call
    return Call(tokens, call.takes, call.waits, frozenset(call.needs), call.times, call.every)


def _over(defaults: AgentDocument | Mapping[str, Any], more: AgentDocument | None) -> dict[str, Any]:
    """What is named of an agent, by `more` where that names it."""
    whole = dict(defaults) if isinstance(defaults, Mapping) else _named(defaults)
    return {name: (getattr(more, name) if more else None) or value for name, value in whole.items()}


def _named(agent: AgentDocument) -> dict[str, Any]:
    return {name: getattr(agent, name) for name in AgentDocument.model_fields}


def _agent(named: Mapping[str, Any]) -> Agent | None:
    """The agent; None where it is not said who it is."""
    if not named["tenant"] or not named["workload"]:
        return None
    return Agent(
        named["tenant"],
        named["workload"],
        named["tier"],
        named["task"],
        named["provider"] or _PROVIDER,
        named["model"] or _MODEL,
    )


def _expected(document: ExpectDocument) -> Expected:
    return Expected(
        {name: getattr(document, name) for name in _TOLD if name in document.model_fields_set},
        {name: _stand(stand) for name, stand in document.ceilings.items()},
    )


def _stand(document: StandDocument) -> dict[str, Any]:
    given = {name: getattr(document, name) for name in StandDocument.model_fields}
    return {
        name: value.amount
        if isinstance(value, Money)
        else Decimal(value)
        if isinstance(value, int)
        else value
        for name, value in given.items()
        if value is not None
    }
