"""The dashboard's entry point: `streamlit run dashboard/app.py`. Pages are in `views`, the look in `look.py`."""

from __future__ import annotations

import streamlit as st

from dashboard import look, session

st.set_page_config(page_title="switchgear", page_icon=":material/electric_meter:", layout="wide")
st.html(look.sheet(session.palette()))
st.navigation(
    [
        st.Page("views/live.py", title="Live", icon=":material/monitor_heart:", default=True),
        st.Page("views/showback.py", title="Showback", icon=":material/account_tree:", url_path="showback"),
    ],
    position="top",
).run()
