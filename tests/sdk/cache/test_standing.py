"""How a workload's cache is told: in the confidence of its terms, and with each certificate that there is."""

from __future__ import annotations

from switchgear.cache.bound import Certificate, JudgeError
from switchgear.cache.standing import Certified, certified_as, state_of

KNOWN = JudgeError(different=10_000, missed=0)


def certificate(*, region: int | None = None, bound: float = 0.02) -> Certificate:
    """As it is kept: it has half of the chance of being wrong that terms of 90 % leave."""
    made = Certificate(bound, 0.95, KNOWN)
    if region is not None:
        made.region = region
    return made


def says(certified: list[Certified], *, by_others: bool = False) -> str:
    return state_of("w", certified, KNOWN, {}, by_others=by_others).state


def test_a_certificate_is_told_in_the_bound_and_confidence_of_the_terms() -> None:
    told = certified_as(certificate(region=0), "0.02", "0.90", "familiar")
    assert told.state == "certified at 2 %, 90 % confidence"
    assert (told.bound, told.confidence, told.serves_from) == (0.02, 0.9, 0.9999)


def test_both_certificates_are_told() -> None:
    certified = [
        certified_as(certificate(region=0), "0.02", "0.90", "familiar"),
        certified_as(certificate(), "0.02", "0.90", "new"),
    ]
    needed = certificate().needed
    assert says(certified) == (
        f"familiar wordings: certified at 2 %, 90 % confidence; new wordings: shadow, 0 of {needed} labels"
    )


def test_where_there_are_several_terms_each_certificate_says_for_which() -> None:
    certified = [
        certified_as(certificate(bound=0.01), "0.01", "0.90", "familiar"),
        certified_as(certificate(region=0), "0.02", "0.90", "familiar"),
    ]
    one, two = says(certified).split("; ")
    assert one == f"familiar wordings at 1 %, 90 %: shadow, 0 of {certificate(bound=0.01).needed} labels"
    assert two == "familiar wordings at 2 %, 90 %: certified at 2 %, 90 % confidence"


def test_a_workload_without_any_certificate_says_why() -> None:
    assert says([]) == "nothing was compared by its meaning yet"
    assert says([], by_others=True) == (
        "what was compared by its meaning was so with another embedder or judge than this cache has"
    )
