"""Shapes: which kind of statement a text is, by what it holds and never by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import anthropic, focus, openai, table
from .line import Parsed
from .pages import Page, pages_in
from .problems import Problems, shown

__all__ = ["KNOWN", "parsed"]

KNOWN = (
    "known are: OpenAI's /v1/organization/costs and /usage/completions, Anthropic's cost_report and "
    "usage_report/messages, FOCUS, and a table with the columns day, model, project, kind, quantity, amount, currency"
)

_READERS: Mapping[str, Callable[[Sequence[tuple[str, Page]], Problems], Parsed]] = {
    "openai costs": openai.costs,
    "openai usage": openai.usage,
    "anthropic costs": anthropic.costs,
    "anthropic usage": anthropic.usage,
}


def parsed(text: str, provider: str | None, problems: Problems) -> Parsed:
    """The lines of a statement as JSON or CSV. Raises InvoiceError with every problem, or for an unknown shape."""
    if text.lstrip()[:1] in ("{", "["):
        pages = pages_in(text, problems)
        problems.stop()
        found = _of_pages(pages, problems)
    else:
        names, rows = table.rows(text, problems)
        if focus.is_focus(names):
            found = focus.lines(names, rows, provider, problems)
        elif {"day", "amount"} & {name.lower() for name in names}:
            found = table.plain(names, rows, provider, problems)
        else:
            problems.stop()
            problems.refuse("line 1", f"{shown(','.join(names))} heads no statement; {KNOWN}")
    problems.stop()
    if not found.lines:
        problems.refuse(
            "file", "there is no line in it; check the dates it was asked for, and what the key may read"
        )
    return found


def _of_pages(pages: Sequence[tuple[str, Page]], problems: Problems) -> Parsed:
    kinds = sorted({_kind(page) for _, page in pages} - {""})
    if not kinds:
        return Parsed("", ())
    if len(kinds) > 1:
        problems.refuse("data", f"pages of {' and '.join(kinds)} in one file; give each a file of its own")
    if kinds[0] not in _READERS:
        problems.refuse("data", f"{shown(kinds[0])} is no result that is read; {KNOWN}")
    return _READERS[kinds[0]](pages, problems)


def _kind(page: Page) -> str:
    """What the page's first result is; "" for a page without one."""
    for bucket in page["data"]:
        given = bucket.get("results")
        for result in given if isinstance(given, list) else ():
            if not isinstance(result, dict):
                continue
            name = result.get("object")
            if name == openai.COSTS:
                return "openai costs"
            if name in openai.USAGE:
                return "openai usage"
            if name is None and "amount" in result and "starting_at" in bucket:
                return "anthropic costs"
            if name is None and "uncached_input_tokens" in result:
                return "anthropic usage"
            return str(name or ", ".join(sorted(result)))
    return ""
