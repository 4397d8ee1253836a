"""Facts of several tenants and owners, under names that SQL and patterns could trip over, and who may see them."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otlp_samples import BASE_NS, Served, llm_span, request, task_end

from analytics import registry
from collector.erasing.deletions import Deletion, note
from collector.facts.adjustments import ROWS, Rerate, pack
from collector.facts.rows import numbered
from collector.facts.store import Store
from collector.ingest.limits import Limits
from collector.keys.key import Key

__all__ = ["NOW", "OWNERS", "TENANTS", "WORKLOADS", "fill", "is_visible", "owner_of"]

NOW = datetime.fromtimestamp(BASE_NS / 1e9, UTC)
TENANTS = ("acme", "acme-eu", "acme_us", "acme%", "ac*me", "o'hara", "!a", "Ünion", "ACME")
WORKLOADS = ("w1", "w2", None)
OWNERS = ("ann", "bob", "o'neil", "%")
_USAGE = [
    f"gen_ai.usage.{name}tokens" for name in ("input_", "output_", "cache_read.input_", "reasoning.output_")
]
# The columns of an adjustment that are none of its call's.
_MADE = {
    "rerate": "'r'",
    "call_seq": "seq",
    "booked_cost": "cost",
    "booked_currency": "currency",
    "calls": "1",
    "currency": "'USD'",
    "old_cost": "cost",
    "new_cost": "0",
    "delta": "-coalesce(cost, 0)",
    "old_price_version": "price_version",
    "new_price_version": "'b2'",
    "old_contract": "contract",
    "new_contract": "contract",
}
_POSTED = """
INSERT INTO ledger_entries BY NAME
SELECT seq, '2026-11' AS period, started_at::DATE AS day, 'usage' AS kind, tenant, workload, owner, cost_centre,
       1 AS calls, 1 AS attempts, 0 AS input_uncached, 0 AS cache_read, 0 AS cache_write_5m, 0 AS cache_write_1h,
       0 AS output, 0 AS reasoning, cost AS amount, booked_at AS posted_at, '' AS prev_hash, '' AS hash
FROM calls
"""
_TOO_OLD = {name: str(BASE_NS - 60 * 86_400 * 10**9) for name in ("startTimeUnixNano", "endTimeUnixNano")}


def owner_of(tenant: str | None, workload: str | None) -> str | None:
    """Each tenant's `w1` has an owner, in turn; `w2` is registered without one, and what has no name is not."""
    if tenant is None or workload != "w1":
        return None
    return OWNERS[TENANTS.index(tenant) % len(OWNERS)]


def is_visible(key: Key, tenant: str | None, workload: str | None) -> bool:
    """Whether the key may see a fact of this tenant and workload, said in another way than the collector says it."""
    reads = bool(key.scopes & {"read", "finance", "internal", "admin"})
    patterns = [".*".join(map(re.escape, each.split("*"))) for each in key.tenants]
    if reads and any(
        re.fullmatch(pattern, tenant or "", re.DOTALL) for pattern in patterns if tenant or pattern == ".*"
    ):
        return True
    owner = owner_of(tenant, workload)
    return owner is not None and f"owner:{owner}" in key.scopes


def fill(folder: Path) -> None:
    """Put into `folder`, of each tenant and workload, a call, one too old to bill, an answer out of a cache, the
    end of a task and a transition; of each tenant a call that two instrumentations tell of, one without usage, a
    span that is no call and one with other content than its first; the registry with a plan and an approver for
    each owner, and revenue of each tenant; the record of a deletion; a rerate of every call, and an entry of the
    ledger for it."""
    served = Served(folder, keyless=True, registry=registry, limits=Limits(), now=lambda: NOW)
    for document in (_registry(), _imported()):
        served.http.put("/v1/registry", json=document).raise_for_status()
    served.http.post("/v1/audit", json={"transitions": _transitions()}).raise_for_status()
    served.send(request(_spans())).raise_for_status()
    served.send(
        request(
            [
                _span(100 + each, tenant, "w1", **{"gen_ai.usage.output_tokens": 7})
                for each, tenant in enumerate(TENANTS)
            ]
        )
    )
    served.stop()
    with closing(Store(folder)) as store:
        with store.transaction() as con:
            note(con, Deletion(NOW, "retention", "old", "not_billed", NOW))
            con.execute(_POSTED)
        _rerate(store)


def _rerate(store: Store) -> None:
    columns = ", ".join(name for name in ROWS if name not in _MADE)
    made = ", ".join(f"{value} AS {name}" for name, value in _MADE.items())
    rows = store.cursor().sql(f"SELECT {columns}, {made} FROM booked WHERE kind <> 'served'").to_arrow_table()
    part = pack(rows, Rerate("r", NOW, "key", "new prices", NOW, NOW, "b2", rows.num_rows)).facts
    store.adjust(numbered([(part, store.last_seq + 1, 0)]))


def _registry() -> dict[str, Any]:
    owned = [(tenant, workload) for tenant in TENANTS for workload in ("w1", "w2")]
    return {
        "workloads": [
            {
                "tenant": tenant,
                "workload": name,
                "owner": owner_of(tenant, name),
                "cost_centre": f"CC {tenant} {name}",
            }
            for tenant, name in owned
        ],
        "plans": [
            {"cost_centre": f"CC {tenant} {name}", "month": "2026-11", "amount": "1", "currency": "USD"}
            for tenant, name in owned
        ],
    }


def _imported() -> dict[str, Any]:
    centres = [f"CC {tenant} {name}" for tenant in TENANTS for name in ("w1", "w2")]
    earned = {"month": "2026-11", "amount": "5", "currency": "USD"}
    return {
        "source": "imported",
        "cost_centres": [{"cost_centre": centre, "approver": "zoe"} for centre in centres],
        "revenue": [earned | {"tenant": tenant} for tenant in TENANTS],
    }


def _transitions() -> list[dict[str, Any]]:
    scopes = [(tenant, workload) for tenant in TENANTS for workload in WORKLOADS] + [
        (None, None),
        (None, "w1"),
    ]
    return [
        {
            "id": f"t {scope}",
            "at": NOW.isoformat(),
            "policy": "p",
            "scope": {"tenant": scope[0], "workload": scope[1]},
            "from": "closed",
            "to": "open",
        }
        for scope in scopes
    ]


def _spans() -> list[Any]:
    spans = []
    for place, tenant in enumerate(TENANTS):
        for number, workload in enumerate(WORKLOADS):
            unknown = dict.fromkeys(_USAGE) if workload is None else {}
            spans.append(_span(100 + 1000 * number + place, tenant, workload, **unknown))
            spans.append(_span(5000 + 1000 * number + place, tenant, workload, fields=_TOO_OLD))
            ours = {"switchgear.tenant": tenant, "switchgear.workload": workload}
            spans.append(
                _span(30_000 + 1000 * number + place, tenant, workload, **{"switchgear.cache": "exact"})
            )
            spans.append(task_end(20_000 + 1000 * number + place, ours))
        answer = {"gen_ai.response.id": f"chatcmpl-{100 + place:08x}"}
        spans.append(_span(8000 + place, tenant, "w1", fields={"scope": "another"}, **answer))
        spans.append(_span(9000 + place, tenant, "w1", **{"gen_ai.operation.name": "invoke_agent"}))
    return spans


def _span(
    number: int, tenant: str, workload: str | None, fields: dict[str, str] | None = None, **changed: Any
) -> Any:
    named = {"switchgear.tenant": tenant, "switchgear.workload": workload, "switchgear.task.id": f"t{number}"}
    return llm_span(number, {**named, **changed}, **(fields or {}))
