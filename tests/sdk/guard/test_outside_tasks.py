"""Calls outside any task, in a process with a tenant of its own, follow the decision for it as those of tasks do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.control import Scope
from switchgear.guard import current

Configure = Callable[..., TracerProvider]

BODY = {"id": "r-1", "model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 50}}
STALE_S = 0.2


def made() -> Any:
    return sg.guard.call(lambda: BODY, provider="openai", model="gpt-4o", max_output_tokens=50)


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_call_outside_any_task_obeys_the_policys_mode_while_the_engine_is_away(
    fail: str, configured: Configure
) -> None:
    with testing.decisions(lambda asked: replace(testing.allow()(asked), fail=fail)) as engine:
        configured(engine.url, tenant="acme", max_stale_s=STALE_S)
        guard = current()
        assert guard is not None
        scope = Scope.outside("acme", guard.settings.tier)
        until(lambda: guard.control.decision(scope) is not None, "its decision is heard before any call")
        made()
    until(lambda: (guard.control.stale_s() or 0.0) > STALE_S, "the engine was not heard for a while")
    if fail == "closed":
        with pytest.raises(sg.BudgetExceeded, match="fails closed"):
            made()
    else:
        assert made() == BODY


def test_a_process_without_a_tenant_follows_nothing(configured: Configure) -> None:
    with testing.decisions(testing.allow()) as engine:
        configured(engine.url)
        guard = current()
        assert guard is not None
        assert not guard.control.following._watched
