"""Named: the audits as reports, by name. That of savings needs prices, and comes in where they are."""

from __future__ import annotations

from collections.abc import Mapping

from collector.reporting import Report

from .anomalies import ANOMALIES
from .fanout import FANOUT
from .herds import HERDS
from .loops import LOOPS
from .retries import RETRIES
from .top_workloads import TOP_WORKLOADS

__all__ = ["AUDITS"]

AUDITS: Mapping[str, Report] = {**ANOMALIES, **FANOUT, **HERDS, **LOOPS, **RETRIES, **TOP_WORKLOADS}
