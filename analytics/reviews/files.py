"""Files: one review as every kind of file. The same document and signatures make the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .document import Review, Signature, decoded, hash_of
from .html import html
from .page import page
from .pdf import pdf
from .tables import csv_text, parquet
from .workbook import xlsx

__all__ = ["KINDS", "made"]

KINDS = ("pdf", "html", "xlsx", "csv", "parquet", "json")


def made(
    document: bytes,
    signatures: Sequence[Signature] = (),
    kinds: Sequence[str] = KINDS,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, bytes]:
    """The files of an encoded review by kind; `progress` hears of each that is begun.

    The JSON is the document itself: its SHA-256 is what is signed. Raises msgspec.ValidationError for no document.
    """
    review: Review = decoded(document)
    hash_ = hash_of(document)
    shown = page(review, signatures, hash_=hash_) if {"pdf", "html"} & set(kinds) else {}
    makers: dict[str, Callable[[], bytes]] = {
        "pdf": lambda: pdf(shown, made_at=review.cover.generated_at),
        "html": lambda: html(shown).encode(),
        "xlsx": lambda: xlsx(review, signatures, hash_=hash_),
        "csv": lambda: csv_text(review).encode(),
        "parquet": lambda: parquet(review),
        "json": lambda: document,
    }
    found = {}
    for kind in kinds:
        progress(kind)
        found[kind] = makers[kind]()
    return found
