"""What the policy engine answers is believed as far as it can be: nothing in it stops an agent, nor another clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from answering import answering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import OPENAI, openai_client

import switchgear as sg
from switchgear.control.wire import ahead, read_decision, read_granted, read_retry
from switchgear.testing import Provider

Configure = Callable[..., TracerProvider]

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNTIL = "2099-01-01T00:00:00+00:00"


def answer(decision: dict[str, Any], grant: dict[str, Any]) -> dict[str, Any]:
    usual = {"id": "d", "action": "allow", "reason": "", "version": 1, "valid_until": UNTIL}
    granted = {"id": "g1234567", "calls": 4, "each": "0.1", "expires_at": UNTIL, "output_tokens": 10}
    return {"decision": usual | decision, "grant": granted | grant}


IMPOSSIBLE = {
    "a limit that is text": answer({"caps": {"max_output_tokens": "10"}}, {}),
    "a limit that is no whole number": answer({"caps": {"max_output_tokens": 10.5}}, {}),
    "a model that is a number": answer({"caps": {"model": 5}}, {}),
    "a share that is text": answer({"share": "half"}, {}),
    "a share below nothing": answer({"share": -1.0}, {}),
    "a wait that is a list": answer({"retry_after_s": [1]}, {}),
    "a policy that is a number": answer({"policy": 5}, {}),
    "an end in no time zone": answer({}, {"expires_at": "2099-01-01T00:00:00"}),
    "a cover that is text": answer({}, {"output_tokens": "many"}),
    "no calls": answer({}, {"calls": 0}),
    "calls without number": answer({}, {"calls": 10_000_000}),
}


@pytest.mark.parametrize("body", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_grant_that_cannot_be_is_none_and_the_call_goes(
    body: dict[str, Any], provider: Provider, configured: Configure
) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_granted(body)
    with answering(json.dumps(body).encode()) as url, openai_client(provider) as client:
        configured(url)
        with sg.task("writer", tenant="acme"):
            assert list(sg.wrap(client).chat.completions.create(**OPENAI, stream=True))
        sg.shutdown(0.2)


@pytest.mark.parametrize(("told", "waits_s"), [(-3.0, 0.0), (float("nan"), 0.0), (0.25, 0.25)])
def test_a_wait_before_the_next_attempt_is_never_below_nothing(told: float, waits_s: float) -> None:
    retry = read_retry({"retry": {"allowed": True, "after_s": told, "reason": ""}})
    assert retry is not None
    assert retry.after_s == waits_s


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
def test_what_the_engine_dates_is_meant_by_its_own_clock(off: timedelta) -> None:
    body = answer(
        {"valid_until": (NOW + timedelta(seconds=30)).isoformat()},
        {"expires_at": (NOW + timedelta(seconds=300)).isoformat()},
    )
    here = NOW + off
    measured = ahead(format_datetime(NOW, usegmt=True), here)
    granted = read_granted(body, measured)
    assert granted.grant is not None
    assert granted.grant.expires_at - here == timedelta(seconds=300)
    assert granted.decision.valid_until - here == timedelta(seconds=30)
    assert read_decision(body["decision"], measured).valid_until - here == timedelta(seconds=30)


@pytest.mark.parametrize(
    "date",
    [
        format_datetime(NOW - timedelta(seconds=2), usegmt=True),
        None,
        "",
        "yesterday",
        "Sat, 28 Nov 2026 12:00:00",
    ],
    ids=["two seconds ago", "none", "empty", "words", "no time zone"],
)
def test_clocks_count_as_equal_where_nothing_tells_otherwise(date: str | None) -> None:
    assert ahead(date, NOW) == timedelta()
