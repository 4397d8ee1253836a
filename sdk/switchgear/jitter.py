"""Jitter: chance that belongs to nobody else.

An agent may seed Python's own generator, in each process with the same number: waits drawn from that would come
together again, and drawing them would change what the agent draws. So they are drawn from the operating system, in a
forked child too.
"""

from __future__ import annotations

from random import SystemRandom

__all__ = ["JITTER"]

JITTER = SystemRandom()
"""Where every wait of ours gets its spread from. Safe to use from any thread and after a fork."""
