"""The registry: who answers for a workload and who pays, since when; who approves; what is planned and earned.

Calls keep only ids; owner and cost centre are joined when calls are read, so that a late or backdated line is right in
every report at once. All but `storage` is pure.
"""

from .document import IMPORTED, POLICIES, Registry, RegistryError, document_of, parse
from .lines import CostCentre, Plan, Revenue, Workload
from .storage import read, replace

__all__ = [
    "IMPORTED",
    "POLICIES",
    "CostCentre",
    "Plan",
    "Registry",
    "RegistryError",
    "Revenue",
    "Workload",
    "document_of",
    "parse",
    "read",
    "replace",
]
