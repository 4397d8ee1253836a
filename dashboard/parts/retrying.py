"""Retrying: a page that could not be drawn whole is drawn anew by itself."""

from __future__ import annotations

import streamlit as st

from dashboard import session

__all__ = ["until_it_answers"]

_LOOKS_EVERY = "2s"


@st.fragment(run_every=_LOOKS_EVERY)
def until_it_answers() -> None:
    """Run the page again as soon as the collector answers; it is called where a question of the page failed."""
    if session.services().collector.document("/healthz").error is None:
        st.rerun()
