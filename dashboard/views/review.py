"""The Review page: one week's cost-ownership review, its actions, its signatures and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import board, frame, look, session
from dashboard.identity import Viewer
from dashboard.parts import retrying
from dashboard.parts.choosing import one_of_many
from dashboard.parts.review import deciding, reading, signing_off, told, weekly, weeks
from dashboard.parts.review.reading import Reading
from dashboard.parts.review.weeks import Standing
from dashboard.services import Answer
from dashboard.view import View

_COLOURS = {"sealed": "calm", "published": "trial", "draft": "off", "running": "off"}


def page() -> None:
    """The week that the URL names; the last one that is over by default."""
    view = frame.top("Review", ranges=False, filters=())
    st.html(told.sheet())
    collector, now, viewer = session.services().collector, session.now(), session.viewer()
    listed = collector.document(reading.REVIEWS)
    if listed.is_denied or viewer is None:
        _not_theirs()
        return
    _notice({"reviews": listed})
    if listed.value is None:
        st.html(
            board.empty("Nothing can be shown yet.", "The collector has not answered since this page opened.")
        )
        return
    _said()
    standing, middle, step = _week(view, weeks.offered(now, listed.value["reviews"]), weeks.last_over(now))
    actions = reading.actions_of(collector, standing)
    _notice({"actions": actions})
    tab = _tabs(view, standing, actions)
    again = st.session_state.pop("review-again", False)
    first = reading.first_look(collector, standing, viewer) if tab == "week" else None
    if first is not None:
        weekly.glance(first)
    found, answer = reading.read(collector, standing, viewer, again=again)
    _notice({"review": answer})
    if found is None:
        return
    if first is not None:
        # All of it takes the place of its beginning.
        st.rerun()
    with step:
        _next(found, viewer)
    middle.html(_state(found, viewer) + told.stamp(found.review))
    if tab == "week":
        weekly.the_week(found)
    elif tab == "findings":
        weekly.findings(found)
    elif tab == "sign-off":
        weekly.sign_off(found, viewer)
    elif actions.value is not None:
        deciding.show(found, actions.value, viewer)


def _tabs(view: View, standing: Standing, actions: Answer) -> str:
    waiting = f" ({count} open)" if (count := deciding.open_ones(actions.value)) else ""
    signed = (
        f" ({len(standing.signed)} of {wanted})"
        if (wanted := len(standing.signed) + len(standing.unsigned))
        else ""
    )
    names = {
        "week": "The week",
        "findings": "Findings",
        "actions": f"Actions{waiting}",
        "sign-off": f"Sign-off{signed} and files",
    }
    return frame.tabs(view, names)


def _week(
    view: View, offered: Sequence[Standing], last: str
) -> tuple[Standing, DeltaGenerator, DeltaGenerator]:
    """The chosen week, and the places beside it for its state and for what comes next."""
    by_name = {each.week: each for each in offered}
    left, middle, right = st.columns([2.3, 4.4, 1.5], vertical_alignment="bottom", gap="medium")
    with left:
        chosen = one_of_many(
            view,
            "week",
            "Week",
            list(by_name),
            told=lambda name: (
                f"{by_name[name].glyph} {by_name[name].days}, {name[5:]}: {by_name[name].words}"
            ),
            default=last,
            width=420,
        )
    return by_name[chosen], middle, right


def _state(found: Reading, viewer: Viewer) -> str:
    standing = found.standing
    own = "" if reading.sees_all(viewer) else " <span>your own part, made of your workloads alone</span>"
    return (
        f'<div class="sg sg-standing"><span class="sg-chip sg-{_COLOURS[standing.state]}"><i>{standing.glyph}</i>'
        f"{look.text(standing.words)}</span>{own}</div>"
    )


def _next(found: Reading, viewer: Viewer) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        if found.is_own and st.button("Make it again", help="As of now", type="tertiary", key="review-anew"):
            st.session_state["review-again"] = True
            st.rerun()
        signing_off.next_step(found, viewer)


def _notice(answers: Mapping[str, Answer]) -> None:
    """A banner where the collector does not answer; the page is drawn anew once it does."""
    if notice := session.away(session.services().collector, answers, session.now()):
        st.html(notice)
        if any(answer.status is None for answer in answers.values()):
            retrying.until_it_answers()


def _said() -> None:
    """What was done just before, once."""
    if said := st.session_state.pop("review-said", None):
        st.html(f'<div class="sg sg-banner done" role="status"><b>● Done.</b> {said}</div>')


def _not_theirs() -> None:
    st.html(
        '<div class="sg sg-note">The weekly review tells of every tenant and owner. Your key may not see it: it takes '
        "the scope <b>finance</b> for all tenants, or a key of an owner (<b>owner:NAME</b>), who sees, decides and "
        "signs for their own week. What your tenant is charged, and why, is on the page Showback.</div>"
    )
    st.page_link("views/showback.py", label="Open Showback", icon=":material/payments:")


page()
