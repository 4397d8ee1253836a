"""Datasets: the three of FOCUS 1.4 beside Cost and Usage: billing periods, invoice details, contract commitments.

Pure: each takes what is known and returns rows, all values as text, null as None; `csv_text` makes a file of them.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa

from collector.wire import decimal_text

from ..cells import guarded
from ..contracts.terms import Contract, Provisioned, Span
from ..ledger.calendar import Calendar
from .parties import seller
from .prepared import time_text

__all__ = [
    "COMMITMENT",
    "Billed",
    "BillingPeriod",
    "Row",
    "billing_periods",
    "contract_commitments",
    "csv_text",
    "invoice_details",
]

Row = Mapping[str, str | None]
_METERS = {
    "input": "Input Tokens",
    "cache_read": "Cache Read Input Tokens",
    "cache_write_5m": "Cache Write Input Tokens",
    "cache_write_1h": "Cache Write Input Tokens (1 h)",
    "output": "Output Tokens",
    "other": "Other",
}
_COMMITMENT = (
    *("Applicability", "BenefitCategory", "Category", "Cost", "Created", "Description", "DiscountPercentage"),
    *(
        "DurationType",
        "FulfillmentInterval",
        "Id",
        "LastUpdated",
        "LifecycleStatus",
        "Model",
        "OfferCategory",
    ),
    *("PaymentInterval", "PaymentModel", "PaymentUpfrontPercentage", "PeriodEnd", "PeriodStart", "Quantity"),
    *("Type", "Unit"),
)
COMMITMENT = pa.schema(
    [
        pa.field(name, pa.string())
        for name in (
            "BillingCurrency",
            *(f"ContractCommitment{name}" for name in _COMMITMENT),
            *(
                "ContractId",
                "ContractPeriodEnd",
                "ContractPeriodStart",
                "InvoiceIssuerName",
                "ServiceProviderName",
            ),
        )
    ]
)
"""The columns of Contract Commitment."""

_NUMBERS = ("Cost", "Quantity", "Percentage")
_FAR = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of what has none: FOCUS wants one."""


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """One month of the ledger, in UTC, and whether it is closed."""

    start: datetime
    end: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Billed:
    """One line of an imported invoice."""

    invoice: str
    imported_at: datetime
    provider: str
    day: date
    model: str | None
    kind: str
    amount: Decimal | None
    currency: str


def billing_periods(periods: Iterable[tuple[BillingPeriod, Iterable[str]]], now: datetime) -> list[Row]:
    """A row for each period and whoever issues invoices in it."""
    return [
        {
            "BillingPeriodCreated": time_text(period.start),
            "BillingPeriodEnd": time_text(period.end),
            "BillingPeriodLastUpdated": time_text(max(period.closed_at or now, period.start)),
            "BillingPeriodStart": time_text(period.start),
            "BillingPeriodStatus": "Open" if period.closed_at is None else "Closed",
            "InvoiceIssuerName": name,
        }
        for period, issuers in sorted(periods, key=lambda each: each[0].start)
        for name in sorted(set(issuers))
    ]


def invoice_details(lines: Iterable[Billed], account: str, calendar: Calendar) -> list[Row]:
    """A row for each statement, month, model and meter: what the provider billed. Lines of usage alone are none.

    Providers bill by days in UTC: a month of the calendar has those of its name.
    """
    grouped: defaultdict[tuple[str, datetime, str, str, str, str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.amount is not None:
            grain = (f"{line.day:%Y-%m}", line.model or "", line.kind, line.currency)
            grouped[line.invoice, line.imported_at, line.provider, *grain] += line.amount
    rows: list[Row] = []
    for (invoice, imported_at, provider, month, model, kind, currency), amount in sorted(grouped.items()):
        period, meter = calendar.period(month), _METERS.get(kind, kind)
        told = {"SkuMeter": meter} | ({"x_ModelId": model} if model else {})
        rows.append(
            {
                "BilledCost": decimal_text(amount),
                "BillingAccountId": account,
                "BillingCurrency": currency,
                "BillingPeriodEnd": time_text(period.stop),
                "BillingPeriodStart": time_text(period.start),
                "ChargeCategory": "Usage",
                "InvoiceDetailCreated": time_text(imported_at),
                "InvoiceDetailDescription": f"{meter} of {model}" if model else meter,
                "InvoiceDetailGrain": json.dumps(told, ensure_ascii=False),
                "InvoiceDetailId": "/".join((invoice, month, model or "-", kind, currency)),
                "InvoiceDetailLastUpdated": time_text(imported_at),
                "InvoiceId": invoice,
                "InvoiceIssueDate": None,
                "InvoiceIssueStatus": "Issued",
                "InvoiceIssuerName": seller(provider).name,
                "PaymentDueDate": None,
                "PaymentTerms": "Not stated",
                "ReferenceInvoiceId": invoice,
            }
        )
    return rows


def contract_commitments(contracts: Iterable[Contract], now: datetime) -> list[Row]:
    """A row for each monthly commitment and each lot of provisioned units, as `COMMITMENT`.

    A contract says neither when it was made nor when it was changed: its start stands for both.
    """
    rows: list[Row] = []
    for contract in contracts:
        if contract.monthly_commitment is not None:
            what = f"At least {decimal_text(contract.monthly_commitment)} {contract.currency} a month"
            rows.append(
                _common(contract, contract.span, now)
                | {
                    "ContractCommitmentCategory": "Spend",
                    "ContractCommitmentBenefitCategory": "Discount",
                    "ContractCommitmentCost": decimal_text(contract.monthly_commitment),
                    "ContractCommitmentDescription": what,
                    "ContractCommitmentFulfillmentInterval": "Monthly",
                    "ContractCommitmentId": contract.version,
                    "ContractCommitmentQuantity": None,
                    "ContractCommitmentType": "Monthly commitment",
                    "ContractCommitmentUnit": None,
                }
            )
        rows += [_units(contract, units, now) for units in contract.provisioned]
    return rows


def _units(contract: Contract, units: Provisioned, now: datetime) -> Row:
    hourly = units.units * units.hourly_price
    return _common(contract, units.span, now) | {
        "ContractCommitmentCategory": "Usage",
        "ContractCommitmentBenefitCategory": "Availability",
        "ContractCommitmentCost": decimal_text(hourly),
        "ContractCommitmentDescription": f"{units.units} units, each {units.tokens_per_minute:,} tokens a minute",
        "ContractCommitmentFulfillmentInterval": "Hourly",
        "ContractCommitmentId": f"{contract.version}/{units.name}",
        "ContractCommitmentQuantity": str(units.units),
        "ContractCommitmentType": "Provisioned units",
        "ContractCommitmentUnit": "Units",
    }


def _common(contract: Contract, span: Span, now: datetime) -> dict[str, str | None]:
    start, end = span.start, span.end or _FAR
    days = max(1, (end - start).days)
    status = "Pending" if now < start else "Expired" if now >= end else "Active"
    return {
        "BillingCurrency": contract.currency,
        "ContractCommitmentApplicability": json.dumps(_scope(contract.tenants)),
        "ContractCommitmentCreated": time_text(start),
        "ContractCommitmentDiscountPercentage": None,
        "ContractCommitmentDurationType": f"{days} Days",
        "ContractCommitmentLastUpdated": time_text(start),
        "ContractCommitmentLifecycleStatus": status,
        "ContractCommitmentModel": "Continuous",
        "ContractCommitmentOfferCategory": "Negotiated",
        "ContractCommitmentPaymentInterval": "Monthly",
        "ContractCommitmentPaymentModel": "No Upfront",
        "ContractCommitmentPaymentUpfrontPercentage": "0",
        "ContractId": contract.version,
        "InvoiceIssuerName": seller(contract.provider).name,
        "ServiceProviderName": seller(contract.provider).name,
        **_span("ContractPeriod", contract.span),
        **_span("ContractCommitmentPeriod", span),
    }


def _scope(tenants: Sequence[str]) -> dict[str, object]:
    if not tenants:
        return {"IsGlobalScope": True}
    rule = {"Dimension": "SubAccountId", "Operator": "In", "Values": list(tenants)}
    return {"InclusionOperator": "Or", "Inclusions": [rule]}


def _span(name: str, span: Span) -> dict[str, str | None]:
    return {f"{name}Start": time_text(span.start), f"{name}End": time_text(span.end or _FAR)}


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV, with the columns of the first; a name that a spreadsheet would take for a formula is guarded."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # An amount below 0 is a number, and every other text that starts like one is somebody's name.
    writer.writerows(
        {
            name: value if not value or name.endswith(_NUMBERS) else guarded(value)
            for name, value in row.items()
        }
        for row in rows
    )
    return text.getvalue()
