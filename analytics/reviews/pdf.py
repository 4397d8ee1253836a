"""PDF: the page set by typst, with the fonts that come with matplotlib and none of the machine's."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from .fonts import FOLDER, drawable

__all__ = ["pdf"]


def pdf(page: Mapping[str, Any], *, made_at: datetime) -> bytes:
    """The page as PDF/A-2b, tagged for readers aloud; `made_at` stands in it as its date.

    Everything is data to the template, so that no name of a tenant's is read as markup.
    """
    with tempfile.TemporaryDirectory(prefix="switchgear-review-") as folder:
        root = Path(folder)
        template = files("analytics").joinpath("templates", "review.typ").read_text(encoding="utf-8")
        (root / "review.typ").write_text(template, encoding="utf-8")
        (root / "page.json").write_text(json.dumps(_drawable(page), ensure_ascii=False), encoding="utf-8")
        for name, svg in page["charts"].items():
            (root / f"{name}.svg").write_text(svg, encoding="utf-8")
        compiler = typst.Compiler(
            root / "review.typ",
            root=root,
            font_paths=[FOLDER],
            ignore_system_fonts=True,
        )
        found = compiler.compile(format="pdf", timestamp=made_at, pdf_standards=["a-2b"])
    assert isinstance(found, bytes)  # noqa: S101 - one document, not pages
    return found


def _drawable(value: Any) -> Any:
    """The page with what the fonts have of each text; PDF/A takes no other. The charts have no text."""
    match value:
        case str():
            return drawable(value)
        case Mapping():
            return {name: part if name == "charts" else _drawable(part) for name, part in value.items()}
        case list() | tuple():
            return [_drawable(part) for part in value]
        case _:
            return value
