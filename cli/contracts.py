"""`switchgear contracts`: what can be known of a contracts file, and what it makes of a month's usage."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

from analytics.contracts import Charge, ContractError, Contracts, Statement, Used
from analytics.contracts.files import DocumentError, load
from analytics.prices import PriceBook
from collector.wire import decimal_text, rfc3339
from switchgear.usage import COUNTS, Usage, UsageError

from .console import FAILED, misuse, note, plain, say
from .paths import price_path

__all__ = ["check", "explain"]

_TOKENS = tuple(name for name in COUNTS if name != "reasoning")
_COLUMNS = ("at", "provider", "model", "tenant", *_TOKENS, "list_cost", "currency")
_NEEDED = _COLUMNS[:3]
# Of tokens and of money: far more than any minute has, and few enough that their sums are exact.
_MOST = 10**15
Row = Mapping[str, Any]
_Read = TypeVar("_Read")


class UsageFileError(ValueError):
    """A usage file that cannot be read: names the row, the column and what to write."""


def check(file: Path, *, as_json: bool) -> int:
    """Validate `file`: exit 0 and its contracts, or 1 and every error with its line."""
    if not file.is_file():
        return misuse(f"{file}: there is no such file; name a contracts file")
    found = _load(file, as_json=as_json)
    if found is None:
        return FAILED
    if as_json:
        versions = [{"name": each.name, "version": each.version} for each in found.contracts]
        say(json.dumps({"file": str(file), "contracts": versions, "errors": []}, indent=2))
    else:
        say(f"{file}: fine: {', '.join(each.version for each in found.contracts) or 'no contracts'}")
    return 0


def explain(file: Path, month: str, usage: Path, prices: Path | None = None, *, as_json: bool) -> int:
    """Print the statement of each contract for the month; 0, or 1 where the files are wrong."""
    for each in (file, usage):
        if not each.is_file():
            return misuse(f"{each}: there is no such file")
    found = _load(file, as_json=as_json)
    if found is None:
        return FAILED
    try:
        path = price_path(prices)
        book = PriceBook([path] if path is not None else ())
        statements, outside = found.statements(month, list(_used(usage, book)))
    except (ContractError, DocumentError, UsageFileError) as problem:
        return misuse(str(problem))
    if outside:
        note(f"{len(outside)} rows fall to no contract that runs in {month}: no statement has them")
    if as_json:
        say(json.dumps([_document(each) for each in statements], indent=2))
    else:
        for statement in statements:
            _print(statement)
        if not statements:
            say(f"no contract runs in {month}")
    return 0


def _load(file: Path, *, as_json: bool) -> Contracts | None:
    """The contracts of the file; None where it is refused, once every error is told."""
    try:
        return load(file)
    except DocumentError as problem:
        errors = str(problem).splitlines()
    if as_json:
        say(json.dumps({"file": str(file), "contracts": [], "errors": errors}, indent=2))
    else:
        for line in errors:
            note(line)
    return None


def _used(path: Path, book: PriceBook) -> Iterator[Used]:
    """What the file's rows say was used. Without a column `list_cost` each row is one call, priced by the book."""
    for place, row in _rows(path):
        where = f"{path}: row {place}"
        unknown = [str(name) for name in row if name not in _COLUMNS]
        if unknown:
            raise UsageFileError(f"{where}: no column {plain(unknown[0])!r}; there are {', '.join(_COLUMNS)}")
        missing = [name for name in _NEEDED if not row.get(name)]
        if missing:
            raise UsageFileError(f"{where}: {missing[0]} is missing")
        at = _value(where, "at", row, _instant)
        tokens = {name: _value(where, name, row, _count) for name in _TOKENS if row.get(name)}
        provider, model = str(row["provider"]), str(row["model"])
        if "list_cost" in row:
            cost = _value(where, "list_cost", row, _amount) if row["list_cost"] else None
            currency = str(row.get("currency") or "USD")
        else:
            try:
                listed = book.quote(provider, model, _usage(tokens), at)
            except UsageError as problem:
                raise UsageFileError(f"{where}: {problem}") from None
            cost, currency = listed.cost, listed.currency or "USD"
        tenant = str(row["tenant"]) if row.get("tenant") else None
        yield Used(provider, model, at, cost, currency, tenant=tenant, **tokens)


def _usage(tokens: Mapping[str, int]) -> Usage:
    uncached, read, short, long, output = (tokens.get(name, 0) for name in _TOKENS)
    return Usage(uncached, read, short, long, output)


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """The rows with their numbers from 1: objects of a JSON list, or lines of CSV after the header."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
    # No text, no JSON and numbers of too many digits are each a ValueError.
    except (OSError, csv.Error, ValueError, RecursionError) as problem:
        raise UsageFileError(f"{path}: cannot be read: {problem}") from None
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise UsageFileError(f"{path}: a list of objects is expected")
    yield from enumerate(rows, start=1)


def _value(where: str, name: str, row: Row, read: Callable[[str], _Read]) -> _Read:
    try:
        return read(str(row[name]))
    except (ValueError, InvalidOperation, OverflowError):
        raise UsageFileError(f"{where}: {name} cannot be {plain(str(row[name]))!r}") from None


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("no time zone")
    return at.astimezone(UTC)


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= _MOST:
        raise ValueError("negative, or more than a minute can have")
    return count


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite() or not 0 <= amount <= _MOST:
        raise ValueError("no amount")
    return amount


def _document(found: Statement) -> dict[str, Any]:
    return {
        "contract": found.contract,
        "start": rfc3339(found.start),
        "end": rfc3339(found.end),
        "currency": found.currency,
        "list_cost": decimal_text(found.list_cost),
        "contracted_cost": decimal_text(found.contracted_cost),
        "effective_cost": decimal_text(found.effective_cost),
        "unpriced_tokens": found.unpriced_tokens,
        "charges": [
            {
                "kind": charge.kind.value,
                "start": rfc3339(charge.start),
                "end": rfc3339(charge.end),
                "item": charge.item,
                "quantity": decimal_text(charge.quantity),
                "unit": charge.unit,
                "rate": decimal_text(charge.rate),
                "amount": decimal_text(charge.amount),
                "currency": charge.currency,
                "contract": charge.contract,
                "tokens": None if charge.tokens is None else decimal_text(charge.tokens),
                "why": charge.why,
            }
            for charge in found.charges
        ],
    }


def _print(found: Statement) -> None:
    say(f"{plain(found.contract)} from {rfc3339(found.start)} until {rfc3339(found.end)}")
    grouped: dict[tuple[str, str], list[Charge]] = defaultdict(list)
    for charge in found.charges:
        grouped[charge.kind.value, charge.item].append(charge)
    for (kind, item), charges in grouped.items():
        total = sum((charge.amount for charge in charges), Decimal(0))
        why = charges[0].why if len(charges) == 1 else f"{len(charges)} charges of {item}; --json has each"
        say(f"  {kind:<12} {decimal_text(total):>24} {plain(why)}")
    for name, amount in (
        ("list", found.list_cost),
        ("contracted", found.contracted_cost),
        ("effective", found.effective_cost),
    ):
        say(f"  {name:<12} {decimal_text(amount):>24} {found.currency}")
    if found.unpriced_tokens:
        say(f"  {found.unpriced_tokens:,} tokens have no list price: the sums are without them")
