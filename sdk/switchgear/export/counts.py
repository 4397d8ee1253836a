"""Counts: what became of the spans of a process."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counts"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the spans of this process since it was configured, or forked."""

    sent: int
    """Taken by the collector at once, or later from the spool; with those that other processes had left."""
    dropped: int
    """With no room in the queue or in the spool. They are lost."""
    refused: int
    """Not wanted by the collector: a wrong key or tenant, a count that cannot be."""
    waiting: int
    """Bodies, of up to 512 spans each, that wait until the collector is back."""
