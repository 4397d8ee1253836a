"""HTML: the page as one file that asks for no other, in light or dark as the reader's system says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

__all__ = ["html"]


def html(page: Mapping[str, Any]) -> str:
    """The page as HTML. Every name is escaped; only our own charts are put in as they are."""
    return _template().render(page=page)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("analytics"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = _inline
    return environment.get_template("review.html.j2")


def _inline(svg: str) -> Markup:
    """A chart within a page: without the prologue of a document of its own."""
    return Markup(svg[svg.index("<svg") :])  # noqa: S704 - drawn by charts.py, text as outlines
