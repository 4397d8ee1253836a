"""What pages have in common as HTML: headline figures, notices, states, names of scopes. Pure: escaped text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .look import STATES, State, text

__all__ = ["banner", "chip", "empty", "figures", "heading", "scope_name", "scope_title", "state_of"]


def figures(cells: Iterable[tuple[str, str, str]]) -> str:
    """A strip of headline figures: label, value and one line under it. Values and asides are HTML of ours."""
    shown = list(cells)
    inner = "".join(
        f'<div><div class="l">{name}</div><div class="v">{value}</div><div class="a">{aside or "&nbsp;"}</div></div>'
        for name, value, aside in shown
    )
    # Eight stand in one line or in two of four, others six in a line.
    return f'<div class="sg sg-figures of{len(shown)}">{inner}</div>'


def banner(title: str, body: str, *, mild: bool = False) -> str:
    """A notice over the page: what is wrong, and what is shown meanwhile."""
    tone = " mild" if mild else ""
    return f'<div class="sg sg-banner{tone}" role="status"><b>{text(title)}</b> {body}</div>'


def empty(title: str, body: str) -> str:
    """What stands where there is nothing to show: what is missing, and how it comes."""
    return f'<div class="sg sg-empty"><b>{title}</b>{body}</div>'


def heading(title: str, aside: str = "", key: str = "") -> str:
    """The heading of a part of a page. All of it is HTML of ours; `key` is a legend."""
    small = f"<small>{aside}</small>" if aside else ""
    legend = f'<span class="key">{key}</span>' if key else ""
    return f'<h2 class="sg sg-h">{title} {small}{legend}</h2>'


def state_of(name: str) -> State:
    """How a breaker's state is shown; one that is not known here as a closed one, with its own word."""
    return STATES.get(name) or State(name, "●", "calm", 3)


def chip(name: str, aside: str = "") -> str:
    """A state as glyph and word in its colour."""
    state = state_of(name)
    return f'<span class="sg-chip sg-{state.colour}"><i>{state.glyph}</i>{text(state.word)}{aside}</span>'


def scope_name(scope: Mapping[str, Any]) -> str:
    """The scope in words, for one line: "northwind / nightly-ingest"; "everything" without any limit of scope."""
    parts = [str(scope[name]) for name in ("tenant", "workload", "task") if scope.get(name)]
    if scope.get("tier"):
        parts.append(f"{scope['tier']} tier")
    parts += [f"{name} {scope[name]}" for name in ("owner", "model", "provider") if scope.get(name)]
    return " / ".join(parts) or "everything"


def scope_title(scope: Mapping[str, Any]) -> tuple[str, str]:
    """The scope as a title and the rest of it. Tasks of one workload differ in their id alone, so it leads."""
    if scope.get("task"):
        return str(scope["task"]), scope_name({**scope, "task": None})
    return scope_name(scope), ""
