"""Statements from the providers' own APIs, with an administrator's key, as the files that `analytics.invoices` reads.

What is fetched is kept as it came: one JSON list of pages for costs and one for usage, each by its day.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from analytics.invoices import InvoiceError

__all__ = ["KEYS", "Fetched", "connected", "fetch", "fetched"]

KEYS: Mapping[str, str] = {"openai": "OPENAI_ADMIN_KEY", "anthropic": "ANTHROPIC_ADMIN_KEY"}
"""The environment variable with the key, for each provider that can be asked."""

_URLS = {"openai": "https://api.openai.com", "anthropic": "https://api.anthropic.com"}
_TIMEOUT_S = 60.0
_ATTEMPTS, _FIRST_WAIT_S, _LONGEST_WAIT_S = 6, 1.0, 60.0
_MOST_PAGES = 1000
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Fetched:
    """One statement: a name for its file, and what belongs into it."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Endpoint:
    what: str
    path: str
    group_by: tuple[str, ...]
    most_days: int


_ENDPOINTS = {
    "openai": (
        _Endpoint("costs", "/v1/organization/costs", ("project_id", "line_item"), 180),
        _Endpoint(
            "usage",
            "/v1/organization/usage/completions",
            ("project_id", "model", "batch", "service_tier"),
            31,
        ),
    ),
    "anthropic": (
        _Endpoint("costs", "/v1/organizations/cost_report", ("workspace_id", "description"), 31),
        _Endpoint(
            "usage",
            "/v1/organizations/usage_report/messages",
            ("workspace_id", "model", "service_tier"),
            31,
        ),
    ),
}


def connected(
    provider: str, *, base_url: str | None = None, environ: Mapping[str, str] = os.environ
) -> httpx.Client:
    """A client of the provider's host, or of `base_url`, and of no other: no redirect is followed. To be closed.

    Raises InvoiceError for a provider that has no such API, and where the key is not in the environment.
    """
    if provider not in KEYS:
        raise InvoiceError(
            f"{provider}: has no API for statements; give its file. There are: {', '.join(KEYS)}"
        )
    key = environ.get(KEYS[provider], "").strip()
    if not key:
        raise InvoiceError(f"{provider}: {KEYS[provider]} is not set; set it to an administrator's key")
    given = {"Authorization": f"Bearer {key}"}
    if provider == "anthropic":
        given = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return httpx.Client(
        base_url=base_url or _URLS[provider],
        headers=given,
        timeout=_TIMEOUT_S,
        verify=ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
    )


def fetch(
    client: httpx.Client,
    provider: str,
    start: date,
    stop: date,
    *,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Fetched, ...]:
    """What the provider says of the days from `start` up to but without `stop`: costs, then usage.

    A statement in which nothing stands is left out. An answer 429 or 5xx is asked for again, when it says or with
    growing waits. Raises InvoiceError where the provider refuses, or stays away.
    """
    found = []
    for endpoint in _ENDPOINTS[provider]:
        pages: list[bytes] = []
        lines = 0
        for text, page in _pages(client, provider, endpoint, start, stop, sleep):
            pages.append(text)
            lines += sum(len(bucket.get("results") or ()) for bucket in page["data"])
            progress(f"{provider} {endpoint.what}: {len(pages)} pages, {lines} lines")
        if lines:
            name = f"{provider}-{endpoint.what}-{start}-{stop - timedelta(days=1)}.json"
            found.append(Fetched(name, b"[" + b",\n".join(pages) + b"]\n"))
    return tuple(found)


def fetched(
    providers: Iterable[str],
    start: date,
    stop: date,
    *,
    keep: Path | None = None,
    addresses: Mapping[str, str] = {},
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Fetched, ...]:
    """What each provider says of these days, as `fetch` has it, asked at its host or at that of `addresses`.

    With `keep` also written into that folder, as it came. Raises InvoiceError before anything is asked where a key is
    missing, and where a file cannot be written.
    """
    found: list[Fetched] = []
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(connected(name, base_url=addresses.get(name)))
            for name in dict.fromkeys(providers)
        }
        for name, client in clients.items():
            files = fetch(client, name, start, stop, progress=progress)
            if not files:
                progress(f"{name}: nothing was used or billed from {start} to {stop - timedelta(days=1)}")
            found += files
    if keep is not None:
        for file in found:
            _write(keep, file)
    return tuple(found)


def _write(folder: Path, file: Fetched) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.data)
    except OSError as problem:
        raise InvoiceError(f"{folder / file.name}: cannot be written: {problem.strerror}") from problem


def _pages(
    client: httpx.Client,
    provider: str,
    endpoint: _Endpoint,
    start: date,
    stop: date,
    sleep: Callable[[float], None],
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each page, as bytes and as JSON, in order."""
    asked = _parameters(provider, endpoint, start, stop)
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        answer = _answer(client, provider, endpoint.path, asked, sleep)
        page = _page(answer, provider, endpoint)
        yield answer.content, page
        token = page.get("next_page")
        if not page.get("has_more"):
            return
        if not isinstance(token, str) or token in seen:
            raise InvoiceError(
                f"{provider} {endpoint.path}: more follows, and not which page; ask again later"
            )
        seen.add(token)
        asked = {**asked, "page": token}
    raise InvoiceError(f"{provider} {endpoint.path}: more than {_MOST_PAGES} pages; ask for fewer days")


def _parameters(provider: str, endpoint: _Endpoint, start: date, stop: date) -> dict[str, Any]:
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (start, stop))
    limit = max(1, min(endpoint.most_days, (stop - start).days))
    asked: dict[str, Any] = {"bucket_width": "1d", "limit": limit, "group_by[]": list(endpoint.group_by)}
    if provider == "openai":
        return asked | {"start_time": int(first.timestamp()), "end_time": int(last.timestamp())}
    return asked | {"starting_at": f"{first:%Y-%m-%dT%H:%M:%SZ}", "ending_at": f"{last:%Y-%m-%dT%H:%M:%SZ}"}


def _answer(
    client: httpx.Client,
    provider: str,
    path: str,
    asked: Mapping[str, Any],
    sleep: Callable[[float], None],
) -> httpx.Response:
    wait, last = _FIRST_WAIT_S, ""
    for attempt in range(_ATTEMPTS):
        told = wait
        try:
            answer = client.get(path, params=asked)
        except httpx.TransportError as error:
            last = f"cannot be reached: {type(error).__name__}"
        else:
            if answer.status_code == httpx.codes.OK:
                return answer
            last = f"answers {answer.status_code}"
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS and not answer.is_server_error:
                raise InvoiceError(f"{provider} {path}: {last}: {_why(answer, provider)}")
            told = _retry_after(answer, wait)
        if attempt + 1 < _ATTEMPTS:
            sleep(min(told, _LONGEST_WAIT_S))
            wait *= 2
    raise InvoiceError(f"{provider} {path}: {last}, {_ATTEMPTS} times; ask again later")


def _why(answer: httpx.Response, provider: str) -> str:
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return f"the key in {KEYS[provider]} may not read statements; it must be an administrator's"
    if answer.is_redirect:
        return "it points to another host, which is not followed; give the address of the API itself"
    return answer.text[:_SHOWN].replace("\n", " ")


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    """The seconds that the answer says; neither provider writes a date."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.replace(".", "", 1).isdigit() else otherwise


def _page(answer: httpx.Response, provider: str, endpoint: _Endpoint) -> dict[str, Any]:
    try:
        page = answer.json()
    except ValueError:
        page = None
    data = page.get("data") if isinstance(page, dict) else None
    if (
        not isinstance(page, dict)
        or not isinstance(data, list)
        or not all(isinstance(each, dict) for each in data)
    ):
        raise InvoiceError(
            f"{provider} {endpoint.path}: its answer is no page; is {answer.url.host} the API?"
        )
    return page
