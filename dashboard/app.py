"""The dashboard's entry point: `streamlit run dashboard/app.py`. Pages are in `views`, the look in `look.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import look, session

# A file of ours: a material icon or an emoji here would be fetched from elsewhere.
ICON = Path(__file__).with_name("icon.png")

st.set_page_config(page_title="switchgear", page_icon=str(ICON), layout="wide")
st.logo(str(ICON), size="medium")
st.html(look.sheet(session.palette()))
st.navigation(
    [
        st.Page("views/live.py", title="Live", icon=":material/monitor_heart:", default=True),
        st.Page("views/showback.py", title="Showback", icon=":material/account_tree:", url_path="showback"),
    ],
    position="top",
).run()
