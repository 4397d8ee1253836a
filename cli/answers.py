"""What a service's answer means to whoever asked: a key it does not take, a reason, or no such service at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.keys.keyring import ID_LENGTH, PREFIX

from .console import plain

if TYPE_CHECKING:
    import httpx

__all__ = ["key_refused", "reason", "stranger"]


def key_refused(answer: httpx.Response, service: str = "the collector") -> str:
    """What the answer 401 means: no key was sent, or one that is not taken, named but not repeated."""
    sent = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not sent:
        return f"{service} wants a key; set SWITCHGEAR_API_KEY"
    # The part of a key that names it may be shown; what follows is its secret.
    name = f" ({plain(sent[:ID_LENGTH])})" if sent.startswith(PREFIX) else ""
    return (
        f"{service} does not take the key in SWITCHGEAR_API_KEY{name}: it is unknown, expired or revoked; "
        "switchgear keys list shows which are live"
    )


def reason(answer: httpx.Response) -> str:
    """The reason that a problem document gives, on one line. Raises ValueError for any other body."""
    problem = answer.json()
    if not isinstance(problem, dict) or not (said := problem.get("detail") or problem.get("title")):
        raise ValueError("no problem document")
    return plain(" ".join(str(said).split()))


def stranger(collector: str) -> str:
    """What to say where something answers that is no collector."""
    return f"what answers at {collector} is no collector; name one with --collector"
