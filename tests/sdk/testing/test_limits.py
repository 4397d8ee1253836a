"""The fake provider's limits: what they admit, how they change while it runs, and what the headers say of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear import testing
from switchgear.testing import Limits
from switchgear.testing.formats import limit_headers
from switchgear.testing.limits import Account, Left

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# 40 tokens a minute, of which 10 may come at once.
TENS = Limits(requests_per_minute=600, tokens_per_minute=40, burst_s=15)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 20)), max_size=60),
    st.floats(1, 1000),
    st.floats(1, 1000),
)
def test_no_account_gets_more_than_its_rate_and_one_burst(
    asks: list[tuple[float, int]], requests: float, tokens: float
) -> None:
    limits = Limits(requests, tokens, burst_s=5)
    account, now, passed, spent = Account(limits, 0.0), 0.0, 0, 0
    for pause_s, size in asks:
        now += pause_s
        if account.admit(size, now=now) == 0:
            passed, spent = passed + 1, spent + size
    assert passed <= max(1, requests / 60 * 5) + now * requests / 60 + 1e-6
    # A request larger than the bucket goes when that is full, and has to be earned afterwards.
    assert spent <= max(1, tokens / 60 * 5) + now * tokens / 60 + 20


@given(st.floats(0.1, 1000), st.integers(1, 50))
def test_after_the_wait_that_is_named_a_request_is_admitted(requests: float, size: int) -> None:
    account, now = Account(Limits(requests, 60.0), 0.0), 0.0
    for _ in range(5):
        wait_s = account.admit(size, now=now)
        if wait_s:
            now += wait_s * (1 + 1e-9) + 1e-9
            assert account.admit(size, now=now) == 0


def test_a_limit_that_is_cut_leaves_what_fits_and_one_that_is_lifted_is_gone() -> None:
    account = Account(Limits(requests_per_minute=600, burst_s=6), 0.0)
    assert account.left()[0] == Left(600, 600, 0.0)
    account.change(Limits(requests_per_minute=60, burst_s=6), now=0.0)
    # 6 s at one a second: six at once, and then one each second.
    assert [account.admit(1, now=0.0) for _ in range(7)] == [0.0] * 6 + [1.0]
    account.change(Limits(), now=0.0)
    assert account.admit(10**9, now=0.0) == 0
    assert account.left() == (None, None)
    account.change(Limits(requests_per_minute=60, burst_s=6), now=0.0)
    assert account.left()[0] == Left(60, 60, 0.0)


@pytest.mark.parametrize("limit", [0, -1, math.nan])
def test_a_limit_of_nothing_is_none(limit: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Limits(requests_per_minute=limit)


@pytest.mark.parametrize(
    ("reset_s", "written"), [(0.0, "0ms"), (0.82, "820ms"), (1.25, "1.25s"), (360.0, "6m0s"), (75.4, "1m15s")]
)
def test_openai_writes_when_a_limit_is_whole_again_as_a_duration(reset_s: float, written: str) -> None:
    said = limit_headers("openai", Left(600, 599, reset_s), None, NOON)
    assert said == [
        ("x-ratelimit-limit-requests", "600"),
        ("x-ratelimit-remaining-requests", "599"),
        ("x-ratelimit-reset-requests", written),
    ]


def test_anthropic_writes_it_as_an_instant() -> None:
    said = limit_headers("anthropic", None, Left(4000, 1000, 45.0), NOON)
    assert said == [
        ("anthropic-ratelimit-tokens-limit", "4000"),
        ("anthropic-ratelimit-tokens-remaining", "1000"),
        ("anthropic-ratelimit-tokens-reset", f"{NOON + timedelta(seconds=45):%Y-%m-%dT%H:%M:%SZ}"),
    ]


@pytest.fixture
def provider() -> Iterator[testing.Provider]:
    with testing.provider() as running:
        yield running


def ask(provider: testing.Provider, key: str = "k") -> httpx.Response:
    body: Any = {"model": "m", "messages": [{"role": "user", "content": "[[demo output=4]]"}]}
    return httpx.post(
        f"{provider.openai_url}/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
    )


def test_a_limit_changes_while_agents_run_and_every_answer_says_what_is_left(
    provider: testing.Provider,
) -> None:
    assert "x-ratelimit-limit-requests" not in ask(provider).headers
    provider.limit("openai", requests_per_minute=60, burst_s=2)
    # Two seconds at one a second: two at once, and a third is refused for up to a second.
    first, second, third = (ask(provider) for _ in range(3))
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert [int(each.headers["x-ratelimit-remaining-requests"]) // 10 for each in (first, second)] == [3, 0]
    assert third.headers["retry-after"] == "1"
    provider.limit("openai", requests_per_minute=math.inf)
    assert ask(provider).status_code == 200


def test_each_key_has_limits_of_its_own(provider: testing.Provider) -> None:
    provider.limit("openai", requests_per_minute=60, burst_s=1)
    assert [ask(provider, key).status_code for key in ("a", "b", "a")] == [200, 200, 429]


def test_another_process_orders_the_same(provider: testing.Provider) -> None:
    def order(route: str, **what: Any) -> int:
        return httpx.post(f"{provider.url}/admin/{route}", json=what).status_code

    assert order("limit", provider="openai", requests_per_minute=60, burst_s=1) == 200
    assert order("fail", provider="openai", what="reset", times=2) == 200
    assert order("fail", provider="openai", what="explode") == 400
    for _ in range(2):
        with pytest.raises(httpx.ReadError):
            ask(provider)
    assert [ask(provider).status_code for _ in range(2)] == [200, 429]
    assert httpx.get(f"{provider.url}/admin/totals").json() == {"served": 1, "limited": 1, "cost": "0"}
    assert order("reset") == 200
    assert provider.refused == ()
