"""An example of each request and of its answer, as a service gives it that is asked them in this order.

The policy file says that `summarize-sales` of `acme` is interactive and owned by `sales-data`, that openai takes 600
requests and 2,000,000 tokens a minute, and that acme may spend 5 USD an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EXAMPLES", "Example"]


@dataclass(frozen=True, slots=True)
class Example:
    """What is answered to a request with these parameters, in path and query, and this body."""

    answer: Any
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, str | int] = field(default_factory=dict)


_NOW, _AN_HOUR_LATER = "2026-12-01T10:00:00+00:00", "2026-12-01T11:00:00+00:00"
_SCOPE = {"tenant": "acme", "workload": "summarize-sales", "task": "t-4711"}

_ALLOWED = {
    "id": "d1-2",
    "action": "allow",
    "policy": "acme-hour",
    "reason": "within the ceiling",
    "remaining": "5",
    "projected": "0",
    "ceiling": "5",
    "currency": "USD",
    "caps": {"model": None, "max_output_tokens": None},
    "retry_after_s": None,
    "share": 2000000.0,
    "valid_until": "2026-12-01T10:00:30+00:00",
    "version": 1,
    "fail": "open",
    "wrap_up": False,
    "overrun": "extend",
    "cache": None,
}
_GRANTED = {
    **_ALLOWED,
    "id": "d1-4",
    "policy": None,
    "reason": "within every ceiling",
    "remaining": None,
    "projected": None,
    "ceiling": None,
}
_HOUR = {
    "ceiling": "acme-hour",
    "scope": {"tenant": "acme"},
    "window_s": 3600.0,
    "limit": "5",
    "currency": "USD",
    "spent": "0.01365",
    "held": "0",
    "projected": "0.029421848408",
    "band": {
        "q05": "0.019754014129",
        "q20": "0.024429215413",
        "q80": "0.035406183836",
        "q95": "0.043672193343",
    },
    "horizon_s": 360.0,
    "kept": "0.01365",
    "arriving": "0.015771848408",
    "rate_per_s": "0.00004381069",
    "expected": "0",
    "scheduled": "0",
    "in_flight": "0",
    "method": "rates and past errors",
    "situation": "steady, usual",
    "cold": True,
    "calls_in_flight": 0,
    "state": "closed",
    "shadow": False,
    "action": "allow",
    "reason": "0.01365 of 5 spent, 0.029422 projected",
    "since": _NOW,
    "until": None,
    "retry_after_s": None,
}
_TASK = {
    **_HOUR,
    "ceiling": "task budget",
    "scope": {"tenant": "acme", "task": "t-4711"},
    "window_s": None,
    "limit": "0.5",
    "projected": "0.222054949541",
    "band": {
        "q05": "0.048862390032",
        "q20": "0.135458669786",
        "q80": "0.491346549675",
        "q95": "1.636807943536",
    },
    "horizon_s": 0.0,
    "arriving": "0.208404949541",
    "rate_per_s": "0",
    "method": "finished tasks of the workload",
    "situation": "1 calls, 1 agents alive, 0 of 0 tasks to compare",
    "reason": "0.01365 of 0.5 spent, 0.222055 projected",
}
_WITHIN = "within the ceiling"
_OVERRIDE = {
    "id": "od7bd1b99cf97",
    "ceiling": "acme-hour",
    "scope": {},
    "limit": "20 USD",
    "until": "2026-12-01T11:00:00Z",
    "by": "ann",
    "reason": "month-end close",
}
_HEALTHY = {"status": "ok", "policies": "c6ff276546a7"}
_FILE = """\
version: 1
tenants:
  acme:
    workloads:
      summarize-sales: {owner: sales-data, cost_centre: CC-100, tier: interactive}
capacity:
  - {provider: openai, requests_per_minute: 600, tokens_per_minute: 2000000}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 5 USD, window: 1h}
"""
_METRICS = """\
# TYPE switchgear_ceiling_spent gauge
switchgear_ceiling_spent{ceiling="acme-hour"} 0.01365
# TYPE switchgear_breaker_open gauge
switchgear_breaker_open{ceiling="acme-hour"} 1
"""

EXAMPLES: dict[str, Example] = {
    "GET /v1/decisions": Example(
        _ALLOWED,
        parameters={**_SCOPE, "tier": "interactive", "provider": "openai", "model": "gpt-4o", "wait": 0},
    ),
    "POST /v1/decisions:batch": Example(
        {"etag": "4c8a72dc54e4ffd8", "decisions": [{**_ALLOWED, "id": "d1-3", "share": None}]},
        {"scopes": [_SCOPE], "etag": None, "wait": 0},
    ),
    "POST /v1/grants": Example(
        {
            "decision": _GRANTED,
            "grant": {
                "id": "call-0001",
                "lease": "call-0001:1",
                "amount": "0.02304",
                "currency": "USD",
                "calls": 1,
                "each": "0.02304",
                "most": "0.02304",
                "expires_at": "2026-12-01T10:05:00+00:00",
                "output_tokens": None,
            },
        },
        {
            **_SCOPE,
            "id": "call-0001",
            "provider": "openai",
            "model": "gpt-4o",
            "input_bytes": 12000,
            "max_output_tokens": 800,
            "budgets": [{"task": "t-4711", "limit": "0.50 USD"}],
            "task_id": "t-4711",
            "wait": 5,
        },
    ),
    "GET /v1/grants": Example(
        {
            "at": _NOW,
            "currency": "USD",
            "grants": [
                {
                    "tenant": "acme",
                    "workload": "summarize-sales",
                    "owner": "sales-data",
                    "tier": "interactive",
                    "grants": 1,
                    "calls": 1,
                    "held": "0.02304",
                    "held_tokens": 6800,
                    "expires_at": "2026-12-01T10:05:00+00:00",
                }
            ],
        }
    ),
    "POST /v1/grants/{id}:extend": Example(
        {"lease": "call-0001:1", "held": True}, {"max_output_tokens": 1600}, {"id": "call-0001"}
    ),
    "POST /v1/grants/{id}:settle": Example(
        {"lease": "call-0001:1", "held": True},
        {
            "model": "gpt-4o",
            "usage": {"input_uncached": 2900, "output": 640},
            "response_id": "chatcmpl-9f2",
            "headers": {"x-ratelimit-limit-tokens": "2000000", "x-ratelimit-remaining-tokens": "1996460"},
        },
        {"id": "call-0001"},
    ),
    "GET /v1/budgets": Example({"at": _NOW, "budgets": [_HOUR, _TASK]}),
    "POST /v1/grants/{id}:release": Example(
        {
            "lease": "call-0002:1",
            "held": True,
            "retry": {
                "allowed": True,
                "after_s": 2.066,
                "reason": "within the retry budget: 0 of 5 retries used in the last minute (2 calls)",
            },
        },
        {"throttled_for_s": 2, "headers": {"retry-after": "2", "x-ratelimit-limit-requests": "600"}},
        {"id": "call-0002"},
    ),
    "POST /v1/grants:finish": Example(
        {"finished": [{"lease": "call-0003:2", "held": True}, {"lease": "call-0003", "held": True}]},
        {
            "finished": [
                {
                    "lease": "call-0003:2",
                    "do": "settle",
                    "model": "gpt-4o",
                    "usage": {"input_uncached": 2900, "output": 640},
                    "response_id": "chatcmpl-9f3",
                },
                {"lease": "call-0003", "do": "release", "calls": 2},
            ]
        },
    ),
    "GET /v1/shares": Example(
        {
            "providers": [
                {
                    "provider": "openai",
                    "model": None,
                    "account": None,
                    "requests_per_minute": 600,
                    "tokens_per_minute": 2000000,
                    "learned_requests_per_minute": 150.0,
                    "learned_tokens_per_minute": 500000.0,
                    "used_requests": 2,
                    "used_tokens": 3540,
                    "queued": {"interactive": 0, "batch": 0, "background": 0},
                    "queued_by_tenant": {},
                    "shares": [
                        {
                            "tenant": "acme",
                            "tier": "interactive",
                            "weight": 1.0,
                            "demand": 3540.0,
                            "entitlement": 500000.0,
                            "allotted": 3540.0,
                            "borrowed": 0.0,
                            "queue": 0,
                        }
                    ],
                    "throttled": 1,
                    "throttled_until": "2026-12-01T10:00:02+00:00",
                }
            ]
        }
    ),
    "GET /v1/explain": Example(
        {
            "at": "2026-12-01T10:00:00Z",
            "who": {**_SCOPE, "tier": "interactive", "owner": "sales-data"},
            "decision": {
                **_ALLOWED,
                "id": "d1-6",
                "policy": "task budget",
                "remaining": "0.48635",
                "projected": "0.222054949541",
                "ceiling": "0.5",
                "share": None,
            },
            "ceilings": [
                {**_HOUR, "reason": _WITHIN, "restricts": False},
                {**_TASK, "reason": _WITHIN, "restricts": True},
            ],
            "cache": None,
        },
        parameters=_SCOPE,
    ),
    "POST /v1/breakers": Example(
        {"ceilings": 1},
        {"ceiling": "acme-hour", "do": "open", "by": "ann", "reason": "incident 12", "for_s": 3600},
    ),
    "GET /v1/breakers": Example(
        {
            "breakers": [
                {
                    **_HOUR,
                    "state": "forced_open",
                    "action": "deny",
                    "reason": "incident 12",
                    "until": _AN_HOUR_LATER,
                },
                _TASK,
            ],
            "transitions": [
                {
                    "id": 1,
                    "at": _NOW,
                    "policy": "acme-hour",
                    "scope": {"tenant": "acme"},
                    "from": "closed",
                    "to": "forced_open",
                    "by": "ann",
                    "reason": "incident 12",
                    "spent": "0.01365",
                    "held": "0",
                    "projected": "0.029421848408",
                    "ceiling": "5",
                    "currency": "USD",
                    "shadow": False,
                    "prev_hash": "0" * 64,
                    "hash": "b3ef00005fde3019df4cc8d62bb2f50807a0a198374fbbc8fa40eb0f831c0970",
                }
            ],
        },
        parameters={"last": 50},
    ),
    "POST /v1/overrides": Example(
        _OVERRIDE,
        {"ceiling": "acme-hour", "limit": "20 USD", "for_s": 3600, "by": "ann", "reason": "month-end close"},
    ),
    "GET /v1/overrides": Example({"overrides": [_OVERRIDE]}),
    "DELETE /v1/overrides/{id}": Example(
        _OVERRIDE, parameters={"id": "od7bd1b99cf97", "by": "ann", "reason": "the close is done"}
    ),
    "POST /v1/tasks/{id}:stop": Example(
        {"tenant": "acme", "task": "t-4711", "was_stopped_before": False},
        {"tenant": "acme", "by": "ann", "reason": "it runs in circles"},
        {"id": "t-4711"},
    ),
    "GET /v1/policies": Example(
        {
            "file": "policies.yaml",
            "version": "c6ff276546a7",
            "loaded_at": _NOW,
            "error": None,
            "refused_at": None,
            "ceilings": ["acme-hour"],
            "document": {
                "version": 1,
                "currency": "USD",
                "unpriced_rate": "60 USD",
                "tenants": {
                    "acme": {
                        "workloads": {
                            "summarize-sales": {
                                "owner": "sales-data",
                                "cost_centre": "CC-100",
                                "tier": "interactive",
                            }
                        }
                    }
                },
                "capacity": [
                    {"provider": "openai", "requests_per_minute": 600, "tokens_per_minute": 2000000}
                ],
                "ceilings": [
                    {"name": "acme-hour", "scope": {"tenant": "acme"}, "limit": "5 USD", "window": "1h"}
                ],
            },
            "text": _FILE,
        }
    ),
    "GET /v1/identity": Example(
        {
            "id": "keyless",
            "name": "",
            "tenants": ["*"],
            "scopes": ["admin"],
            "owners": [],
            "options": ["cost_spans"],
            "expires_at": None,
            "keyless": True,
            "root": False,
        }
    ),
    "GET /healthz": Example(_HEALTHY),
    "GET /readyz": Example(_HEALTHY),
    "GET /metrics": Example(_METRICS),
}
