"""Invoices: what providers say was spent, and how the ledger compares with it."""

from .booking import Proposed, booking
from .combining import Statement, combined
from .line import Invoice, InvoiceLine
from .matching import reconcile
from .names import provider_of
from .problems import InvoiceError
from .results import Allowed, Cause, Cell, OurLine, ProviderResult, Reconciliation, Row, Tolerance

__all__ = [
    "Allowed",
    "Cause",
    "Cell",
    "Invoice",
    "InvoiceError",
    "InvoiceLine",
    "OurLine",
    "Proposed",
    "ProviderResult",
    "Reconciliation",
    "Row",
    "Statement",
    "Tolerance",
    "booking",
    "combined",
    "provider_of",
    "reconcile",
]
