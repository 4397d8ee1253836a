"""The Showback page: who caused which cost, what a unit of work costs, what is charged for it, what a cache saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dashboard import frame
from dashboard.parts.chargeback.bursts_retries import causes
from dashboard.parts.chargeback.charged import charged
from dashboard.parts.chargeback.ledger_state import ledger
from dashboard.parts.showback.answer_cache import answer_cache
from dashboard.parts.showback.unit_costs import units
from dashboard.parts.showback.where_it_goes import where
from dashboard.view import View

TABS: Mapping[str, tuple[str, Callable[[View], None]]] = {
    "where": ("Where it goes", where),
    "units": ("Unit costs", units),
    "charged": ("Charged", charged),
    "causes": ("Bursts & retries", causes),
    "cache": ("Answer cache", answer_cache),
    "ledger": ("Ledger", ledger),
}

view = frame.top("Showback", compare=True, priced=True)
chosen = frame.tabs(view, {name: words for name, (words, _) in TABS.items()})
TABS[chosen][1](view)
