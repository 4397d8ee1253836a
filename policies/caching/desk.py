"""The desk: looks and lessons of many clients, each as far as its key and the policies reach, on a few threads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from collector.keys.key import Key
from switchgear.cache.model import Answer, Look, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.standing import State
from switchgear.cache.terms import together

from .following import Followed
from .forgetting import Forgetting, forgotten
from .names import name_of
from .rules import Caching
from .tickets import Tickets
from .workers import Workers

if TYPE_CHECKING:
    from switchgear.cache.cache import LocalCache

__all__ = ["Desk"]

_log = logging.getLogger(__name__)

# Of a look: a client gives up after about as long.
_STARTS_WITHIN_S = 0.2
_LONGEST_KEPT = timedelta(days=366)


@dataclass(slots=True)
class Desk:
    """Everything that a look and a lesson pass through."""

    cache: LocalCache
    followed: Followed
    workers: Workers = field(default_factory=Workers)
    tickets: Tickets = field(default_factory=Tickets)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    steady: Callable[[], float] = time.monotonic
    sweep_every_s: float = 60.0
    looked: Counter[Outcome] = field(default_factory=Counter)
    learned: Counter[Outcome] = field(default_factory=Counter)
    seconds: float = 0.0
    """How long all looks took together, with what they waited."""
    strange: int = 0
    """Tickets that were nobody's, another's, used or too old."""

    async def look(
        self, key: Key, tenant: str, workload: str, question: Question, code: Terms
    ) -> tuple[Look, str | None]:
        """What is found for a question, and the ticket by which its asker goes on. Raises BusyError."""
        caching = self.followed.policies.caching.of(tenant, workload)
        policy = None if caching is None else caching.document
        terms = together(code, policy)
        terms = replace(terms, keep=min(terms.keep, _LONGEST_KEPT))
        begun = self.steady()
        if terms.mode is Mode.OFF:
            look = Look(Outcome.BYPASS)
        else:
            where, ended = _where(tenant, workload, caching), self.tickets.ended()
            look = await self.workers.run(
                tenant, lambda: self._looked(where, question, terms, ended), start_within_s=_STARTS_WITHIN_S
            )
        self.looked[look.outcome] += 1
        self.seconds += self.steady() - begun
        ticket = None
        if look.ticket is not None:
            ticket = self.tickets.issue(key.id, tenant, look.ticket, self.steady())
        return look, ticket

    async def learn(self, key: Key, name: str, answer: Answer | None) -> Outcome | None:
        """What became of a call; None where the ticket is not the key's, or is no more. Raises BusyError."""
        ticket = self.tickets.redeem(name, key.id, self.steady())
        if ticket is None or not key.speaks_for(ticket.tenant):
            self.strange += 1
            return None
        outcome = await self.workers.run(
            ticket.tenant, lambda: self.cache.learn(ticket.inner, answer, self.clock())
        )
        self.learned[outcome] += 1
        return outcome

    async def forget(self, what: Forgetting) -> int:
        """End what is kept of these, and what was asked before: how many answers that were. Not by the workers: who
        wants an end to something is not told to come again.
        """
        group = None
        if what.tenant is not None:
            self.tickets.end(what.tenant)
            caching = self.followed.policies.caching.of(what.tenant, what.workload or "")
            group = None if caching is None else caching.group
        return await asyncio.to_thread(forgotten, self.cache, what, group)

    async def states(self) -> Sequence[State]:
        """How every workload stands of which anything was asked or learned."""
        return await asyncio.to_thread(self.cache.states)

    async def label(
        self, tenant: str, workload: str, pairs: Sequence[tuple[str, str, bool]]
    ) -> list[bool | None]:
        """Pairs of answers of which a person says whether they are the same: what the judge says of each."""
        caching = self.followed.policies.caching.of(tenant, workload)
        name = _where(tenant, workload, caching).workload

        def labelled() -> list[bool | None]:
            return [self.cache.label_judge(name, kept, fresh, same=same) for kept, fresh, same in pairs]

        return await asyncio.to_thread(labelled)

    async def sweep(self) -> None:
        """Remove what is over, again and again, for ever."""
        while True:
            await asyncio.sleep(self.sweep_every_s)
            try:
                await asyncio.to_thread(self.cache.sweep, self.clock())
            except Exception:  # noqa: BLE001 - a full disk, say; what is over is not served all the same
                _log.exception("what is over could not be removed")

    def _looked(self, where: Namespace, question: Question, terms: Terms, ended: Sequence[str]) -> Look:
        now = self.clock()
        for inner in ended:
            self.cache.learn(inner, None, now)
        return self.cache.look(where, question, terms, now)


def _where(tenant: str, workload: str, caching: Caching | None) -> Namespace:
    """Where the answers of a scope lie: by what the policies say, and by nothing that a client says."""
    group = None if caching is None else caching.group
    return Namespace(tenant, name_of(tenant, workload, group), group)
