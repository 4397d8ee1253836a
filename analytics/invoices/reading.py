"""Reading: statements from files, and several files as one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from . import focus, parquet
from .line import Invoice, Parsed
from .names import provider_of
from .problems import InvoiceError, Problems
from .shapes import KNOWN, parsed

__all__ = ["invoices_in", "read", "read_all"]


def read(path: Path, provider: str | None = None) -> tuple[Invoice, ...]:
    """What a file says, an invoice for each provider and currency. Raises InvoiceError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvoiceError(f"{path}: cannot be read: {error.strerror}") from None
    return invoices_in(str(path), data, provider)


def read_all(paths: Iterable[Path], provider: str | None = None) -> tuple[Invoice, ...]:
    """What the files say together. Raises InvoiceError with the problems of all of them."""
    found: list[Invoice] = []
    failed = []
    for path in paths:
        try:
            found += read(path, provider)
        except InvoiceError as error:
            failed.append(str(error))
    if failed:
        raise InvoiceError("\n".join(failed))
    return tuple(found)


def invoices_in(source: str, data: bytes, provider: str | None = None) -> tuple[Invoice, ...]:
    """What the file `source` with this content says. Raises InvoiceError.

    `provider` is whose statement it is, where the file does not say: a plain table without that column.
    """
    problems = Problems(source)
    if data.startswith(parquet.MAGIC):
        found = _of_parquet(data, provider, problems)
    else:
        found = parsed(_text(data, problems), provider, problems)
    digest = sha256(data).hexdigest()
    return tuple(_invoices(source, digest, found))


def _of_parquet(data: bytes, provider: str | None, problems: Problems) -> Parsed:
    names, rows = parquet.rows(data, problems)
    problems.stop()
    if not focus.is_focus(names):
        problems.refuse("columns", f"no FOCUS file: it has no BilledCost and ChargePeriodStart; {KNOWN}")
    found = focus.lines(names, rows, provider, problems)
    problems.stop()
    if not found.lines:
        problems.refuse("file", "there is no line of an AI service in it; check what it was exported from")
    return found


def _text(data: bytes, problems: Problems) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.refuse(f"line {line}", f"no UTF-8 ({error.reason}); save the file as UTF-8")


def _invoices(source: str, digest: str, found: Parsed) -> Iterable[Invoice]:
    whose = defaultdict(list)
    for line in found.lines:
        whose[provider_of(line.provider), line.currency].append(line)
    for (provider, currency), lines in sorted(whose.items()):
        days = found.days or (min(line.day for line in lines), max(line.day for line in lines))
        yield Invoice(
            provider,
            source,
            digest,
            currency,
            days,
            "UTC",
            tuple(lines),
            found.shape,
            found.complete,
            found.left_out,
        )
