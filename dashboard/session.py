"""What every page of a session needs: the services, the theme's palette, the time, and the notice when one is away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from . import look
from .board import banner
from .services import Answer, Service, Services

__all__ = ["PLOT", "away", "now", "palette", "services"]

# Charts without a toolbar; no button there may send data anywhere.
PLOT = {"displayModeBar": False, "displaylogo": False, "responsive": True}


@st.cache_resource(show_spinner=False, on_release=Services.close)
def services() -> Services:
    """The clients, shared by all sessions of this process."""
    return Services.from_environment()


def palette() -> look.Palette:
    """The palette of the theme that the reader sees now."""
    return look.dark if st.context.theme.type == "dark" else look.light


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def away(service: Service, answers: Mapping[str, Answer], at: datetime) -> str:
    """A banner where a service failed to answer, with the age of what is shown instead; else nothing."""
    failed = [answer for answer in answers.values() if answer.error]
    if not failed:
        return ""
    seen = [answer.at for answer in failed if answer.at]
    stale = f"Shown below is what it said {look.ago(min(seen), at)}." if seen else "It has not been seen yet."
    return banner(
        f"The {service.name} is not answering.",
        f"{look.text(failed[0].error)} ({look.text(service.url)}). {stale} Trying again by itself.",
    )
