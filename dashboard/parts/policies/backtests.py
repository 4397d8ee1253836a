"""Back-test: a pasted policy file against recorded calls, beside the file in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.replays.question import Question
from dashboard.view import View
from policies.files import PolicyFileError, parse
from policies.files.writing import as_text

from . import comparison, replaying
from .comparison import PASTED, TODAY

__all__ = ["MOST_BYTES", "file_text", "show"]

MOST_BYTES = 256 * 1024
_KIND = "backtest"
_ERRORS_SHOWN = 12
_EXAMPLE = """\
version: 1
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 40 USD, window: 1h}"""
_ASSUMED = (
    "Assumed: a refused call vanishes and those after it come as they did; one that waits gives up as the SDK does; a "
    "degraded one uses as many tokens, at the other model's list price. Nothing here acts on anyone, and nothing of it "
    "is kept."
)


def file_text(told: Mapping[str, Any]) -> str:
    """Today's file: as it is written where the viewer may see all of it, else what of it concerns their tenants."""
    return str(told["text"]) if told["text"] is not None else as_text(told["document"])


def show(view: View, told: Mapping[str, Any]) -> None:
    """The file to try, what is wrong with it or the replay, and the comparison."""
    today = file_text(told)
    pasted = _pasted(today)
    running = replaying.job(_KIND)
    errors = _errors(pasted)
    if errors:
        st.html(_mended(errors, pasted))
    elif running is not None and not running.is_over:
        replaying.progress(_KIND)
    else:
        _begin(view, today, pasted)
    if running is not None and running.is_over:
        _result()


def _pasted(today: str) -> str:
    """What the viewer has pasted or uploaded; their own for as long as their session lasts, and on no disk."""
    viewer = session.viewer()
    place = f"pasted {viewer.id if viewer else ''}"
    grid.heading(
        "The file to try",
        f"up to {MOST_BYTES // 1024} KiB; replayed beside today's, over your own calls",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="backtest-file"):
        if st.button("Begin with today's file", icon=":material/content_copy:"):
            st.session_state[place] = today
        uploaded = st.file_uploader(
            "or a policy file",
            type=["yaml", "yml"],
            max_upload_size=1,
            label_visibility="collapsed",
            width=420,
            key=f"upload {st.session_state.get('uploads', 0)}",
        )
    if uploaded is not None:
        st.session_state[place] = uploaded.getvalue()[: MOST_BYTES + 1].decode("utf-8", "replace")
        # A new key empties the widget, which would lay its file over what is typed from here on.
        st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
        st.rerun()
    with st.container(key="backtest-text"):
        written = st.text_area(
            "Policy file",
            key=place,
            height=300,
            max_chars=MOST_BYTES,
            placeholder=_EXAMPLE,
            label_visibility="collapsed",
        )
    return written or ""


def _errors(text: str) -> list[str]:
    """What is wrong with it, a line for each error; read once for each text."""
    if not text.strip():
        return []
    if len(text.encode()) > MOST_BYTES:
        return [
            f"pasted:1:1: file: it has more than {MOST_BYTES // 1024} KiB; use: switchgear policies backtest"
        ]
    known = st.session_state.get("checked")
    if known is None or known[0] != text:
        try:
            parse(text, name=PASTED)
            known = (text, [])
        except PolicyFileError as problem:
            known = (text, str(problem).splitlines())
        st.session_state["checked"] = known
    errors: list[str] = known[1]
    return errors


def _mended(errors: list[str], text: str) -> str:
    """The errors, each with its place and the line that it stands in."""
    lines = text.splitlines()
    rows = []
    for error in errors[:_ERRORS_SHOWN]:
        _, line, column, why = error.split(":", 3)
        content = lines[int(line) - 1] if 0 < int(line) <= len(lines) else ""
        rows.append(
            f'<li><span class="place">line {line}, column {column}</span><div><b>{look.words(why)}</b>'
            f"<code>{look.words(content.strip(), 160) or '&nbsp;'}</code></div></li>"
        )
    more = f"<li>and {len(errors) - _ERRORS_SHOWN} more</li>" if len(errors) > _ERRORS_SHOWN else ""
    count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
    return (
        f'<div class="sg sg-banner" role="status"><b>The file cannot be used: {count}.</b> Mend what is named: '
        f'it is read again.<ol class="sg-errors">{"".join(rows)}{more}</ol></div>'
    )


def _begin(view: View, today: str, pasted: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        clicked = st.button(
            f"Replay {view.words}", type="primary", icon=":material/replay:", disabled=not pasted.strip()
        )
        note = "It is today's file, word for word. " if pasted.strip() and pasted == today else ""
        limits = replaying.jobs().limits
        st.html(
            f'<div class="sg sg-soft">{note}At most {limits.calls:,} calls and {limits.within_s / 60:.0f} minutes; '
            "filters do not narrow what is replayed.</div>"
        )
    if clicked:
        start, stop = view.span(session.now())
        replaying.begin(Question("backtest", [(TODAY, today), (PASTED, pasted)]), start, stop)
        st.rerun()


def _title(column: str) -> str:
    words = column.removesuffix("_s").replace("_", " ").capitalize()
    return f"{words}, s" if column.endswith("_s") else words


def _result() -> None:
    answer = replaying.ended(_KIND)
    over = replaying.job(_KIND)
    if answer is None or over is None:
        return
    grid.heading(
        "Today's file and the pasted one",
        f"{over.start:%-d %b %H:%M} to {over.stop:%-d %b %H:%M} UTC",
        basis="estimated",
    )
    st.html(board.figures(comparison.figures(answer)))
    if comparison.same(answer):
        st.html(
            board.banner(
                "Both files would have done the same.", "No figure differs for these calls.", mild=True
            )
        )
    st.html(comparison.blocks(answer))
    st.html(f'<div class="sg sg-soft">{_ASSUMED}</div>')
    table = comparison.as_table(answer)
    amounts = [field.name for field in table.schema if field.type == "decimal128(38, 12)"]
    grid.show(
        table,
        name="backtest",
        title="Every figure",
        aside=f"a row for each ceiling and file, amounts in {look.text(answer['currency'])}",
        basis="estimated",
        drawn=pl.DataFrame(table).with_columns(pl.col(amounts).cast(pl.Float64)),
        config={name: _title(name) for name in table.column_names},
        order=[name for name in table.column_names if name != "currency"],
    )
