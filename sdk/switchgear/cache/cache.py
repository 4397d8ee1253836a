"""LocalCache: the cache of one folder: what is kept, what is served, what is asked all the same, and what that taught.

The way of a question: the very same request, else the requests of its partition (all that must be equal: whose it is,
its setting, the values in its wording), compared by what their wordings mean. Whether it will be judged is drawn before
any score is seen.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .bound import Certificate, JudgeError
from .candidates import Candidates
from .embedding import Embedder, Vectors, mini_lm
from .entries import Entries, Entry
from .judge import Judge, ModelJudge, WordJudge
from .judging import Later
from .learned import Learned
from .model import Answer, Look, Mode, Namespace, Outcome, Question, Terms
from .standing import Certified, State, certified_as, state_of
from .waiting import Candidate, Forgotten, Pending, Waiting
from .wording.reading import read
from .wording.score import NAME

__all__ = ["Certified", "LocalCache", "State", "open_cache", "partition_of"]

_TAUGHT = 8
"""Entries of a partition, the best first, with which an answer is compared to learn about their wordings."""
_SERVED_ON = 16
"""So often one wording is served another's answer; then the model is asked for its own. So none that is wrong and
popular can outweigh all that was audited."""
_LAST_S = 2.0
"""How long a judge that is being asked is waited for at the end."""
_WORDINGS = 100_000
_VECTORS = 20_000
_RANDOM = random.SystemRandom()
_FAMILIAR, _NEW = "familiar", "new"
_OF_BOUND = 0.5
"""Which part of the bound new wordings are held to: those to come are less like those labelled than familiar ones."""
_SAME_TWICE = 400
"""Judged pairs of answers to the same request after which exact repeats are not asked any more for the judge's sake."""
_SAME_WITHIN = timedelta(minutes=10)
"""What the same request is answered so soon after says something of the judge. Later the model may be another, or what
it speaks of: a model that drifts would be taken for a judge that errs."""
_SWEEP_S, _SWEPT = 60.0, 100
"""So often whoever learns removes what is over; and so many answers at a time, that nobody waits for long."""


class _Said(NamedTuple):
    """What the judge says of a fresh answer and those that were kept."""

    again: bool | None
    """Whether it is what the very same request was answered before; None: there was no such, or it cannot tell."""
    of: list[tuple[Candidate, bool]]
    """The same of candidates, where it can tell."""


class LocalCache:
    """Implements `Cache` over one folder, for this process; others may open the same folder."""

    def __init__(
        self,
        entries: Entries,
        learned: Learned,
        embedder: Embedder | None,
        judge: Judge,
        *,
        chance: Callable[[], float] = _RANDOM.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Over what is kept and learned there. Without an embedder only the very same requests are served."""
        self._entries, self._learned, self._embedder, self._judge = entries, learned, embedder, judge
        self._chance, self._monotonic = chance, monotonic
        self._lock = threading.Lock()
        self._candidates = Candidates(entries, learned)
        self._waiting = Waiting(monotonic)
        self._later = Later() if isinstance(judge, ModelJudge) else None
        self._sweep_at = monotonic() + _SWEEP_S
        self._served: OrderedDict[bytes, int] = OrderedDict()
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()

    def quick(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look | None:
        """As `Cache.quick` says: some 0.1 ms."""
        if terms.mode is Mode.OFF or not _fit(question, terms):
            return Look(Outcome.BYPASS)
        asked = Pending(where, question, terms, self._waiting.number)
        found = self._entries.exact(where, question, now)
        if found is not None and _fresh(found, terms, now):
            return self._repeated(asked, found, now)
        if question.wording is None or self._embedder is None or terms.mode is Mode.EXACT:
            return self._asked(asked)
        return None

    def look(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look:
        """As `Cache.look` says."""
        asked = Pending(where, question, terms, self._waiting.number)
        known = self.quick(where, question, terms, now)
        if known is not None:
            return known
        reading = read(question.wording or "")
        if reading is None or self._embedder is None:
            return self._asked(asked)
        # Before anything is compared.
        drawn = self._chance() < terms.audits
        vector = self._vector(self._embedder, reading.wording.masked)
        partition = partition_of(question, reading.slots, self._embedder.name)
        wording = self._candidates.hashed(reading)
        near = self._candidates.of(where, partition, reading, vector, now)
        candidates = tuple(each for each in near if _fresh(each.entry, terms, now))
        base = replace(
            asked, partition=partition, vector=vector, wording=wording, candidates=candidates[:_TAUGHT]
        )
        if not candidates:
            return self._asked(base)
        best = candidates[0]
        certificate = self._certificate(where.workload, terms, familiar=best.familiar)
        serves_from = certificate.serves_from if terms.mode is Mode.ON else None
        if serves_from is None:
            would = certificate.would_serve_from
            served = would is not None and best.score >= would
            return self._asked(replace(base, stage=Outcome.SHADOW, drawn=True, served=served))
        if drawn:
            return self._asked(
                replace(base, stage=Outcome.AUDIT, drawn=True, served=best.score >= serves_from)
            )
        if best.score < serves_from:
            return self._asked(base)
        own = best.wording == wording and not best.placed[0]
        if not own and self._often_served(where, partition, wording):
            return self._asked(replace(base, stage=Outcome.AUDIT, served=True))
        self._learned.count(where.workload, Outcome.SEMANTIC, served=True)
        return Look(Outcome.SEMANTIC, best.entry.answer, None, best.entry.kept_at)

    def learn(self, ticket: str, answer: Answer | None, now: datetime) -> Outcome:
        """As `Cache.learn` says. A ticket that is not known (any more) is a miss of which nothing is learned."""
        pending = self._waiting.take(ticket)
        if pending is None:
            return Outcome.MISS
        later = self._later if answer is not None and (pending.candidates or pending.repeated) else None
        if later is not None and answer is not None:
            later.soon(partial(self._judge_later, pending, answer, now))
        said = None if answer is None or later is not None else self._said(pending, answer)
        if answer is not None and pending.repeated is not None:
            pending = self._placed(pending)
        with self._waiting.learning(pending) as wanted:
            if not wanted:
                return Outcome.MISS
            outcome = _unjudged(pending) if later is not None else self._judged(pending, said, now)
            self._learned.count(pending.where.workload, outcome, served=False)
            if answer is not None:
                self._entries.put(
                    pending.where, pending.question, pending.partition, pending.vector, answer,
                    pending.terms.tags, now, now + pending.terms.keep,
                )  # fmt: skip
            self._sweep_some(now)
        return outcome

    def label_judge(self, workload: str, kept: str, fresh: str, *, same: bool) -> bool | None:
        """A pair of answers of which a person says whether they are the same; what the judge says of them."""
        said = self._judge("", kept, fresh)
        if said is not None:
            self._judge_said(workload, same=same, said_same=said)
        return said

    def states(self) -> list[State]:
        """How far each workload's cache is."""
        outcomes = self._learned.outcomes()
        certified = defaultdict[str, list[Certified]](list)
        by_others = set[str]()
        for workload, method, certificate in self._learned.certificates():
            head, *kind = method.rsplit("/", 3)
            if head == self._method:
                certificate.judge = self._error(workload)
                certified[workload].append(certified_as(certificate, *kind))
            else:
                by_others.add(workload)
        return [
            state_of(
                workload,
                certified[workload],
                self._error(workload),
                outcomes.get(workload, {}),
                by_others=workload in by_others,
            )
            for workload in self._learned.workloads()
        ]

    def revoke(self, workload: str, terms: Terms, why: str) -> None:
        """Serve nothing by meaning there until it is certified anew."""
        for familiar in (True, False):
            self._change(workload, terms, lambda it: it.revoke(why), familiar=familiar)

    def forget_tenant(self, tenant: str) -> int:
        """As `Entries.forget_tenant` says."""
        with self._forgetting(Forgotten(tenant)):
            return self._entries.forget_tenant(tenant)

    def forget_workload(self, tenant: str | None, workload: str) -> int:
        """As `Entries.forget_workload` says; of all tenants also what was learned of its wordings."""
        with self._forgetting(Forgotten(tenant, workload)):
            if tenant is None:
                self._learned.forget(workload)
            return self._entries.forget_workload(tenant, workload)

    def forget_tag(self, tenant: str | None, tag: str) -> int:
        """As `Entries.forget_tag` says."""
        with self._forgetting(Forgotten(tenant, tag=tag)):
            return self._entries.forget_tag(tenant, tag)

    def forget_entry(self, number: int) -> bool:
        """As `Entries.forget_entry` says."""
        return self._entries.forget_entry(number)

    def sweep(self, now: datetime) -> int:
        """Remove what is over."""
        return self._entries.sweep(now)

    def close(self) -> None:
        """Nothing is looked up any more."""
        if self._later is not None:
            self._later.drop()
            self._later.settled(_LAST_S)
        self._learned.close()
        self._entries.close()

    # -- the very same request

    def _repeated(self, asked: Pending, found: Entry, now: datetime) -> Look:
        where, terms = asked.where, asked.terms
        pending = replace(asked, repeated=found, stage=Outcome.SHADOW_EXACT, served=True)
        if terms.mode is Mode.SHADOW:
            return self._asked(pending)
        # The same request asked twice says how often the judge, or the model, says otherwise by itself.
        wanted = terms.mode is Mode.ON and self._embedder is not None and self._chance() < terms.audits
        soon = now - found.kept_at <= _SAME_WITHIN
        if wanted and soon and self._error(where.workload).same < _SAME_TWICE:
            return self._asked(replace(pending, stage=Outcome.AUDIT))
        self._learned.count(where.workload, Outcome.EXACT, served=True)
        return Look(Outcome.EXACT, found.answer, None, found.kept_at)

    # -- by meaning

    def _said(self, pending: Pending, answer: Answer) -> _Said:
        asked = pending.question.wording or ""

        def same(kept: Entry) -> bool | None:
            return self._judge(asked, kept.answer.text, answer.text)

        again = None if pending.repeated is None else same(pending.repeated)
        told = [(each, same(each.entry)) for each in pending.candidates]
        return _Said(again, [(each, verdict) for each, verdict in told if verdict is not None])

    def _judge_later(self, pending: Pending, answer: Answer, now: datetime) -> None:
        """Of what could have been served alone, as each question costs; the call has long gone on."""
        asked = replace(pending, candidates=pending.candidates[:1])
        said = self._said(asked, answer)
        with self._waiting.learning(asked) as wanted:
            if wanted:
                self._judged(asked, said, now)

    def _placed(self, pending: Pending) -> Pending:
        """Where a request that was found as the very same is found by its meaning, too."""
        reading = read(pending.question.wording or "")
        if reading is None or self._embedder is None:
            return pending
        return replace(
            pending,
            partition=partition_of(pending.question, reading.slots, self._embedder.name),
            vector=self._vector(self._embedder, reading.wording.masked),
        )

    def _judged(self, pending: Pending, said: _Said | None, now: datetime) -> Outcome:
        """What the model's answer says of what was kept."""
        stage = _unjudged(pending)
        if said is None:
            return stage
        workload, terms, verdicts = pending.where.workload, pending.terms, said.of
        if pending.repeated is not None and said.again is not None:
            if now - pending.repeated.kept_at <= _SAME_WITHIN:
                self._judge_said(workload, same=True, said_same=said.again)
            return _VERDICTS.get((stage, said.again), stage)
        if pending.wording is not None and verdicts:
            self._learned.label(
                workload,
                [
                    (pending.wording, each.wording, *each.placed, each.edit, same)
                    for each, same in verdicts
                    if each.wording != pending.wording or each.placed[0]
                ],
            )
        if not pending.candidates:
            return stage
        best = pending.candidates[0]
        same = next((verdict for each, verdict in verdicts if each is best), None)
        # What the judge cannot tell is served, too: for the bound it is wrong, as long as nobody says otherwise.
        wrong = same is not True
        if pending.drawn:
            self._change(
                workload, terms, lambda it: it.label(best.score, wrong=wrong), familiar=best.familiar
            )
        elif pending.served:
            self._change(workload, terms, lambda it: it.served_label(wrong=wrong), familiar=best.familiar)
        return stage if same is None else _VERDICTS.get((stage, same), stage)

    def _often_served(self, where: Namespace, partition: bytes, wording: bytes) -> bool:
        """Whether this wording, with these values, was served another's answer often enough; counts it, if not."""
        key = hashlib.blake2b(f"{where!r}\0".encode() + wording + partition, digest_size=16).digest()
        with self._lock:
            count = self._served.pop(key, 0)
            often = count >= _SERVED_ON
            # Asked again as long as the model gives it no answer of its own.
            self._served[key] = count if often else count + 1
            while len(self._served) > _WORDINGS:
                self._served.popitem(last=False)
        return often

    def _vector(self, embedder: Embedder, wording: str) -> Vectors:
        with self._lock:
            if wording in self._vectors:
                self._vectors.move_to_end(wording)
                return self._vectors[wording]
        vector: Vectors = embedder([wording])[0]
        with self._lock:
            self._vectors[wording] = vector
            while len(self._vectors) > _VECTORS:
                self._vectors.popitem(last=False)
        return vector

    # -- certificates

    @property
    def _method(self) -> str:
        embedder = "none" if self._embedder is None else self._embedder.name
        return f"{NAME}/{embedder}/{self._judge.name}"

    def _kind(self, terms: Terms, *, familiar: bool) -> tuple[str, Certificate]:
        """Where its certificate is kept, and what it is at first: each of the two may be wrong with half the chance."""
        method = f"{self._method}/{terms.bound:f}/{terms.confidence:f}/{_FAMILIAR if familiar else _NEW}"
        confidence = 1 - (1 - float(terms.confidence)) / 2
        bound = float(terms.bound) * (1 if familiar else _OF_BOUND)
        return method, Certificate(bound, confidence, self._judge.error)

    def _certificate(self, workload: str, terms: Terms, *, familiar: bool) -> Certificate:
        found = self._learned.certificate(workload, *self._kind(terms, familiar=familiar))
        found.judge = self._error(workload)
        return found

    def _change(
        self, workload: str, terms: Terms, change: Callable[[Certificate], None], *, familiar: bool
    ) -> None:
        error = self._error(workload)

        def changed(certificate: Certificate) -> None:
            certificate.judge = error
            change(certificate)

        self._learned.change(workload, *self._kind(terms, familiar=familiar), changed)

    def _error(self, workload: str) -> JudgeError:
        return self._learned.judge(workload, self._judge.name, self._judge.error)

    def _judge_said(self, workload: str, *, same: bool, said_same: bool) -> None:
        self._learned.judge_said(
            workload, self._judge.name, self._judge.error, same=same, said_same=said_same
        )

    # -- looks

    def _asked(self, pending: Pending) -> Look:
        """The model is to be asked, and this waits for its answer."""
        return Look(pending.stage, None, self._waiting.add(pending))

    @contextmanager
    def _forgetting(self, what: Forgotten) -> Iterator[None]:
        """Nothing is learned meanwhile, nor of these what was asked before; no wording stays in memory."""
        with self._waiting.forgetting(what):
            with self._lock:
                self._vectors.clear()
            yield

    def _sweep_some(self, now: datetime) -> None:
        """A folder that no service keeps is swept by whoever learns."""
        at = self._monotonic()
        if at >= self._sweep_at:
            _, more = self._entries.sweep_some(now, _SWEPT)
            if not more:
                self._sweep_at = at + _SWEEP_S


_VERDICTS = {
    (Outcome.AUDIT, True): Outcome.AUDIT_SAME,
    (Outcome.AUDIT, False): Outcome.AUDIT_DIFFERENT,
    (Outcome.SHADOW, True): Outcome.SHADOW_SAME,
    (Outcome.SHADOW, False): Outcome.SHADOW_DIFFERENT,
}


def open_cache(
    folder: Path | str,
    *,
    master: bytes | None = None,
    embedder: Embedder | None = None,
    judge: Judge | None = None,
) -> LocalCache:
    """The cache of a folder, made where there is none.

    Without an embedder the model that comes with `switchgear[cache]` is used, without a judge `WordJudge`. Raises
    ConfigError where the extra is missing or the folder cannot be used.
    """
    place = Path(folder)
    entries = Entries(place, master=master)
    learned = Learned(place / "learned.db", entries.secrets)
    return LocalCache(entries, learned, embedder or mini_lm(), judge or WordJudge())


def _fresh(entry: Entry, terms: Terms, now: datetime) -> bool:
    """Whether it may still be served: by terms that were made shorter since, or another tenant's of its group."""
    return now - entry.kept_at < terms.keep


def _unjudged(pending: Pending) -> Outcome:
    """What became of a request of which nobody said whether what is kept is right."""
    return pending.stage if pending.served else Outcome.MISS


def _fit(question: Question, terms: Terms) -> bool:
    return question.unfit is None or question.unfit in terms.allow


def partition_of(question: Question, slots: tuple[tuple[str, str], ...], embedder: str) -> bytes:
    """All that must be equal besides whose it is: the setting, the values, and by which model vectors are compared."""
    parts = (embedder.encode(), question.setting, repr(slots).encode())
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
