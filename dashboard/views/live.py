"""The Live page: what is burning, what is cut and until when.

All that changes from second to second is one fragment of HTML, since each fragment and each widget costs a part of a
core that others need in an incident. What is slower is asked for less often, and drawn by fragments of its own.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import frame
from dashboard.parts import operating
from dashboard.parts.live import live_history, live_now, live_trend

st.html(Path(__file__).parents[1] / "parts" / "live" / "live.css")
view = frame.top(
    "Live", ranges=False, badge=False, filters=("tenant", "owner", "workload", "tier"), priced=True
)
operating.controls(view)
live_now.show(view)
live_history.show(live_history.choose(view))
live_trend.show(view)
