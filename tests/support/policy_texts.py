"""Policy files for tests: one that is good, with one setting changed."""

from __future__ import annotations

__all__ = ["VERSION", "calendar", "ceiling", "override"]

VERSION = "version: 1\n"
_TENANTS = VERSION + "tenants: {acme: {workloads: {w: {owner: data}, v: {}}}}\n"


def ceiling(**settings: object) -> str:
    """A file of one good ceiling, with these settings in place of its own; None leaves one out."""
    good = {"name": "c", "limit": "5 USD", "window": "1h"}
    return _TENANTS + f"ceilings:\n  - {_flow({**good, **settings})}\n"


def calendar(settings: str) -> str:
    """A file of one ceiling over a calendar."""
    return ceiling(window=f"{{{settings}}}")


def override(**settings: object) -> str:
    """A file of two ceilings, one per tenant and one of tokens for all, and of one good override."""
    good = {
        "ceiling": "m",
        "scope": "{tenant: acme}",
        "limit": "8 USD",
        "until": "2026-12-01T00:00:00Z",
        "author": "kim",
        "reason": "launch",
    }
    return (
        f"{_TENANTS}ceilings:\n"
        "  - {name: m, per: tenant, limit: 5 USD, window: 1h}\n"
        "  - {name: all, limit: 2M tokens, window: 1h}\n"
        f"overrides:\n  - {_flow({**good, **settings})}\n"
    )


def _flow(settings: dict[str, object]) -> str:
    shown = (f"{name}: {value}" for name, value in settings.items() if value is not None)
    return f"{{{', '.join(shown)}}}"
