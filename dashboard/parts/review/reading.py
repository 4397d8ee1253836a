"""Reading: the document of one week, with how far it is while the collector makes it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import streamlit as st

from analytics.reviews.document import Review, Signature, decoded
from dashboard.identity import Viewer
from dashboard.services import Answer, Service

from .weeks import Standing

__all__ = ["REVIEWS", "Reading", "actions_of", "first_look", "read", "sees_all"]

REVIEWS = "/v1/reviews"
_MADE_WITHIN_S = 150.0
_LOOK_EACH_S = 0.4
_AGE_S = {True: 86_400.0, False: 900.0}
_STEPS = {
    "lines": "adding up the lines of the ledger",
    "audits": "looking for what is unusual, for retries, runaways and savings",
    "forecast": "forecasting the month",
    "invoices": "comparing with the invoices",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A week's review as the viewer has it: what was published, or what was made for them at `at`."""

    standing: Standing
    document: bytes
    review: Review
    signatures: tuple[Signature, ...]
    is_own: bool
    """Made of what the viewer may see, and not what is published."""
    at: datetime | None


def sees_all(viewer: Viewer) -> bool:
    """Whether the reviews of everything are theirs."""
    return viewer.keyless or (viewer.all_tenants and viewer.may("finance"))


def read(
    collector: Service, standing: Standing, viewer: Viewer, *, again: bool = False
) -> tuple[Reading | None, Answer]:
    """The week's review and the answer that it came in. `again` makes it anew where it is not a published one.

    What is published is kept until another document is; what is made for the viewer, for a quarter of an hour.
    """
    asked = _Asked.of(standing, viewer)
    max_age_s = 0.0 if again and not asked.is_published else asked.max_age_s

    def ask() -> Answer:
        return collector.document(
            asked.path, max_age_s=max_age_s, topic=asked.topic, timeout_s=_MADE_WITHIN_S
        )

    answer = _waited(f"{viewer.id} {asked.topic}", ask, collector, standing.week)
    if answer.value is None:
        return None, answer
    document = answer.value["document"].encode()
    review = _decoded(document)
    if review is None:
        return None, Answer(None, None, "its review cannot be read: the dashboard is of another version")
    signatures = msgspec.convert(answer.value["signatures"], tuple[Signature, ...])
    return Reading(standing, document, review, signatures, not asked.is_published, answer.at), answer


def first_look(collector: Service, standing: Standing, viewer: Viewer) -> Review | None:
    """What of the week is soon told, to be shown while its review is made: all but audits and invoices.

    None where the review itself is at hand, or nothing is told.
    """
    asked = _Asked.of(standing, viewer)
    is_at_hand = collector.kept(asked.path, max_age_s=asked.max_age_s, topic=asked.topic) is not None
    if asked.is_published or is_at_hand:
        return None
    topic = f"brief {asked.topic}"
    with st.spinner(f"Review of {standing.week}: {_STEPS['lines']}"):
        answer = collector.document(
            asked.path, {"brief": "true"}, max_age_s=asked.max_age_s, topic=topic, timeout_s=_MADE_WITHIN_S
        )
    return None if answer.value is None else _decoded(answer.value["document"].encode())


def actions_of(collector: Service, standing: Standing) -> Answer:
    """The actions of the week and of those before."""
    return collector.document(f"{REVIEWS}/{standing.week}/actions")


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question for the review of a week: where it is asked, under which topic, and how long its answer is good."""

    path: str
    topic: str
    is_published: bool

    @classmethod
    def of(cls, standing: Standing, viewer: Viewer) -> _Asked:
        is_published = standing.hash is not None and sees_all(viewer)
        topic = f"review {standing.week} {standing.hash if is_published else 'own'}"
        return cls(f"{REVIEWS}/{standing.week}", topic, is_published)

    @property
    def max_age_s(self) -> float:
        return _AGE_S[self.is_published]


def _decoded(document: bytes) -> Review | None:
    """None for one of another version."""
    try:
        return decoded(document)
    except msgspec.DecodeError:
        return None


def _waited(name: str, ask: Callable[[], Answer], collector: Service, week: str) -> Answer:
    """The answer, with a bar meanwhile. Who leaves and comes back while it is made waits for the same one."""
    under_way: dict[str, Future[Answer]] = st.session_state.setdefault("reviews-under-way", {})
    asked = under_way.get(name)
    if asked is None:
        thread = ThreadPoolExecutor(1, thread_name_prefix="review")
        asked = under_way[name] = thread.submit(ask)
        thread.shutdown(wait=False)
    place = st.empty()
    try:
        while not asked.done():
            try:
                asked.result(_LOOK_EACH_S)
            except TimeoutError:
                share, said = _progress(collector.document(f"{REVIEWS}/progress").value, week)
                place.progress(share, said)
    finally:
        if asked.done():
            del under_way[name]
    place.empty()
    return asked.result()


def _progress(told: Any, week: str) -> tuple[float, str]:
    """How far it is, 0 to 1, and in words."""
    now = (told or {}).get("under_way")
    if not now:
        return 0.0, f"Review of {week}: the collector begins"
    if now["what"] != f"review of {week}":
        return 0.0, f"Review of {week}: it waits until the {now['what']} is made"
    step = _STEPS.get(now["step"], now["step"])
    return now["done"] / now["of"], f"Review of {week}: {step}, step {now['done'] + 1} of {now['of']}"
