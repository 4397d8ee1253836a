"""`switchgear prices`: what a usage costs, at which rates, and whether a price file can be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from analytics.documents import DocumentError
from analytics.prices import PriceBook
from analytics.prices.files import load
from analytics.prices.rates import REQUEST, Rate, Sheet
from collector.pricing import Line, Quote
from collector.wire import decimal_text
from switchgear.usage import APART, COUNTS, Usage, UsageError

from .console import FAILED, misuse, note, plain, say
from .paths import price_path

__all__ = ["book", "check", "list_", "quote"]

_UNITS = frozenset({REQUEST, *(name for name, whole in APART.items() if whole is None)})


class QuestionError(ValueError):
    """An argument that cannot be priced: names it and what to write."""


def quote(
    provider: str,
    model: str,
    usage_json: str,
    at: str | None,
    service_tier: str | None,
    prices: Path | None = None,
    *,
    as_json: bool,
) -> int:
    """Print what the usage costs; 0 where it has a price, 1 where it is unpriced, 2 for a bad question."""
    try:
        usage = _usage(usage_json)
        instant = _instant(at)
        held = book(prices)
    except (QuestionError, UsageError, DocumentError) as problem:
        return misuse(str(problem))
    found = held.quote(provider, model, usage, instant, service_tier, suggest=True)
    if as_json:
        say(json.dumps(_document(found), indent=2))
    else:
        _print(found, provider, model, instant)
    return 0 if found.cost is not None else 1


def list_(
    provider: str | None,
    model: str | None,
    at: str | None,
    service_tier: str | None,
    prices: Path | None,
    *,
    as_json: bool,
) -> int:
    """Print the rates of every model that is asked for as of a time; 1 where there is none."""
    try:
        instant = _instant(at)
        held = book(prices)
    except (QuestionError, DocumentError) as problem:
        return misuse(str(problem))
    found = list(_listed(held, provider, model, instant, service_tier))
    if as_json:
        models = [each.document() for each in found]
        say(json.dumps({"price_version": held.version, "models": models}, indent=2))
    else:
        say(f"{len(found)} models at {instant.isoformat()} by {held.version}; rates per million, fees each")
        for each in found:
            say(f"  {plain(each.provider)} {plain(each.model)}  {each.sheet.currency}  {each.text()}")
    return 0 if found else FAILED


def check(file: Path, *, as_json: bool) -> int:
    """Validate `file`: exit 0 and what it holds, or 1 and every error with its line."""
    if not file.is_file():
        return misuse(f"{file}: there is no such file; name a price file")
    counts = dict.fromkeys(("prices", "corrections", "exchange"), 0)
    errors: list[str] | None = None
    try:
        found = load(file)
    except DocumentError as problem:
        errors = str(problem).splitlines()
    else:
        overrides = found.overrides
        counts = {
            "prices": len(overrides.prices),
            "corrections": len(overrides.corrections),
            "exchange": len(found.exchange),
        }
    if as_json:
        say(json.dumps({"file": str(file), **counts, "errors": errors or []}, indent=2))
    elif errors is not None:
        for line in errors:
            note(line)
    else:
        said = f"{counts['prices']} prices, {counts['corrections']} corrections, {counts['exchange']} exchange rates"
        say(f"{file}: fine: {said}")
    return 0 if errors is None else FAILED


@dataclass(frozen=True, slots=True)
class Listed:
    """A model and its rates."""

    provider: str
    model: str
    sheet: Sheet

    def document(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "model": self.model,
            "currency": self.sheet.currency,
            "rates": {
                kind: {"per_million": decimal_text(rate.base.per_million)}
                | {"above": {str(start): decimal_text(each.per_million) for start, each in rate.steps}}
                for kind, rate in self.sheet.rates.items()
            },
        }

    def text(self) -> str:
        return ", ".join(f"{kind} {_rate(kind, rate)}" for kind, rate in self.sheet.rates.items())


def _listed(
    held: PriceBook, provider: str | None, model: str | None, at: datetime, service_tier: str | None
) -> Iterator[Listed]:
    for owner, name in held.models(provider):
        if model is not None and not fnmatchcase(name.lower(), model.lower()):
            continue
        schedule = held.schedule(owner, name, service_tier)
        sheet = schedule.at(at) if schedule is not None else None
        if sheet is not None:
            yield Listed(owner, name, sheet)


def _rate(kind: str, rate: Rate) -> str:
    if kind in _UNITS:
        return decimal_text(rate.base.per_unit)
    steps = "".join(f" (above {start}: {decimal_text(each.per_million)})" for start, each in rate.steps)
    return decimal_text(rate.base.per_million) + steps


def book(prices: Path | None) -> PriceBook:
    """The book with the price file over it that is given, or here. Raises DocumentError for one that cannot be used."""
    path = price_path(prices)
    return PriceBook([path] if path is not None else ())


def _usage(text: str) -> Usage:
    try:
        counts = json.loads(text, object_pairs_hook=_once)
    except QuestionError:
        raise
    # Too many digits or brackets are a ValueError and a RecursionError.
    except (ValueError, RecursionError) as problem:
        raise QuestionError(
            f"--usage is no JSON: {problem}; write " + "'{\"input_uncached\": 1000}'"
        ) from problem
    names = (*COUNTS, *APART)
    if not isinstance(counts, dict):
        raise QuestionError(f"--usage: an object is expected; its counts are {', '.join(names)}")
    for name, value in counts.items():
        if name not in names:
            raise QuestionError(f"--usage: {plain(name)!r} is no count; there are {', '.join(names)}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise QuestionError(f"--usage: {name} = {value!r} is not a whole number")
    apart = tuple((name, count) for name, count in counts.items() if name in APART)
    return Usage(**{name: count for name, count in counts.items() if name in COUNTS}, apart=apart)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for name, value in pairs:
        if name in counts:
            raise QuestionError(
                f"--usage: {plain(name)!r} stands there twice, {counts[name]!r} and {value!r}"
            )
        counts[name] = value
    return counts


def _instant(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuestionError(f"--at {plain(at)!r} is no date; write 2026-11-20T08:00:00Z") from None
    note(f"--at {plain(at)} names no time zone and is taken as UTC; write one, as in 2026-11-20T08:00:00Z")
    return instant.replace(tzinfo=UTC)


def _document(found: Quote) -> dict[str, Any]:
    return {
        "state": "unpriced" if found.cost is None else "priced",
        "cost": None if found.cost is None else decimal_text(found.cost),
        "currency": found.currency,
        "price_version": found.version,
        "lines": [
            {
                "kind": line.kind,
                "quantity": line.quantity,
                "rate_per_million": decimal_text(line.rate_per_million),
                "amount": decimal_text(line.amount),
            }
            for line in found.lines
        ],
        "near": list(found.near),
    }


def _print(found: Quote, provider: str, model: str, instant: datetime) -> None:
    head = f"{plain(provider)} {plain(model)} at {instant.isoformat()} by {found.version}"
    if found.cost is None:
        near = f"; known and close: {', '.join(found.near)}" if found.near else ""
        say(f"{head}: unpriced{near}")
        return
    say(head)
    for line in found.lines:
        say(f"  {line.kind:<15} {line.quantity:>12,} x {_each(line)} = {decimal_text(line.amount)}")
    say(f"  {'cost':<15} {decimal_text(found.cost)} {found.currency}")


def _each(line: Line) -> str:
    if line.kind in _UNITS:
        return f"{decimal_text(line.rate_per_million / 1_000_000)} each"
    return f"{decimal_text(line.rate_per_million)} / million"
