"""Choosing: one of several, kept in the URL, so that a view can be shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from dashboard import frame
from dashboard.view import View

__all__ = ["one_of", "one_of_many"]


def one_of(view: View, name: str, words: str, options: Mapping[str, str], default: str | None = None) -> str:
    """One of a few, side by side; `options` are their names in the URL with our words for them."""
    first = default if default is not None and default in options else next(iter(options))
    named = view.more.get(name, first)
    current = named if named in options else first
    picked = st.segmented_control(
        words,
        list(options),
        format_func=lambda each: options[each],
        default=current,
        required=True,
        key=f"{name}-{current}",
    )
    if picked not in (None, current):
        frame.go(view.but(**{name: None if picked == first else picked}))
    return current


def one_of_many(
    view: View,
    name: str,
    words: str,
    options: Sequence[str],
    *,
    told: Callable[[str], str],
    default: str | None = None,
    width: int = 280,
) -> str:
    """One of many, from a list that can be searched; `told` is how one is written, as plain text."""
    first = default if default is not None and default in options else options[0]
    named = view.more.get(name, first)
    current = named if named in options else first
    picked = st.selectbox(
        words,
        list(options),
        index=list(options).index(current),
        format_func=told,
        key=f"{name}-{current}",
        width=width,
    )
    if picked not in (None, current):
        frame.go(view.but(**{name: None if picked == first else picked}))
    return current
