"""Admission: which calls a key may book: its tenants, their times, their names, and how fast.

Nothing is dropped in silence: what may not be booked is a `NotBilled` whose sender is told by partial success.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from ..call import UNATTRIBUTED, Call, Kind, NotBilled
from ..errors import QuotaError
from ..keys.key import Key
from .limits import Limits
from .names import Names
from .quota import Quota

__all__ = ["Admission"]


class Admission:
    """What stands between a decoded call and its booking. Safe to use from any thread."""

    def __init__(
        self,
        limits: Limits,
        count: Callable[[str], None],
        kept_since: Callable[[str], datetime] = lambda _: datetime.min.replace(tzinfo=UTC),
    ) -> None:
        """`count` is told of each "quota_refusals" and of each of the "overflowed_calls".

        `kept_since` knows since when the details of a tenant are there.
        """
        self._past = timedelta(days=limits.past_days)
        self._future = timedelta(minutes=limits.future_minutes)
        self._count = count
        self._kept_since = kept_since
        self._names = Names(limits)
        self._quota = Quota(limits)

    def check(self, key: Key, now: datetime) -> None:
        """Raise QuotaError while `key` has sent more than it may: ask before anything is read or decoded."""
        try:
            self._quota.check(key, now)
        except QuotaError:
            self._count("quota_refusals")
            raise

    def charge(self, key: Key, size: int, now: datetime, *, spans: int = 0) -> None:
        """Take a request's bytes (after inflating) and its spans off the key's quota.

        It may go below nothing: the request that goes over is still taken, and the next ones wait for it.
        """
        self._quota.draw(key, now, size=size, spans=spans)

    def remember(self, tenant: str, workload: str, now: datetime) -> None:
        """Count a workload that was booked before this process began: it keeps its name."""
        self._names.remember(tenant, workload, now)

    def admit(
        self, billed: Call | NotBilled, key: Key, now: datetime, *, history: bool = False
    ) -> Call | NotBilled:
        """What billing found, as it is to be booked, or why it is not. `history` asks for calls of any age.

        Ask once for each span: it gives the call's names a place under the tenant's caps. Whatever is returned
        names no tenant outside the key's set.
        """
        if isinstance(billed, NotBilled):
            whose = _whose(billed.tenant, key)
            return billed if whose == billed.tenant else replace(billed, tenant=whose)
        attributed = _attributed(billed, key)
        if isinstance(attributed, NotBilled):
            return attributed
        if attributed.kind is Kind.COST and "cost_spans" not in key.options:
            return _rejected(
                attributed,
                key,
                "cost_not_allowed",
                f"states a cost of its own, and key {key.id[:64]!r} lacks the option cost_spans",
            )
        unfit = self._out_of_time(attributed, key, now, history=history) or self._deleted(attributed, key)
        if unfit is not None:
            return unfit
        capped = self._names.capped(attributed, now)
        if capped is not attributed:
            self._count("overflowed_calls")
        return capped

    def _out_of_time(self, call: Call, key: Key, now: datetime, *, history: bool) -> NotBilled | None:
        if now - self._past <= call.started_at <= now + self._future:
            return None
        began = f"began {call.started_at:%Y-%m-%dT%H:%M:%SZ}"
        if call.started_at > now:
            return _quarantined(call, key, f"{began}, over {self._future} ahead of the collector's clock")
        if not history:
            days = self._past.days
            return _quarantined(call, key, f"{began}, over {days} days ago (switchgear import --history)")
        if not key.allows("admin"):
            return _rejected(
                call, key, "no_history", f"{began}: only a key with the scope admin imports history"
            )
        return None

    def _deleted(self, call: Call, key: Key) -> NotBilled | None:
        kept_since = self._kept_since(call.tenant)
        if call.started_at >= kept_since:
            return None
        since = f"{kept_since:%Y-%m-%dT%H:%M:%SZ}"
        reason = (
            f"calls that began before {since} were deleted, and this may be one of them: not billed again"
        )
        return _rejected(call, key, "details_deleted", reason)


def _attributed(call: Call, key: Key) -> Call | NotBilled:
    """The call under the tenant that it names or that the key supplies; rejected outside the key's set."""
    if call.tenant == UNATTRIBUTED:
        if key.sole_tenant is not None:
            return replace(call, tenant=key.sole_tenant)
        if key.all_tenants:
            return call
        return _rejected(
            call,
            key,
            "wrong_tenant",
            "names no tenant, and this key speaks for several: set switchgear.tenant, "
            "or send with a key of one tenant",
        )
    if key.speaks_for(call.tenant):
        return call
    return _rejected(
        call,
        key,
        "wrong_tenant",
        f"tenant {call.tenant[:64]!r} is not among the tenants of key {key.id[:64]!r}: "
        "send with a key that speaks for it",
    )


def _whose(tenant: str | None, key: Key) -> str | None:
    """The tenant, where the key speaks for it; else the one that the key stands for, if any."""
    return tenant if tenant is not None and key.speaks_for(tenant) else key.sole_tenant


def _quarantined(call: Call, key: Key, reason: str) -> NotBilled:
    """Kept aside with its content: a clock or a date was wrong, and the money may be real."""
    return replace(_rejected(call, key, "quarantined", f"{reason}; quarantined, not billed"), held=call)


def _rejected(call: Call, key: Key, code: str, reason: str) -> NotBilled:
    whose = _whose(call.tenant, key)
    return NotBilled(call.trace_id, call.span_id, code, reason, call.dialect, whose, rejected=True)
