"""The dashboard's pages, and who may open them. Pages are in `views`, the look in `look.py`; `web.py` serves them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import look, session, settled, signing_in

# A file of ours: a material icon or an emoji here would be fetched from elsewhere.
ICON = Path(__file__).with_name("icon.png")

st.set_page_config(page_title="switchgear", page_icon=str(ICON), layout="wide")
st.logo(str(ICON), size="medium")
st.html(look.sheet(session.palette()))
page = st.navigation(
    [
        st.Page("views/live.py", title="Live", icon=":material/monitor_heart:", default=True),
        st.Page("views/tasks.py", title="Tasks", icon=":material/account_tree:", url_path="tasks"),
        st.Page("views/showback.py", title="Showback", icon=":material/payments:", url_path="showback"),
        st.Page("views/policies.py", title="Policies", icon=":material/policy:", url_path="policies"),
        st.Page("views/review.py", title="Review", icon=":material/fact_check:", url_path="review"),
    ],
    position="top",
)
who = session.viewer()
if who is None:
    signing_in.ask(page.url_path)
elif who.keyless and not signing_in.is_this_machine(st.get_option("server.address")):
    st.html(signing_in.OPEN)
elif who.keyless and not signing_in.names_this_machine(st.context.headers.get("host")):
    st.html(signing_in.ELSEWHERE)
else:
    page.run()
    settled.settle()
