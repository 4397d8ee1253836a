"""The Live page's chart: the last hour's spend by minute beside the hour before, drawn anew each ten seconds."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from ... import board, grid, look, session
from ...charts.live import spend_beside_before
from ...view import View
from . import burning

__all__ = ["show"]

_HOUR = timedelta(hours=1)
_AGE_S = 9.0


@st.fragment(run_every="10s")
def show(view: View) -> None:
    """Bars by tenant; by workload where one tenant is chosen."""
    now, both = session.now(), session.services()
    collector = both.collector
    by = "workload" if view.tenant is not None else "tenant"
    stop = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    span = {"from": (stop - _HOUR).isoformat(), "to": stop.isoformat()}
    before = {"from": (stop - 2 * _HOUR).isoformat(), "to": (stop - _HOUR).isoformat()}
    filters = view.filters() | view.priced()
    answers = both.together(
        {
            "spend": lambda: collector.report(
                "timeline",
                {**span, "bucket": "minute", "by": by, "top": "7", **filters},
                max_age_s=_AGE_S,
                topic=f"live trend {view.topic}",
            ),
            "before": lambda: collector.report(
                "spend",
                {**before, "by": "minute", **filters},
                max_age_s=_AGE_S,
                topic=f"live before {view.topic}",
            ),
        }
    )
    st.html(
        board.heading(f"Spend by {by}", "each minute of the last hour, and the hour before; UTC; estimated")
    )
    if answers["spend"].is_denied:
        st.html(session.denied(answers["spend"], "read"))
        return
    table, earlier = answers["spend"].value, answers["before"].value
    rows = [] if earlier is None else earlier.to_pylist()
    minutes = burning.of_minutes(rows, stop).before
    if table is None:
        st.html(board.empty("Not known now.", "It shows here once the collector answers."))
        return
    if not table.num_rows and not any(minutes):
        st.html(board.empty("No spend in two hours.", "It shows here within seconds of being booked."))
        return
    currencies = table["currency"].to_pylist()
    figure = spend_beside_before(
        table,
        minutes,
        session.palette(),
        start=stop - _HOUR,
        stop=stop,
        currency=next((each for each in currencies if each), "USD"),
        unnamed=grid.NAMES[by],
    )
    st.plotly_chart(
        figure,
        theme=None,
        config=session.PLOT,
        key="live-trend",
        alt=f"Spend by {look.tidy(by)} in each minute of the last hour, beside the hour before",
    )
