"""Weekly: a review on the screen: the week at a glance, what was found, and how it is signed and filed."""

from __future__ import annotations

import streamlit as st

from analytics.reviews import tables
from analytics.reviews.document import Review
from analytics.reviews.sections import Section
from analytics.reviews.wording import digits
from dashboard import board, grid, session
from dashboard.charts.bridge import bridge
from dashboard.charts.days import days
from dashboard.identity import Viewer

from . import filing, signing_off, told
from .reading import Reading

__all__ = ["findings", "glance", "sign_off", "the_week"]

_HEIGHT = 310


def the_week(found: Reading) -> None:
    """What a finance person reads in a minute: sentences, figures, why it changed, the month, and who owns what."""
    review = found.review
    glance(review)
    st.html(board.figures(told.at_a_glance(review)))
    owners = tables.csv_text(review).encode()
    aside = f"{told.OWNERS_ASIDE}; amounts in {review.currency}"
    _headed("Who owns what", aside, f"review-{review.week}", owners, basis=told.basis(review))
    st.html(told.owners(review))
    with st.expander("How it is reckoned"):
        st.html(told.notes(review))


def glance(review: Review) -> None:
    """Its beginning, which needs no audit: sentences, figures, and the pictures of the change and of the days."""
    st.html(told.lead(review))
    st.html(board.figures(told.figures(review)))
    if not review.total.calls and not review.bridge.start and not review.bridge.end:
        st.html(
            board.empty(
                f"Nothing was spent in {review.week} or the week before.",
                "Choose another week. A week without calls can be published and signed all the same.",
            )
        )
    else:
        _pictures(review)


def findings(found: Reading) -> None:
    """Every part of the document with something in it, and at the end those without."""
    review = found.review
    places = digits(review.total.actual)
    for section in told.parts(review):
        _section(found, section, places)
    if quiet := told.quiet(review):
        st.html('<div class="sg sg-h">Nothing to tell</div>' + quiet)


def sign_off(found: Reading, viewer: Viewer) -> None:
    """Signatures, and the files."""
    st.html(
        '<div class="sg sg-h">Sign-off <small>each owner for their own cost; then one for all of it</small></div>'
    )
    signing_off.show(found, viewer)
    aside = "made of this document and its signatures: the same bytes each time, here and on the command line"
    st.html(f'<div class="sg sg-h">Files <small>{aside}</small></div>')
    filing.show(found)


def _pictures(review: Review) -> None:
    palette = session.palette()
    # One above the other where the page is narrow (review.css).
    with st.container(key="review-pictures"):
        left, right = st.columns([1.5, 1], gap="large")
    with left:
        grid.heading(
            "Why it changed", "from last week to this one; the parts add up exactly", basis=told.basis(review)
        )
        places = digits(review.total.actual)
        figure = bridge(review.bridge, palette, currency=review.currency, places=places, height=_HEIGHT)
        st.plotly_chart(
            figure,
            theme=None,
            config=session.PLOT,
            key="review-bridge",
            alt="Cost of last week, by parts, to this week's",
        )
    with right:
        if (ahead := review.headline.forecast) is not None:
            st.html(f'<div class="sg sg-h">{ahead.month} to its end <small>forecast and plan</small></div>')
            st.html(told.month(ahead, review.currency))
        st.html('<div class="sg sg-h">Day by day <small>by tenant</small></div>')
        st.plotly_chart(
            days(review.days, palette, currency=review.currency, height=220),
            theme=None,
            config=session.PLOT,
            key="review-days",
            alt="Cost of each day by tenant, beside last week",
        )


def _section(found: Reading, section: Section, places: int) -> None:
    content = told.csv_of(told.lines_of(found.review, section.key))
    _headed(
        section.title,
        f"{section.lead} Amounts in {found.review.currency}.",
        f"review-{found.review.week}-{section.key}",
        content,
    )
    st.html(told.table(section, places))


def _headed(title: str, aside: str, name: str, content: bytes, *, basis: str | None = None) -> None:
    """A heading with its table as CSV."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        grid.heading(title, aside, basis=basis)
        st.download_button(
            "CSV",
            content,
            f"{name}.csv",
            "text/csv",
            key=f"csv-{name}",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )
