"""What every page of a session needs: its viewer and their services, the palette in use, the time, and notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from . import look
from .board import banner
from .identity import COOKIE, SESSIONS, Viewer
from .services import Answer, Service, Services

__all__ = [
    "PLOT",
    "away",
    "denied",
    "now",
    "palette",
    "provider",
    "services",
    "services_of",
    "sign_in_with_company",
    "sign_out",
    "viewer",
    "without_rights",
]

# Charts without a toolbar; no button there may send data anywhere.
PLOT = {"displayModeBar": False, "displaylogo": False, "responsive": True}
_IDENTITY, _IDENTITY_AGE_S = "/v1/identity", 5.0
_UNKNOWN = "it knows no key or token of yours, though the other service does: do both have the same keys?"
_MOST_VIEWERS = 256


@st.cache_resource(show_spinner=False, max_entries=_MOST_VIEWERS, on_release=Services.close)
def services_of(credential: str | None) -> Services:
    """The clients of all sessions that come with the same key or token: answers are kept with them, so never shared."""
    return Services.from_environment(credential)


def services() -> Services:
    """The services, asked with what this viewer came with."""
    return services_of(_credential())


def viewer(max_age_s: float = _IDENTITY_AGE_S) -> Viewer | None:
    """Who looks; None for one who has to sign in. Where no service is there to ask, it is who it was, or nobody."""
    both = services()
    for service in (both.collector, both.policies):
        answer = service.document(_IDENTITY, max_age_s=max_age_s)
        if answer.status in (401, 403):
            return None
        if answer.value is not None and (told := _told(answer.value)) is not None:
            return told
    return Viewer("", "", (), frozenset(), (), keyless=False)


def without_rights() -> str | None:
    """Why a person whom the company signed in may see nothing, in the collector's words; None for all others."""
    answer = services().collector.document(_IDENTITY)
    return answer.error if answer.is_denied else None


def provider() -> str | None:
    """The name of the company's sign-in, where this dashboard is set up for one."""
    try:
        auth = st.secrets.get("auth")
    except FileNotFoundError:
        return None
    return str(auth.get("name", "your company")) if auth else None


def sign_in_with_company() -> None:
    """Go to the company's sign-in. A key that was given before counts no more: it would come first."""
    SESSIONS.end(st.context.cookies.get(COOKIE))
    st.login()


def sign_out() -> None:
    """Forget the viewer's key, or what the company's sign-in gave."""
    SESSIONS.end(st.context.cookies.get(COOKIE))
    if _token() is not None:
        st.logout()


def palette() -> look.Palette:
    """The palette of the theme that the reader sees now."""
    return look.dark if st.context.theme.type == "dark" else look.light


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def away(service: Service, answers: Mapping[str, Answer], at: datetime) -> str:
    """A banner where a service failed to answer, with the age of what is shown instead; else nothing.

    Where it is the viewer who has no rights any more, the whole page runs anew, and asks them to sign in.
    """
    is_unknown = any(answer.status == 401 for answer in answers.values())
    if is_unknown:
        service.forget()
        if viewer(max_age_s=0.0) is None:
            st.rerun()
    failed = [answer for answer in answers.values() if answer.error and not answer.is_denied]
    if not failed:
        return ""
    seen = [answer.at for answer in failed if answer.at]
    stale = f"Shown below is what it said {look.ago(min(seen), at)}." if seen else "It has not been seen yet."
    refused = next((answer for answer in failed if answer.status is not None and answer.status < 500), None)
    reason = _UNKNOWN if is_unknown else (refused or failed[0]).error
    title = f"The {service.name} {'refused a question' if refused else 'is not answering'}."
    return banner(
        title,
        f"{look.words(reason)} ({look.text(service.url)}). {stale} Trying again by itself.",
    )


def denied(answer: Answer, needs: str) -> str:
    """A line where the viewer may not see something: what it takes; else nothing."""
    if not answer.is_denied:
        return ""
    return f'<div class="sg sg-note">Your key may not see this: it takes the scope <b>{look.text(needs)}</b>.</div>'


def _credential() -> str | None:
    """What this viewer came with: the key of their session, or the company's token, which may have ended; or None."""
    return SESSIONS.find(st.context.cookies.get(COOKIE), now()) or _token()


def _told(document: Any) -> Viewer | None:
    """The viewer of an answer; None where whatever answers is no service of ours."""
    try:
        return Viewer.told(document)
    except (KeyError, TypeError):
        return None


def _token() -> str | None:
    if not (provider() and st.user.is_logged_in):
        return None
    token = st.user.tokens.get("id")
    return str(token) if token else None
