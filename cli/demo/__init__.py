"""The 2 a.m. scene: three tenants, real SDKs and instrumentations, a fake provider with real limits."""

from __future__ import annotations

from importlib.util import find_spec

from ..console import fail, misuse

__all__ = ["run"]

_NEEDS = ("openai", "anthropic", "openinference")
_BREAKS = ("ceiling", "count", "price")


def run(*, seed: int, serve: bool, sabotage: str | None, as_json: bool, scale: float = 1.0) -> int:
    """Play the scene without and with switchgear and check what it left: 0 as it should be, 1 not, 2 misuse.

    `sabotage` breaks the run with switchgear on purpose, so that a check must fail: "ceiling" (the clients are not
    guarded), "count" (one tenant is neither instrumented nor guarded) or "price" (the provider bills other rates).
    `scale` shortens the scene.
    """
    if sabotage is not None and sabotage not in _BREAKS:
        return misuse(f"--break {sabotage}: there is no such thing to break; write {', '.join(_BREAKS)}")
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        return fail(f"demo: {missing[0]} is not installed; pip install 'switchgear-server[demo]'")
    from . import play
    from .children import DemoError

    try:
        return play.run(seed=seed, serve=serve, sabotage=sabotage, as_json=as_json, scale=scale)
    except DemoError as problem:
        return fail(f"demo: {problem}")
