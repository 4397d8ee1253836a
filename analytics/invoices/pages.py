"""Pages: the JSON that providers' APIs answer with, one page or many in a file, numbers exactly as written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .problems import Problems, shown

__all__ = ["Page", "buckets", "finished", "pages_in", "results", "span"]

Page = Mapping[str, Any]


def pages_in(text: str, problems: Problems) -> list[tuple[str, Page]]:
    """Each page with the path to it: of one object, of a list of them, or of several objects one after the other."""
    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=Decimal)
    found: list[tuple[str, Any]] = []
    at = _past_blanks(text, 0)
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found.append(("", value))
            at = _past_blanks(text, at)
    except json.JSONDecodeError as error:
        problems.add(
            f"line {error.lineno}, column {error.colno}", f"no JSON: {error.msg}; fetch the file again"
        )
    except (ValueError, RecursionError):
        problems.add(
            "line 1", "no JSON that can be read: a number or a nesting is too long; fetch the file again"
        )
    if len(found) == 1 and isinstance(found[0][1], list):
        found = [(f"[{place}].", page) for place, page in enumerate(found[0][1])]
    elif len(found) > 1:
        found = [(f"page {place + 1}: ", page) for place, (_, page) in enumerate(found)]
    return [(path, page) for path, page in found if _is_page(path, page, problems)]


def buckets(pages: Sequence[tuple[str, Page]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each bucket of time of the pages, with the path to it."""
    for path, page in pages:
        for place, bucket in enumerate(page["data"]):
            yield f"{path}data[{place}]", bucket


def results(
    path: str, bucket: Mapping[str, Any], problems: Problems
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each result of a bucket, with the path to it."""
    given = bucket.get("results")
    if not isinstance(given, list):
        problems.add(f"{path}.results", f"{shown(given)} is no list; fetch the file again")
        return
    for place, result in enumerate(given):
        if isinstance(result, dict):
            yield f"{path}.results[{place}]", result
        else:
            problems.add(f"{path}.results[{place}]", f"{shown(result)} is no object; fetch the file again")


def span(times: Sequence[tuple[datetime, datetime]]) -> tuple[date, date] | None:
    """The first and last day of buckets that run from the first time of each to the second, which is not in it."""
    if not times:
        return None
    first = min(start for start, _ in times)
    last = max(max(stop - timedelta(microseconds=1), start) for start, stop in times)
    return first.date(), last.date()


def finished(pages: Sequence[tuple[str, Page]]) -> bool:
    """Whether the last page is among them: the one after which there is no more."""
    return any(not page.get("has_more") for _, page in pages)


def _is_page(path: str, page: object, problems: Problems) -> bool:
    where = f"{path}data"
    if not isinstance(page, dict):
        problems.add(path.rstrip(".: ") or "file", f"{shown(page)} is no page; a page is an object with data")
        return False
    given = page.get("data")
    if not isinstance(given, list) or not all(isinstance(bucket, dict) for bucket in given):
        problems.add(where, f"{shown(given)} is no list of buckets; give the answer of the API as it came")
        return False
    return True


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
