"""`switchgear reconcile`: statements of providers taken in, compared with the ledger, and the difference booked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .asking import NoAnswerError
from .collectors import Asked
from .console import FAILED, misuse, note, plain, say
from .tables import table

if TYPE_CHECKING:
    from analytics.invoices import Invoice

__all__ = ["run"]

_PLACES = Decimal("1e-12")
"""Of what the collector keeps."""
_NUMBERS = ("ours", "theirs", "difference", "amount")


def run(
    files: Sequence[Path],
    *,
    month: str,
    provider: str | None,
    account: str | None,
    book: bool,
    by: str | None,
    collector: str,
    api_key: str | None,
    as_json: bool,
    fetch: Sequence[str] = (),
    keep: Path | None = None,
    today: date | None = None,
    addresses: Mapping[str, str] = {},
) -> int:
    """Take the files in, show how the month compares, and with `book` book it; exit 1 outside of tolerance.

    What `fetch` names is asked of these providers for the days of the month that are over by `today`, in UTC, at their
    own hosts or at `addresses`, and kept in the folder `keep`.
    """
    ask = Asked("reconcile", collector, api_key, as_json, "/v1/ledger/progress")
    try:
        if files or fetch:
            days = today or datetime.now(UTC).date()
            invoices = _statements(files, provider, fetch, month, days, keep, addresses)
            if invoices is None:
                return misuse("reconcile: nothing was taken in")
            if invoices:
                ask.write("/v1/invoices", _document(invoices, account, month), method="PUT")
        booked = ask.write(f"/v1/reconciliations/{month}/book", {"by": by}) if book else None
        found = ask.get("/v1/reconciliations", {"period": month})
    except NoAnswerError as problem:
        return problem.code
    if as_json:
        say(json.dumps({**found, "booking": booked}))
    else:
        _tell(found, booked)
    outside = any(each["within"] is False for each in found["providers"])
    return FAILED if outside else 0


def _statements(
    files: Sequence[Path],
    provider: str | None,
    fetch: Sequence[str],
    month: str,
    today: date,
    keep: Path | None,
    addresses: Mapping[str, str],
) -> list[Invoice] | None:
    """What the files and the providers say together; None where some cannot be had, which is said."""
    from analytics.invoices import InvoiceError, combined
    from analytics.invoices.reading import invoices_in, read_all
    from analytics.ledger.calendar import CalendarError

    from .invoices import fetched

    try:
        invoices = list(read_all(files, provider))
        if fetch:
            first, stop = _days(month, today)
            for file in fetched(fetch, first, stop, keep=keep, addresses=addresses, progress=_tell_progress):
                invoices += invoices_in(file.name, file.data)
        combined(invoices)
    except (InvoiceError, CalendarError) as problem:
        for line in str(problem).splitlines():
            misuse(f"reconcile: {plain(line)}")
        return None
    return invoices


def _days(month: str, today: date) -> tuple[date, date]:
    """The first day of the month, and the first after it that is not over yet. Raises InvoiceError, CalendarError."""
    from analytics.invoices import InvoiceError
    from analytics.ledger.calendar import Calendar

    period = Calendar().period(month)
    stop = min(period.last_day + timedelta(days=1), today)
    if stop <= period.first_day:
        raise InvoiceError(f"{month}: no day of it is over on {today}, in UTC; fetch it later")
    return period.first_day, stop


def _tell_progress(text: str) -> None:
    note(f"reconcile: {text}")


def _document(invoices: Sequence[Invoice], account: str | None, month: str) -> dict[str, Any]:
    """The statements as the collector takes them."""
    names = ("model", "project", "kind", "service_tier", "item")
    return {
        "month": month,
        "account": account,
        "invoices": [
            {
                **{
                    name: getattr(each, name)
                    for name in ("provider", "source", "sha256", "currency", "shape")
                },
                "first_day": each.days[0].isoformat(),
                "last_day": each.days[1].isoformat(),
                "lines": [
                    {
                        "day": line.day.isoformat(),
                        **{name: getattr(line, name) for name in names},
                        "quantity": quantity,
                        "amount": amount,
                    }
                    for line, quantity, amount in zip(
                        each.lines,
                        _figures([line.quantity for line in each.lines]),
                        _figures([line.amount for line in each.lines]),
                        strict=True,
                    )
                ],
            }
            for each in invoices
        ],
    }


def _figures(values: Sequence[Decimal | None]) -> list[str | None]:
    """Figures to the places that are kept; they add up to what the exact ones do, rounded once."""
    from analytics.apportion import rounded
    from collector.wire import decimal_text

    known = iter(rounded([value for value in values if value is not None], _PLACES))
    return [None if value is None else decimal_text(next(known)) for value in values]


def _tell(found: Mapping[str, Any], booked: Mapping[str, Any] | None) -> None:
    for each in found["providers"]:
        rows = [
            (
                row["day"],
                row["model"] or row["item"],
                row["project"],
                row["ours"],
                row["theirs"],
                row["difference"],
                "; ".join(f"{cause} {amount}" for cause, amount in row["causes"].items()),
            )
            for row in each["rows"]
        ]
        say(f"{plain(each['provider'])}, {each['days'][0]} to {each['days'][1]}")
        if rows:
            table(
                ("day", "model", "project", "ours", "theirs", "difference", "made of"), rows, numbers=_NUMBERS
            )
        _tell_total(each)
        for text in each["notes"]:
            say(f"  note: {plain(text)}")
    for name in found["without_statement"]:
        say(f"{plain(name)}: no statement was given")
    if not found["providers"]:
        files = f"switchgear reconcile FILE --month {found['period']}"
        say(f"No statement is for {found['period']}; give its files: {files}")
    if booked is not None:
        amounts = ", ".join(
            f"{each['amount']} {each['currency']} {each['item']}" for each in booked["booked"]
        )
        say(f"Booked into {booked['period']}: {amounts}" if amounts else "There is nothing to book.")


def _tell_total(each: Mapping[str, Any]) -> None:
    if each["theirs"] is None:
        say(f"  {each['ours']} {each['currency']} here; the statement says nothing of money")
        return
    side = "within" if each["within"] else "outside of"
    sides = f"{each['ours']} {each['currency']} here, {each['theirs']} there"
    say(
        f"  {sides}; gap {each['gap']} ({each['gap_percent']} %), of which {each['booked']} are booked: "
        f"{side} the {each['allowed']} {each['currency']} that are let pass"
    )
    causes = ", ".join(f"{cause} {amount}" for cause, amount in each["causes"].items())
    if causes:
        say(f"  causes: {causes}")
