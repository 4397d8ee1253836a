"""The billing APIs of OpenAI and Anthropic on this machine: pages, keys, limits, and the odd 429."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["ADMIN_KEY", "FakeBilling", "fake_billing"]

ADMIN_KEY = "sk-admin-of-the-fake"
_PATHS = {
    "/v1/organization/costs": ("openai", "costs", 180),
    "/v1/organization/usage/completions": ("openai", "usage", 31),
    "/v1/organizations/cost_report": ("anthropic", "costs", 31),
    "/v1/organizations/usage_report/messages": ("anthropic", "usage", 31),
}
Results = Mapping[date, Sequence[str]]


@dataclass
class FakeBilling:
    """`results[provider, what]` are the results of each day, as JSON text, so that each digit is as it was written."""

    url: str = ""
    results: dict[tuple[str, str], Results] = field(default_factory=dict)
    page_days: int = 7
    """How many days a page has at most, whatever limit was asked for."""
    next_answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers instead, once each, in order: a status and headers."""
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    endless: bool = False
    """Says that more follows, on and on, with the same token."""


@contextmanager
def fake_billing() -> Iterator[FakeBilling]:
    """One that listens on this machine."""
    billing = FakeBilling()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            billing.asked.append((parts.path, query))
            status, headers, body = _answer(billing, parts.path, query, dict(self.headers))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        billing.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield billing
        finally:
            server.shutdown()
            thread.join()


def _answer(
    billing: FakeBilling, path: str, query: dict[str, list[str]], headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    if billing.next_answers:
        status, given = billing.next_answers.pop(0)
        return status, given, b"{}"
    provider, what, most = _PATHS[path]
    if not _knows(provider, {name.lower(): value for name, value in headers.items()}):
        return 401, {}, b'{"error": {"message": "invalid key"}}'
    if query["bucket_width"] != ["1d"] or not 1 <= int(query["limit"][0]) <= most or not query["group_by[]"]:
        return 400, {}, b'{"error": {"message": "bad parameters"}}'
    days = _days(provider, query)
    first = int(query["page"][0].removeprefix("page_")) if "page" in query else 0
    last = first + min(int(query["limit"][0]), billing.page_days)
    results = billing.results.get((provider, what), {})
    buckets = [_bucket(provider, day, results.get(day, ())) for day in days[first:last]]
    more = billing.endless or last < len(days)
    token = json.dumps(f"page_{0 if billing.endless else last}") if more else "null"
    text = f'{{"data":[{",".join(buckets)}],"has_more":{str(more).lower()},"next_page":{token}}}'
    return 200, {"Content-Type": "application/json"}, text.encode()


def _knows(provider: str, headers: dict[str, str]) -> bool:
    if provider == "openai":
        return headers.get("authorization") == f"Bearer {ADMIN_KEY}"
    return headers.get("x-api-key") == ADMIN_KEY and "anthropic-version" in headers


def _days(provider: str, query: dict[str, list[str]]) -> list[date]:
    if provider == "openai":
        first, stop = (
            datetime.fromtimestamp(int(query[name][0]), UTC).date() for name in ("start_time", "end_time")
        )
    else:
        first, stop = (datetime.fromisoformat(query[name][0]).date() for name in ("starting_at", "ending_at"))
    return [first + timedelta(days=place) for place in range((stop - first).days)]


def _bucket(provider: str, day: date, results: Sequence[str]) -> str:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    stop = start + timedelta(days=1)
    if provider == "openai":
        times = f'"object":"bucket","start_time":{int(start.timestamp())},"end_time":{int(stop.timestamp())}'
    else:
        times = f'"starting_at":"{start:%Y-%m-%dT%H:%M:%SZ}","ending_at":"{stop:%Y-%m-%dT%H:%M:%SZ}"'
    return f'{{{times},"results":[{",".join(results)}]}}'
