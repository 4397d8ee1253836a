"""Signing in: what stands in place of every page until the services know who looks."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlencode, urlsplit

import streamlit as st

from . import look, session
from .board import empty

__all__ = ["ELSEWHERE", "OPEN", "ask", "form", "is_this_machine", "names_this_machine"]

OPEN = empty(
    "Nothing is shown here.",
    "The services need no key, and this page can be reached from other machines. Make a key with <code>switchgear keys "
    "create</code>, or serve the dashboard on 127.0.0.1.",
)

ELSEWHERE = empty(
    "Nothing is shown here.",
    "The services need no key, so this page is shown at this machine's own address alone: open it as "
    "<code>http://127.0.0.1</code> with its port.",
)

_SAID = {
    "refused": "That key is not known, or it has ended.",
    "away": "Neither the collector nor the policy engine answers, so nobody can say whose key that is. Try again soon.",
}


def ask(path: str) -> None:
    """Ask for a key or for the company's sign-in; afterwards the viewer is where the URL says."""
    query = st.query_params.to_dict()
    said = _SAID.get(query.pop("sign_in", ""), "")
    rightless = session.without_rights()
    st.html(form(f"/{path}?{urlencode(query)}" if query else f"/{path}", said or rightless or ""))
    name = session.provider()
    if name is not None:
        with st.container(horizontal_alignment="center"):
            if rightless:
                st.button("Sign out", on_click=session.sign_out)
            else:
                st.button(
                    f"Sign in with {look.label(name)}", on_click=session.sign_in_with_company, type="primary"
                )


def is_this_machine(address: str | None) -> bool:
    """Whether only this machine reaches what listens on the address; none is all addresses."""
    try:
        return address == "localhost" or ipaddress.ip_address(address or "::").is_loopback
    except ValueError:
        return False


def names_this_machine(host: str | None) -> bool:
    """Whether a browser was asked for this machine by its own name, as the Host header of its request says.

    Any page can give this machine a name of its own: what answers there is the page's to read.
    """
    try:
        return bool(host) and is_this_machine(urlsplit(f"//{host}").hostname)
    except ValueError:
        return False


def form(where: str, said: str) -> str:
    """The form, posted to the dashboard itself: the key is in no URL and no script sees it."""
    problem = f'<p class="bad" role="alert">{look.words(said)}</p>' if said else ""
    return (
        '<form class="sg sg-sign-in" method="post" action="/signin"><h1>Sign in to switchgear</h1>'
        "<p>The pages show what your own key may see. Make one with<br><code>switchgear keys create --scope read "
        "--tenant NAME</code></p>"
        f'{problem}<label for="sg-key">Your key</label>'
        '<input id="sg-key" type="password" name="key" required autocomplete="current-password" spellcheck="false">'
        f'<input type="hidden" name="next" value="{look.attribute(where)}">'
        '<button type="submit">Sign in</button></form>'
    )
