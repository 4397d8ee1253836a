"""Verifying: whether anything in the ledger was changed: a button, how far it is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import streamlit as st

from dashboard import grid, look, session
from dashboard.board import banner
from dashboard.services import Answer, Service

__all__ = ["progress", "result", "show"]

# It reads every entry: of ten million that takes minutes.
_WAIT_S = 600.0
_LOOK_EVERY_S = 0.25


def show(collector: Service, head: Mapping[str, Any] | None) -> None:
    """The head to note down, the button, and the last result of this session."""
    grid.heading(
        "Verify", "recomputes every hash, total and checksum, and compares them with what was kept elsewhere"
    )
    if head is not None and head["seq"]:
        st.html(
            '<div class="sg sg-soft">Head to keep where the collector cannot write, and to give to '
            f"<code>switchgear ledger verify --anchor</code>:<br><code>{look.attribute(head['anchor'])}</code></div>"
        )
    if st.button("Verify the ledger", key="verify", icon=":material/verified:"):
        st.session_state["verified"] = (_verified(collector), session.now())
    if "verified" in st.session_state:
        answer, at = st.session_state["verified"]
        st.html(result(answer) + f'<div class="sg sg-soft">{look.ago(at, session.now())}</div>')


def result(answer: Answer) -> str:
    """What came of it, as HTML."""
    if answer.value is None:
        return banner("The ledger could not be verified.", look.words(answer.error))
    told = answer.value
    if not told["findings"]:
        return (
            '<div class="sg sg-note"><span class="sg-chip sg-calm"><i>●</i>Nothing was changed</span> '
            f"{look.count(told['entries'])} entries, {told['periods']} closed periods, {told['files']} files and "
            f"{told['anchors']} anchors fit together.</div>"
        )
    lines = "".join(f"<li>{look.words(each['text'])}</li>" for each in told["findings"])
    return banner(f"The ledger is not what it was: {len(told['findings'])} findings.", f"<ul>{lines}</ul>")


def progress(told: Mapping[str, Any] | None) -> tuple[float, str]:
    """How far it is, 0 to 1, and with what."""
    work = (told or {}).get("under_way")
    if work is None:
        return 0.0, "Reading the ledger"
    part = work["done"] / work["of"] if work["of"] else 0.0
    return min(max(part, 0.0), 1.0), f"{look.label(work['what']).capitalize()}: {look.label(work['step'])}"


def _verified(collector: Service) -> Answer:
    """Ask in a thread of its own, and meanwhile how far it is."""
    bar = st.progress(0.0, "Reading the ledger")
    with ThreadPoolExecutor(1, thread_name_prefix="verify") as thread:
        asked = thread.submit(collector.document, "/v1/ledger/verify", timeout_s=_WAIT_S)
        while not asked.done():
            bar.progress(*progress(collector.document("/v1/ledger/progress").value))
            time.sleep(_LOOK_EVERY_S)
    bar.empty()
    return asked.result()
