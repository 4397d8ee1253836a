"""Record: the one call that several spans make together. It depends on which spans there are, not on their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from switchgear.usage import Usage

from ..call import SETTLEMENT, UNATTRIBUTED, Call, Flag, Kind, Marks, Reported
from ..dialects import TRUST

__all__ = ["merged", "stands_in", "telling"]


def telling(members: Sequence[Call]) -> list[Call]:
    """Those of `members` that tell of the call; the others only lie round it and further ones."""
    return [member for member in members if Marks.WRAPS_SEVERAL not in member.marks]


def merged(members: Sequence[Call]) -> Call:
    """The one call that `members` tell of, unpriced, under the identity of the first of them that has a tenant.

    Counts come whole from one span; another fills in only what that one does not name, and only where both
    agree on the rest. Of other facts the first known counts, most trusted first; attempts are the most seen. It is an
    answer out of a cache only where nothing shows that a model was asked: a hold, or what another span says of it.
    """
    tell = telling(members)
    ordered = sorted(tell, key=lambda call: _rank(call, tell))
    best, face = ordered[0], min(ordered, key=stands_in)
    if len(ordered) == 1:
        return best
    usage, reported = _usage(ordered)
    # A settlement's times are the hold's.
    spans = [call for call in ordered if call.dialect != SETTLEMENT] or ordered
    ended = [call.ended_at for call in spans if call.ended_at is not None]
    kind, cache, flags = _served(ordered)
    return structs.replace(
        best,
        kind=kind,
        cache=cache,
        flags=flags,
        tenant=face.tenant,
        trace_id=face.trace_id,
        span_id=face.span_id,
        parent_span_id=face.parent_span_id,
        started_at=min(call.started_at for call in spans),
        ended_at=max(ended) if ended else None,
        usage=usage,
        reported=reported,
        attempts=max(call.attempts for call in ordered),
        workload=_first(ordered, "workload"),
        task_id=_first(ordered, "task_id"),
        parent_task_id=_first(ordered, "parent_task_id"),
        root_task_id=_first(ordered, "root_task_id"),
        tier=_first(ordered, "tier"),
        end_user=_first(ordered, "end_user"),
        provider=_first(ordered, "provider"),
        model=_first(ordered, "model"),
        request_model=_first(ordered, "request_model"),
        response_id=_first(ordered, "response_id"),
        lease_id=_first(ordered, "lease_id"),
        service_tier=_first(ordered, "service_tier"),
    )


def stands_in(call: Call) -> tuple[bool, bool]:
    """Whether a call's identity is for want of a better one: it has no tenant, or no span of its own."""
    return (call.tenant == UNATTRIBUTED, call.dialect == SETTLEMENT)


def _served(ordered: Sequence[Call]) -> tuple[Kind, str | None, tuple[Flag, ...]]:
    """Kind, outcome of the cache and flags of the record."""
    best = ordered[0]
    served = [call for call in ordered if call.kind is Kind.SERVED]
    others = [call for call in ordered if call.kind is not Kind.SERVED]
    if not served:
        return best.kind, _first(ordered, "cache"), best.flags
    paid = any(call.lease_id is not None or call.cache is not None for call in others)
    if not paid:
        return Kind.SERVED, served[0].cache, best.flags
    flags = tuple(sorted({*best.flags, Flag.INCONSISTENT}))
    return Kind.LLM, _first(others, "cache") or served[0].cache, flags


def _first(ordered: Sequence[Call], name: str) -> str | None:
    return next((value for call in ordered if (value := getattr(call, name)) is not None), None)


def _rank(call: Call, tell: Sequence[Call]) -> tuple[object, ...]:
    """The order of trust among what tells of the call: a settlement last, since it only fills in what no span says.

    A parent that shares no response id with its child wraps more than the request. What lies round several calls is
    not asked: with which of them it is kept depends on which came first.
    """
    wraps = any(
        child.parent_span_id == call.span_id
        and child.trace_id == call.trace_id
        and (child.response_id is None or child.response_id != call.response_id)
        for child in tell
    )
    settlement = call.dialect == SETTLEMENT
    return (
        settlement,
        wraps,
        -TRUST.get(call.dialect, 0),
        call.started_at,
        call.trace_id,
        call.span_id,
        call.tenant,
    )


def _usage(ordered: Sequence[Call]) -> tuple[Usage | None, Reported]:
    counted = [call for call in ordered if call.usage is not None]
    if not counted:
        return None, Reported.NOTHING
    base = next((call for call in counted if call.reported.complete), counted[0])
    usage, reported = base.usage, base.reported
    for other in counted:
        if usage is not None and other.usage is not None and other is not base:
            usage, reported = _filled(usage, reported, other.usage, other.reported)
    if usage is not None and not usage.apart:
        usage = next((other.usage for other in counted if _parts(other.usage, usage)), usage)
    return usage, reported


def _parts(other: Usage | None, usage: Usage) -> bool:
    """Whether `other` names what is billed apart, and counts everything else as `usage` does."""
    return other is not None and bool(other.apart) and replace(other, apart=()) == usage


def _filled(usage: Usage, reported: Reported, other: Usage, named: Reported) -> tuple[Usage, Reported]:
    """`usage` with the splits that only `other` names, where the totals that they split are the same."""
    if usage.apart:
        # Its parts are of its own counts: of others they might be more than the whole.
        return usage, reported
    cached = Reported.CACHE_READ | Reported.CACHE_WRITE
    if usage.input_total == other.input_total:
        if not reported & cached and named & cached:
            usage = replace(
                usage,
                input_uncached=other.input_uncached,
                cache_read=other.cache_read,
                cache_write_5m=other.cache_write_5m,
                cache_write_1h=other.cache_write_1h,
            )
            reported |= named & (cached | Reported.LIFETIMES)
        written = usage.cache_write_5m + usage.cache_write_1h
        if (
            Reported.LIFETIMES not in reported
            and Reported.LIFETIMES in named
            and written == other.cache_write_5m + other.cache_write_1h
        ):
            usage = replace(usage, cache_write_5m=other.cache_write_5m, cache_write_1h=other.cache_write_1h)
            reported |= Reported.LIFETIMES
    if Reported.REASONING not in reported and Reported.REASONING in named and usage.output == other.output:
        usage = replace(usage, reasoning=other.reasoning)
        reported |= Reported.REASONING
    return usage, reported
