"""Statements are fetched whole from both APIs, over HTTP, and asked for again where they are busy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import httpx
import pytest
from fake_billing import ADMIN_KEY, FakeBilling, fake_billing

from analytics.invoices import InvoiceError, Statement, combined
from analytics.invoices.reading import invoices_in
from cli.invoices import KEYS, Fetched, connected, fetch

START, STOP = date(2026, 10, 1), date(2026, 11, 1)
ENVIRON = dict.fromkeys(KEYS.values(), ADMIN_KEY)
DAYS = [START + timedelta(days=place) for place in range(31)]


def _openai_cost(amount: str) -> str:
    return (
        f'{{"object":"organization.costs.result","amount":{{"value":{amount},"currency":"usd"}},'
        '"line_item":"gpt-4o-2024-08-06, input","project_id":"proj_acme"}'
    )


def _openai_usage(tokens: int) -> str:
    return (
        f'{{"object":"organization.usage.completions.result","input_tokens":{tokens},"output_tokens":0,'
        '"num_model_requests":1,"model":"gpt-4o-2024-08-06","project_id":"proj_acme"}'
    )


def _anthropic_cost(cents: str) -> str:
    return (
        f'{{"amount":"{cents}","currency":"USD","cost_type":"tokens","description":"Input","workspace_id":null,'
        '"model":"claude-sonnet-4-20250514","token_type":"uncached_input_tokens","service_tier":"standard"}'
    )


@pytest.fixture
def billing() -> Iterator[FakeBilling]:
    with fake_billing() as fake:
        fake.results = {
            ("openai", "costs"): {day: [_openai_cost("0.30000000000000004")] for day in DAYS},
            ("openai", "usage"): {day: [_openai_usage(1000)] for day in DAYS[::2]},
            ("anthropic", "costs"): {day: [_anthropic_cost("123.456789")] for day in DAYS},
        }
        yield fake


def _fetched(billing: FakeBilling, provider: str, waits: list[float] | None = None) -> tuple[Fetched, ...]:
    with connected(provider, base_url=billing.url, environ=ENVIRON) as client:
        return fetch(client, provider, START, STOP, sleep=(waits if waits is not None else []).append)


def _statement(files: tuple[Fetched, ...]) -> Statement:
    return combined([invoice for file in files for invoice in invoices_in(file.name, file.data)])


def test_a_month_of_openai_is_costs_and_usage_of_every_page(billing: FakeBilling) -> None:
    files = _fetched(billing, "openai")
    assert [file.name for file in files] == [
        "openai-costs-2026-10-01-2026-10-31.json",
        "openai-usage-2026-10-01-2026-10-31.json",
    ]
    statement = _statement(files)
    amounts = [line.amount for line in statement.lines if line.amount is not None]
    assert amounts == [Decimal("0.30000000000000004")] * 31
    assert sum(line.quantity or 0 for line in statement.lines) == 16 * 1000
    assert statement.covered == {"openai": (START, STOP - timedelta(days=1))}
    # 31 days in pages of 7, of each of the two.
    assert [path.rsplit("/", 1)[1] for path, _ in billing.asked] == ["costs"] * 5 + ["completions"] * 5
    assert billing.asked[0][1]["group_by[]"] == ["project_id", "line_item"]
    assert [query.get("page") for _, query in billing.asked[:3]] == [None, ["page_7"], ["page_14"]]


def test_a_month_of_anthropic_is_in_cents_and_a_report_without_lines_is_left_out(
    billing: FakeBilling,
) -> None:
    files = _fetched(billing, "anthropic")
    assert [file.name for file in files] == ["anthropic-costs-2026-10-01-2026-10-31.json"]
    assert [line.amount for line in _statement(files).lines] == [Decimal("1.23456789")] * 31


def test_more_days_than_a_page_may_have_are_asked_for_by_the_limit_of_each(billing: FakeBilling) -> None:
    billing.page_days = 1000
    start = date(2026, 1, 1)
    with connected("openai", base_url=billing.url, environ=ENVIRON) as client:
        fetch(client, "openai", start, start + timedelta(days=200), sleep=[].append)
    # 200 days: 180 + 20 of costs, 6 x 31 + 14 of usage.
    assert [query["limit"] for _, query in billing.asked] == [["180"]] * 2 + [["31"]] * 7


def test_a_busy_api_is_asked_again_when_it_says(billing: FakeBilling) -> None:
    billing.next_answers = [(429, {"Retry-After": "7"}), (503, {}), (500, {"Retry-After": "3600"})]
    waits: list[float] = []
    assert len(_fetched(billing, "openai", waits)) == 2
    # As it said; by itself the second time; at most a minute.
    assert waits == [7.0, 2.0, 60.0]


def test_an_api_that_stays_busy_is_given_up(billing: FakeBilling) -> None:
    billing.next_answers = [(429, {})] * 6
    waits: list[float] = []
    with pytest.raises(
        InvoiceError, match=r"^openai /v1/organization/costs: answers 429, 6 times; ask again later$"
    ):
        _fetched(billing, "openai", waits)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_an_api_that_is_away_is_given_up() -> None:
    with (
        httpx.Client(base_url="http://127.0.0.1:9") as client,
        pytest.raises(InvoiceError, match="cannot be reached: Con"),
    ):
        fetch(client, "openai", START, STOP, sleep=[].append)


@pytest.mark.parametrize("provider", KEYS)
def test_a_key_that_may_not_is_told_by_its_name_and_never_shown(billing: FakeBilling, provider: str) -> None:
    environ = dict.fromkeys(KEYS.values(), "sk-of-no-admin")
    with (
        connected(provider, base_url=billing.url, environ=environ) as client,
        pytest.raises(
            InvoiceError, match=f"answers 401: the key in {KEYS[provider]} may not read statements"
        ) as error,
    ):
        fetch(client, provider, START, STOP)
    assert "sk-of" not in str(error.value)


def test_no_other_host_is_asked(billing: FakeBilling) -> None:
    """A redirect would carry the key elsewhere."""
    with fake_billing() as other:
        billing.next_answers = [(302, {"Location": f"{other.url}/v1/organization/costs"})]
        with pytest.raises(
            InvoiceError, match="answers 302: it points to another host, which is not followed"
        ):
            _fetched(billing, "openai")
        assert other.asked == []


def test_pages_that_never_end_are_given_up(billing: FakeBilling) -> None:
    billing.endless = True
    with pytest.raises(InvoiceError, match="more follows, and not which page"):
        _fetched(billing, "openai")


def test_without_a_key_nothing_is_asked() -> None:
    with pytest.raises(
        InvoiceError, match=r"^openai: OPENAI_ADMIN_KEY is not set; set it to an administrator's key$"
    ):
        connected("openai", environ={})
    with pytest.raises(InvoiceError, match=r"^mistral: has no API for statements; give its file"):
        connected("mistral", environ=ENVIRON)


@pytest.mark.parametrize(
    ("provider", "host"), [("openai", "api.openai.com"), ("anthropic", "api.anthropic.com")]
)
def test_the_providers_own_host_is_asked_by_itself(provider: str, host: str) -> None:
    with connected(provider, environ=ENVIRON) as client:
        assert (client.base_url.host, client.base_url.scheme, client.follow_redirects, client.trust_env) == (
            *(host, "https", False, False),
        )
