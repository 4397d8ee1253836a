"""Operating: what operators do by hand from a page: move breakers, change limits for a time, stop tasks.

Each shows its scope, takes a reason and a confirmation, and shows then what the engine's log says of it.

`controls` are for pages about several ceilings; a page that is about one calls `move`, `override` or `stop` itself. Who
may not operate sees none of it, and the engine refuses them whatever the page shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any
from urllib.parse import quote

import streamlit as st

from .. import board, frame, look, session
from ..services import Reply
from ..view import View
from .live import transitions
from .live.ceilings import urgent
from .live.concerned import concerned

__all__ = ["controls", "is_allowed", "move", "override", "stop"]

EVERYTHING = "*"
_ALL_WORDS = "everything"
_DURATIONS: Mapping[str, float | None] = {
    "15 minutes": 900.0,
    "1 hour": 3600.0,
    "4 hours": 14_400.0,
    "1 day": 86_400.0,
    "1 week": 604_800.0,
}
_UNTIL_RESTORED = "until somebody restores it"
_MOVES = {
    "open": ("Force open", "every call that it counts is refused", ":material/block:"),
    "disable": ("Disable", "it acts on nothing, whatever is spent", ":material/toggle_off:"),
    "restore": ("Restore", "it goes by what is spent again", ":material/restart_alt:"),
}
_DONE = "operating-done"
_LAST = 200
_NO_CEILING = board.empty("There is no ceiling.", "The policy file declares them: docs/policy-file.md.")


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done, in words, and what the engine's log says of it."""

    words: str
    lines: Sequence[Mapping[str, Any]]


def is_allowed() -> bool:
    """Whether the viewer may do anything by hand."""
    viewer = session.viewer()
    return viewer is not None and viewer.may("operate")


def controls(view: View) -> None:
    """A row of what may be done about a ceiling: for all to look into it, and for operators what they do by hand."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="by-hand"):
        if st.button("Look into …", icon=":material/search:", key="look-into", type="tertiary"):
            _look_into(view)
        if not is_allowed():
            return
        st.html('<div class="sg sg-soft">By hand</div>', width="content")
        for do, (name, _, icon) in _MOVES.items():
            if st.button(f"{name} …", icon=icon, key=f"by-hand-{do}", type="tertiary"):
                move(do, view)
        if st.button("Change a limit …", icon=":material/tune:", key="by-hand-override", type="tertiary"):
            override(view)
        if st.button("Stop a task …", icon=":material/cancel:", key="by-hand-stop", type="tertiary"):
            stop(view.tenant or "", view.task or "")


def move(do: str, view: View, ceiling: str | None = None) -> None:
    """Ask for what it takes to force a breaker open, disable or restore it, and do it."""
    _opened()
    _dialogs[do](view, ceiling)


def override(view: View, ceiling: str | None = None) -> None:
    """Ask for what it takes to give a ceiling another limit for a time, and do it."""
    _opened()
    _override(view, ceiling)


def stop(tenant: str, task: str) -> None:
    """Ask for what it takes to refuse every further call of a task tree, and do it."""
    _opened()
    _stop(tenant, task)


@st.dialog("Look into a ceiling", width="medium")
def _look_into(view: View) -> None:
    """Its tasks or its rule, on their pages."""
    budgets = _budgets(view)
    if not budgets:
        st.html(_NO_CEILING)
        return
    names = [
        f"{look.tidy(board.scope_name(each['scope']))}: {look.tidy(each['ceiling'])}" for each in budgets
    ]
    chosen = budgets[
        st.selectbox("Ceiling", range(len(budgets)), format_func=names.__getitem__, key="look-into-which")
    ]
    st.html(_scope([chosen], look.words(chosen["reason"]), everything=False))
    there = view.but(
        **{name: chosen["scope"].get(name) for name in ("tenant", "owner", "workload", "tier", "task")}
    )
    with st.container(horizontal=True):
        if st.button("Its tasks", icon=":material/account_tree:", key="look-into-tasks"):
            frame.go(there, "views/tasks.py")
        if st.button("Its rule", icon=":material/policy:", key="look-into-rule"):
            frame.go(there.but(tab="rules"), "views/policies.py")


def _opened() -> None:
    st.session_state.pop(_DONE, None)


def _moving(do: str) -> Any:
    name, means, _ = _MOVES[do]

    def ask(view: View, ceiling: str | None) -> None:
        budgets = _budgets(view)
        chosen = _ceiling(budgets, ceiling, everything=True)
        if chosen is None:
            return
        everything = chosen == EVERYTHING
        of = budgets if everything else [each for each in budgets if each["ceiling"] == chosen]
        st.html(_scope(of, f"Then {means}.", everything=everything))
        with st.form(f"form-{do}", border=False):
            for_s = None if do == "restore" else _duration(_UNTIL_RESTORED)
            reason = _reason()
            confirmed = _confirmed(len(of), everything=everything)
            if not st.form_submit_button(name, type="primary") or not _complete(reason, confirmed=confirmed):
                return
        body = {"ceiling": chosen, "do": do, "for_s": for_s}
        reply, lines = _send("POST", "/v1/breakers", body, reason)
        if not _failed(reply):
            count = reply.value["ceilings"]
            _finish(f"{name}: {count} {'ceiling' if count == 1 else 'ceilings'}.", lines)

    @st.dialog(f"{name} a breaker", width="medium")
    def dialog(view: View, ceiling: str | None) -> None:
        _until_done(lambda: ask(view, ceiling))

    return dialog


_dialogs = {do: _moving(do) for do in _MOVES}


@st.dialog("Change a limit for a time", width="medium")
def _override(view: View, ceiling: str | None) -> None:
    _until_done(lambda: _ask_limit(view, ceiling))


def _ask_limit(view: View, ceiling: str | None) -> None:
    _standing()
    budgets = _budgets(view)
    chosen = _ceiling(budgets, ceiling, everything=False)
    if chosen is None:
        return
    of = [each for each in budgets if each["ceiling"] == chosen]
    scopes: list[Mapping[str, Any] | None] = [None, *of] if len(of) > 1 else [*of]
    names = [
        "all that it counts" if each is None else look.tidy(board.scope_name(each["scope"]))
        for each in scopes
    ]
    which = st.selectbox("For", range(len(scopes)), format_func=names.__getitem__, key="override-scope")
    one = scopes[which]
    st.html(
        _scope(
            of if one is None else [one],
            "Then its limit is another one for a time; what is spent stays.",
            everything=False,
        )
    )
    with st.form("form-override", border=False):
        currency = str(of[0]["currency"])
        amount = st.text_input(f"New limit, {look.label(currency)}", key="override-limit", max_chars=24)
        for_s = _duration(None)
        reason = _reason()
        confirmed = _confirmed(len(of) if one is None else 1)
        if not st.form_submit_button("Change the limit", type="primary"):
            return
        limit = _amount(amount)
        if limit is None:
            st.html(
                board.banner("The limit is no amount.", "Write a number above zero, such as 20 or 12.50.")
            )
        if not _complete(reason, confirmed=confirmed) or limit is None:
            return
    scope = (
        {}
        if one is None
        else {name: one["scope"][name] for name in _fanned_by(chosen) if name in one["scope"]}
    )
    body = {"ceiling": chosen, "scope": scope, "limit": f"{limit:f} {currency}", "for_s": for_s}
    reply, lines = _send("POST", "/v1/overrides", body, reason)
    if not _failed(reply):
        _finish(
            f"The limit is {reply.value['limit']} until {reply.value['until'][:16].replace('T', ' ')} UTC.",
            lines,
        )


def _standing() -> None:
    """Limits that were changed by hand before, and the way back."""
    told = session.services().policies.document("/v1/overrides").value or {}
    for one in [each for each in told.get("overrides", ()) if each["id"]]:
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.html(
            f'<div class="sg sg-soft"><b>{look.text(one["ceiling"])}</b> is {look.text(one["limit"])} until '
            f"{look.text(one['until'][:16].replace('T', ' '))} UTC, by {look.text(one['by'])}: "
            f"{look.words(one['reason'], 120)}</div>"
        )
        if right.button("End it", key=f"end-{one['id']}"):
            why = f"ended from the dashboard: {one['reason']}"[:500]
            path = f"/v1/overrides/{quote(one['id'], safe='')}?by={quote(_by())}&reason={quote(why)}"
            reply, lines = _recorded(partial(session.services().policies.send, "DELETE", path), why)
            if not _failed(reply):
                _finish("The ceiling has its own limit again.", lines)


@st.dialog("Stop a task", width="medium")
def _stop(tenant: str, task: str) -> None:
    _until_done(lambda: _ask_task(tenant, task))


def _ask_task(tenant: str, task: str) -> None:
    st.html(
        '<div class="sg sg-soft">Every further call of the task and of all that it started is refused. '
        "Calls under way are not cut off. It cannot be taken back.</div>"
    )
    with st.form("form-stop", border=False):
        tenant = st.text_input("Tenant", value=tenant, key="stop-tenant", max_chars=128)
        task = st.text_input("Root task", value=task, key="stop-task", max_chars=128)
        reason = _reason()
        confirmed = _confirmed(1)
        if not st.form_submit_button("Stop the task", type="primary"):
            return
        if not (tenant and task):
            st.html(board.banner("Whose task is it?", "Name the tenant and the root task."))
        if not _complete(reason, confirmed=confirmed) or not (tenant and task):
            return
    reply, lines = _send("POST", f"/v1/tasks/{quote(task, safe='')}:stop", {"tenant": tenant}, reason)
    if not _failed(reply):
        before = reply.value["was_stopped_before"]
        _finish("The task was stopped before." if before else "The task is stopped.", lines)


def _budgets(view: View) -> list[Mapping[str, Any]]:
    told = session.services().policies.document("/v1/budgets").value or {}
    return urgent(concerned([(each["scope"], each) for each in told.get("budgets", ())], view))


def _ceiling(budgets: Sequence[Mapping[str, Any]], ceiling: str | None, *, everything: bool) -> str | None:
    """Which ceiling it is to be: those that the page shows, most urgent first."""
    names = list(dict.fromkeys(str(each["ceiling"]) for each in budgets))
    if ceiling is not None and ceiling not in names:
        names.insert(0, ceiling)
    if not names:
        st.html(_NO_CEILING)
        return None
    offered = [*names, EVERYTHING] if everything else names
    chosen: str = st.selectbox(
        "Ceiling",
        offered,
        index=offered.index(ceiling) if ceiling else 0,
        format_func=lambda name: (
            "Everything: all ceilings that your key reaches" if name == EVERYTHING else look.tidy(name)
        ),
        key="operating-ceiling",
    )
    return chosen


def _scope(budgets: Sequence[Mapping[str, Any]], means: str, *, everything: bool) -> str:
    """What it will be about: each scope with its state and what is spent of how much."""
    shown = "".join(
        f"<div>{board.chip(each['state'])}<b>{look.text(board.scope_name(each['scope']))}</b>"
        f'<span class="n">{look.money(Decimal(each["spent"]), each["currency"])} of '
        f"{look.money(Decimal(each['limit']), each['currency'])}</span></div>"
        for each in budgets[:6]
    )
    more = f'<div class="sg-soft">and {len(budgets) - 6} more</div>' if len(budgets) > 6 else ""
    whole = (
        '<div class="sg-hot">■ All ceilings, those of scopes that come later too.</div>' if everything else ""
    )
    return f'<div class="sg sg-about">{whole}{shown}{more}<p>{means}</p></div>'


def _duration(endless: str | None) -> float | None:
    choices = {**_DURATIONS, endless: None} if endless else _DURATIONS
    chosen = st.selectbox("For how long", list(choices), index=1, key="operating-for")
    return choices[chosen]


def _reason() -> str:
    return st.text_input("Reason, which is kept in the log", key="operating-reason", max_chars=500).strip()


def _confirmed(scopes: int, *, everything: bool = False) -> bool:
    if everything:
        typed = st.text_input(f'Type "{_ALL_WORDS}" to confirm', key="operating-typed")
        return typed.strip().lower() == _ALL_WORDS
    about = "one scope" if scopes <= 1 else f"{scopes} scopes"
    return st.checkbox(f"Yes, I mean this: it concerns {about}", key="operating-sure")


def _complete(reason: str, *, confirmed: bool) -> bool:
    """Whether nothing is missing; else it says what is."""
    if not reason:
        st.html(board.banner("Why?", "A reason is required; whoever reads the log will want it."))
    if not confirmed:
        st.html(board.banner("It is not confirmed.", "Nothing was done."))
    return bool(reason) and confirmed


def _amount(typed: str) -> Decimal | None:
    try:
        amount = Decimal(typed.replace(",", "").strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None


def _fanned_by(ceiling: str) -> list[str]:
    """The names by which a ceiling has a scope for each, by the policies in force."""
    told = session.services().policies.document("/v1/policies", max_age_s=10).value or {}
    found = [each for each in (told.get("document") or {}).get("ceilings", ()) if each.get("name") == ceiling]
    per = found[0].get("per") if found else None
    return [per] if isinstance(per, str) else list(per or ())


def _by() -> str:
    viewer = session.viewer()
    return viewer.name[:128] if viewer is not None else "unknown"


def _send(
    method: str, path: str, body: Mapping[str, Any], reason: str
) -> tuple[Reply, list[Mapping[str, Any]]]:
    policies = session.services().policies
    told = {**body, "by": _by(), "reason": reason}
    return _recorded(lambda: policies.send(method, path, told), reason)


def _recorded(act: Callable[[], Reply], reason: str) -> tuple[Reply, list[Mapping[str, Any]]]:
    """Do it, and find what the engine's log says of it: the lines since then with this reason."""
    policies = session.services().policies
    before = policies.document("/v1/breakers", {"last": "1"}).value or {"transitions": ()}
    mark = max((line["id"] for line in before["transitions"]), default=0)
    reply = act()
    after = policies.document("/v1/breakers", {"last": str(_LAST)}).value or {"transitions": ()}
    lines = [line for line in after["transitions"] if line["id"] > mark and line["reason"] == reason]
    return reply, lines


def _failed(reply: Reply) -> bool:
    """Whether it did not work; then it says why in the engine's words."""
    if reply.error is None:
        return False
    known = "Nothing was done." if reply.status else "Whether it was done is not known: look at the breakers."
    st.html(
        board.banner(
            "The policy engine refused it." if reply.status else "The policy engine did not answer.",
            f"{look.words(reply.error)}. {known}",
        )
    )
    return True


def _until_done(ask: Callable[[], None]) -> None:
    """Ask, and where something was done, show that in place of the questions."""
    place = st.empty()
    if _DONE not in st.session_state:
        with place.container():
            ask()
    done: _Done | None = st.session_state.get(_DONE)
    if done is not None:
        with place.container():
            _tell(done)


def _finish(words: str, lines: Sequence[Mapping[str, Any]]) -> None:
    st.session_state[_DONE] = _Done(words, lines)


def _tell(done: _Done) -> None:
    """What was done, and the record of it."""
    st.html(f'<div class="sg sg-done"><b>● Done.</b> {look.text(done.words)}</div>')
    if done.lines:
        ids = [line["id"] for line in done.lines]
        where = f"number {ids[0]}" if len(ids) == 1 else f"numbers {min(ids)} to {max(ids)}"
        st.html(board.heading("In the log", f"{where}, hash {look.text(done.lines[0]['hash'][:12])}"))
        st.html(transitions.listed(done.lines, now=session.now(), most=8))
    else:
        why = "It stood so already, or nothing was counted yet; it holds from now on."
        st.html(board.empty("No breaker moved.", why))
    if st.button("Close", type="primary", key="operating-close"):
        st.session_state.pop(_DONE, None)
        st.rerun()
