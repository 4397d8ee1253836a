"""Contracts: what was negotiated over the price book, and what it makes of a call and of a month."""

from __future__ import annotations

from .calls import Contracts
from .charges import Charge, Kind, Statement
from .errors import ContractError
from .statements import statement
from .terms import Contract
from .usage import Used

__all__ = ["Charge", "Contract", "ContractError", "Contracts", "Kind", "Statement", "Used", "statement"]
