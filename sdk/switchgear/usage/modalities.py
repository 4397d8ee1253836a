"""Modalities: which of the tokens are audio, images or video, and which of these came from the cache."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MODALITIES", "of_input", "of_output"]

MODALITIES = ("audio", "image", "video")


def of_input(
    told: Mapping[str, int], cached: Mapping[str, int] | None, *, input_uncached: int, cache_read: int
) -> dict[str, int]:
    """What stands apart of an input with `told` tokens of each modality, `cached` ones among them.

    Without `cached` nobody says which of the tokens came from the cache: as few of these as can be, since text
    that goes before is cached first and no bill is to come out too low. Of 700 audio tokens in an input of 1,000
    that is cached up to 600, 400 are not cached, and 300 are.
    """
    apart: dict[str, int] = {}
    fresh, stale = input_uncached, cache_read
    for name in MODALITIES:
        whole = told.get(name, 0)
        if cached is not None:
            new, old = max(whole - cached.get(name, 0), 0), cached.get(name, 0)
        else:
            new = min(whole, fresh)
            old = min(whole - new, stale)
        fresh, stale = fresh - new, stale - old
        apart |= {f"input_{name}": new, f"cache_read_{name}": old}
    return apart


def of_output(told: Mapping[str, int]) -> dict[str, int]:
    """What stands apart of an output with `told` tokens of each modality."""
    return {f"output_{name}": told.get(name, 0) for name in MODALITIES}
