"""`switchgear query`: read-only SQL or a named report, asked of a running collector."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from .answers import key_refused, reason, stranger
from .client import connect
from .console import fail, misuse, plain, say

__all__ = ["run"]

_REPORT = re.compile(r"[A-Za-z][\w-]*")
_OUR_TIMEOUT_S = 30.0
_WIDEST = 100_000


def run(question: str, *, given: Sequence[str], collector: str, api_key: str | None, as_json: bool) -> int:
    """Ask `question`, SQL or the name of a report with `given` name=value pairs, and print the answer.

    Exit 0 with an answer, 1 where the collector cannot be asked, 2 where it refuses the question.
    """
    pairs = [pair.partition("=") for pair in given]
    if not all(name and sign for name, sign, _ in pairs):
        return misuse("a parameter of a report is written name=value: --with week=2026-W47")
    params = {name: value for name, _, value in pairs}
    is_report = _REPORT.fullmatch(question.strip()) is not None
    if params and not is_report:
        return misuse("--with belongs to a report; write the values of a statement into the statement")
    try:
        with connect(collector, api_key, timeout_s=_OUR_TIMEOUT_S) as client:
            answer = _ask(client, question.strip(), params, is_report=is_report)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(f"query: no collector answers at {collector} ({problem}); start one with: switchgear up")
    except UnicodeEncodeError:
        return misuse("query: SWITCHGEAR_API_KEY holds a character that no key has")
    try:
        return _show(answer, as_json=as_json)
    except ValueError:
        return fail(f"query: {stranger(collector)}")


def _ask(
    client: httpx.Client, question: str, params: Mapping[str, str], *, is_report: bool
) -> httpx.Response:
    if is_report:
        return client.get(f"/v1/reports/{question}", params=dict(params))
    return client.post("/v1/query", json={"sql": question, "params": [], "format": "json"})


def _show(answer: httpx.Response, *, as_json: bool) -> int:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return fail(f"query: {key_refused(answer)}")
    if answer.is_client_error:
        return misuse(f"query: {reason(answer)}")
    if not answer.is_success:
        return fail(f"query: the collector answered {answer.status_code}: {reason(answer)}")
    document = answer.json()
    if not isinstance(document, dict) or not {"columns", "rows"} <= document.keys():
        raise ValueError("no answer of a collector")
    if as_json:
        say(json.dumps(document, ensure_ascii=False))
    else:
        _print(document)
    return 0


def _print(document: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns, rows = document["columns"], document["rows"]
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(plain(_name(column))))
    for row in rows:
        table.add_row(*(Text("-" if value is None else plain(str(value))) for value in row))
    # As wide as it is: a terminal wraps a long line, and an amount that was cut to fit would be another amount.
    Console(width=_WIDEST).print(table)
    counted = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    watermark = document.get("watermark")
    say(f"{counted}, booked up to {watermark}" if watermark else f"{counted}; nothing is booked yet")


def _name(column: Any) -> str:
    return str(column["name"]) if isinstance(column, Mapping) else str(column)
