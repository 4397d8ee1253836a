"""The demo of the answer cache: agents that ask again, in other words too, and what is not asked any more."""

from __future__ import annotations

from importlib.util import find_spec

from ...console import fail

__all__ = ["run"]

_NEEDS = ("openai", "onnxruntime", "tokenizers")


def run(*, seed: int, as_json: bool, scale: float = 1.0) -> int:
    """Play it and check what it left: 0 as it should be, 1 not. `scale` makes it shorter."""
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        return fail(f"demo: {missing[0]} is not installed; pip install 'switchgear-server[demo,cache]'")
    from ..children import DemoError
    from . import play

    try:
        return play.run(seed=seed, as_json=as_json, scale=scale)
    except DemoError as problem:
        return fail(f"demo: {problem}")
