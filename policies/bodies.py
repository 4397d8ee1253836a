"""The bodies of the hot routes: what may be asked, as types by which it is read, checked and described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from switchgear.money import Money
from switchgear.tier import Tier
from switchgear.usage import MAX_TOKENS_PER_CALL, Usage

from .admission import GrantRequest
from .model import PolicySet, Who
from .sizing import Request
from .spares import MOST_CALLS

__all__ = [
    "BadBodyError",
    "ExtendBody",
    "FinishBody",
    "GrantBody",
    "NotJsonError",
    "ReleaseBody",
    "ReleaseOne",
    "ScopeBody",
    "ScopeQuery",
    "ScopesBody",
    "SettleBody",
    "SettleOne",
    "Unreadable",
    "read",
    "read_finished",
    "read_query",
]

Name = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\x00]+$")]
Wait = Annotated[
    float, Meta(ge=0, le=30, description="Seconds to wait for a change, or for what is asked for.")
]
Count = Annotated[int, Meta(ge=0, le=MAX_TOKENS_PER_CALL)]
Calls = Annotated[int, Meta(ge=1, le=MOST_CALLS)]
MOST_FINISHED = 1000
_Header = Annotated[str, Meta(max_length=256)]
_Lease = Annotated[str, Meta(pattern="^(?!.*[/\\x00-\\x1f])[^:]+(:[1-9][0-9]{0,3})?$", max_length=80)]
Headers = Annotated[dict[_Header, _Header], Meta(max_length=64)]

_FAULT = re.compile(r"(?P<why>.*?)(?: - at `\$(?P<where>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_PLACE = re.compile(r"\[(\d+|\.\.\.)\]")


class NotJsonError(Exception):
    """A body that is no JSON; says where it breaks off."""


class BadBodyError(Exception):
    """JSON that is not what the route takes: "field: why"."""


class _Body(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pass


class ScopeBody(_Body):
    """Whose decision is asked for; `task` is the root task's id. Rules for a model apply where it is named."""

    tenant: Annotated[Name, Meta(description="For whom the work runs.")]
    workload: Annotated[Name, Meta(description="The agent's name.")]
    tier: Annotated[
        Tier | None, Meta(description="The workload's declared tier, else batch, if left out.")
    ] = None
    task: Annotated[Name | None, Meta(description="The root task's id: its ceiling counts, too.")] = None
    provider: Annotated[Name | None, Meta(description="Whose capacity `share` is of.")] = None
    model: Annotated[Name | None, Meta(description="Ceilings for a model apply where it is named.")] = None

    def who(self, policies: PolicySet) -> Who:
        """The scope as the engine sees it: the workload's declared tier where none is named."""
        declared = policies.workload(self.tenant, self.workload)
        tier = self.tier or (declared.tier if declared else Tier.BATCH)
        owner = declared.owner if declared else None
        return Who(self.tenant, self.workload, tier, self.task, self.provider, self.model, owner)


class ScopeQuery(ScopeBody):
    """One scope, as a query's parameters; waits up to `wait` seconds for a change against If-None-Match."""

    wait: Wait = 0.0


class ScopesBody(_Body):
    """Several scopes at once; waits up to `wait` seconds for a change against `etag`."""

    scopes: Annotated[list[ScopeBody], Meta(max_length=10_000)]
    etag: str | None = None
    wait: Wait = 0.0


class BudgetBody(_Body):
    """What a task allows itself and those inside it: "0.50 USD"."""

    task: Name
    limit: str


class GrantBody(ScopeBody, kw_only=True):
    """A call that wants to be made, or `calls` like it. `input_bytes` is the request body's size.

    `spare` more like it are held on top, as far as there is plenty of room: the answer says how many calls in all.
    `task` is the root of `task_id`. `worst_case` holds the most that a call can cost, not what such calls have cost.
    """

    id: Annotated[str, Meta(min_length=8, max_length=64, pattern="^(?!.*[/:\\x00-\\x1f]).+$")]
    provider: Name
    model: Name
    input_bytes: Annotated[int, Meta(ge=0, le=1 << 30)]
    max_output_tokens: Count | None = None
    writes_cache: bool = False
    needs: list[Literal["tools", "schema", "thinking"]] = []
    budgets: Annotated[list[BudgetBody], Meta(max_length=32)] = []
    task_id: Name | None = None
    parent_task_id: Name | None = None
    attempt: Annotated[int, Meta(ge=1, le=10_000)] = 1
    calls: Calls = 1
    worst_case: bool = False
    spare: Annotated[int, Meta(ge=0, le=MOST_CALLS)] = 0
    wait: Wait = 0.0

    def request(self, policies: PolicySet) -> GrantRequest:
        """The request as the engine sees it. Raises ValueError for a budget that is none, or in another currency."""
        return GrantRequest(
            self.id,
            self.who(policies),
            Request(self.provider, self.model, self.input_bytes, self.max_output_tokens, self.writes_cache),
            frozenset(self.needs),
            tuple((own.task, _allowed(own.limit, policies.currency).amount) for own in self.budgets),
            self.task_id,
            self.parent_task_id,
            self.attempt,
            self.calls,
            self.worst_case,
            self.spare,
        )


class UsageBody(_Body):
    """The provider's counts of a call."""

    input_uncached: Count = 0
    cache_read: Count = 0
    cache_write_5m: Count = 0
    cache_write_1h: Count = 0
    output: Count = 0
    reasoning: Count = 0

    def usage(self) -> Usage:
        """The counts as the engine takes them. Raises ValueError where they contradict each other."""
        return Usage(
            self.input_uncached,
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
            self.output,
            self.reasoning,
        )


class SettleBody(_Body):
    """A granted call ended; `usage` is null where the provider's counts did not come (an aborted stream)."""

    model: Name | None = None
    usage: UsageBody | None = None
    response_id: Annotated[str, Meta(min_length=1, max_length=256, pattern="^[^\\x00]+$")] | None = None
    headers: Headers = {}


class ExtendBody(_Body):
    """A granted call runs longer than was held for: what its answer may yet come to in all."""

    max_output_tokens: Count


class ReleaseBody(_Body):
    """Granted calls were not billed (null: all that are left); `throttled_for_s` is Retry-After on a 429.

    `headers` are those of the provider's answer that name its rate limits, here as where a call is settled.
    """

    calls: Calls | None = None
    throttled_for_s: Annotated[float, Meta(ge=0, le=3600)] | None = None
    headers: Headers = {}


class SettleOne(SettleBody, kw_only=True, tag_field="do", tag="settle"):
    """As where one call is settled; `lease` is `id:n`, or a grant's id for the first of its holds."""

    lease: _Lease


class ReleaseOne(ReleaseBody, kw_only=True, tag_field="do", tag="release"):
    """As where calls are released; `lease` is a grant's id, or that of one of its holds."""

    lease: _Lease


class FinishBody(_Body):
    """Calls that ended, of any grants: each as where it is settled or released by itself."""

    finished: Annotated[list[SettleOne | ReleaseOne], Meta(max_length=MOST_FINISHED)]


class Unreadable(NamedTuple):
    """One that cannot be read, and why: "field: why"."""

    lease: str | None
    error: str


class _Named(msgspec.Struct):
    lease: str | None = None


class _Finishing(_Body):
    """The same, read one by one: one that cannot be read does not hinder the others."""

    finished: Annotated[list[msgspec.Raw], Meta(max_length=MOST_FINISHED)]


B = TypeVar("B", bound=_Body)

_DECODERS: dict[type[_Body], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (ScopesBody, GrantBody, SettleBody, ExtendBody, ReleaseBody, _Finishing)
}
_ONE: msgspec.json.Decoder[SettleOne | ReleaseOne] = msgspec.json.Decoder(SettleOne | ReleaseOne)


def read_finished(content: bytes | bytearray) -> Iterator[SettleOne | ReleaseOne | Unreadable]:
    """Each call that ended, or what is wrong with it. Raises NotJsonError or BadBodyError where the whole is wrong."""
    for one in read(_Finishing, content).finished:
        try:
            yield _ONE.decode(one)
        except msgspec.ValidationError as error:
            yield Unreadable(_lease_in(one), _told(str(error)))


def _lease_in(one: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(one, type=_Named).lease
    except msgspec.ValidationError:
        return None


def read(kind: type[B], content: bytes | bytearray) -> B:
    """A body from its JSON. Raises NotJsonError or BadBodyError."""
    try:
        body: B = _DECODERS[kind].decode(content)
    except msgspec.ValidationError as error:
        raise BadBodyError(_told(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJsonError(str(error)) from None
    return body


def read_query(query: bytes) -> ScopeQuery:
    """A scope from a query string. Raises BadBodyError."""
    try:
        return msgspec.convert(dict(parse_qsl(query.decode("latin-1"))), ScopeQuery, strict=False)
    except msgspec.ValidationError as error:
        raise BadBodyError(_told(str(error))) from None


def _told(fault: str) -> str:
    """msgspec's words as "field: why"; a field of a list's third item is `scopes.2.tenant`."""
    found = _FAULT.fullmatch(fault)
    why, where = (found["why"], found["where"] or "") if found else (fault, "")
    where = _PLACE.sub(r".\1", where)
    if (field := _FIELD.fullmatch(why)) is not None:
        where = f"{where}.{field['name']}"
        why = "is missing" if "missing" in field["what"] else "is not known here"
    return f"{where.lstrip('.') or 'body'}: {why.replace('`', '')}"


def _allowed(text: str, currency: str) -> Money:
    money = Money.parse(text)
    if money.amount <= 0:
        raise ValueError(f'budget "{money}" is not above zero')
    if money.currency != currency:
        raise ValueError(f'budget "{money}" is not in the policies\' currency {currency}')
    return money
