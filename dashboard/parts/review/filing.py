"""Filing: a review's files for download, made when they are asked for, and named as on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from threading import Lock

import streamlit as st

from .reading import Reading

__all__ = ["FILES", "made", "show"]

FILES: Mapping[str, tuple[str, str, str]] = {
    "pdf": ("PDF", "application/pdf", "To print and to archive (A4, PDF/A)"),
    "html": ("HTML", "text/html", "One page that opens anywhere and asks for nothing"),
    "xlsx": (
        "XLSX",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "A sheet for each part",
    ),
    "csv": ("CSV", "text/csv", "The owners, every digit"),
    "parquet": ("Parquet", "application/vnd.apache.parquet", "The owners, every digit, with types"),
    "json": ("JSON", "application/json", "The document itself: its SHA-256 is what is signed"),
}
"""Each kind of file: our word for it, its media type, and what it is for."""
# The library that draws keeps its style in one place for all threads.
_drawing = Lock()


def made(reading: Reading, kind: str) -> bytes:
    """One file of it. It takes about a second, in the thread that hands out files and not in that of a page."""
    # What draws and sets pages is loaded by the first who asks for a file.
    from analytics.reviews.files import made as files_made

    with _drawing:
        return files_made(reading.document, reading.signatures, [kind])[kind]


def show(reading: Reading) -> None:
    """A button for each kind of file."""
    with st.container(horizontal=True, gap="small"):
        for kind, (name, media, words) in FILES.items():
            st.download_button(
                name,
                partial(made, reading, kind),
                f"review-{reading.standing.week}.{kind}",
                media,
                key=f"file-{kind}",
                help=words,
                icon=":material/download:",
                on_click="ignore",
            )
