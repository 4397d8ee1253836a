"""The fake provider as the real SDKs see it."""

from __future__ import annotations

from decimal import Decimal

import anthropic
import httpx
import openai
import pytest

from cli.demo.rates import RATES, bill
from switchgear import testing
from switchgear.testing import Latency, Limits, Log
from switchgear.usage import Usage

PROMPT = "[[demo output=300 cached=40 reasoning=20]] " + "x" * 357  # 400 characters: 100 tokens
CACHING = "[[demo output=50 cached=30 write_5m=20 write_1h=10]] " + "x" * 347


@pytest.fixture(scope="module")
def served():
    with testing.provider(price=bill, models=RATES) as running:
        yield running


@pytest.fixture
def provider(served):
    """The provider of this room, with an empty log."""
    served.reset()
    return served


def openai_of(provider, **more):
    return openai.OpenAI(base_url=provider.openai_url, api_key="sk-demo", **more)


def anthropic_of(provider, **more):
    return anthropic.Anthropic(base_url=provider.anthropic_url, api_key="sk-demo", **more)


def user(text):
    return [{"role": "user", "content": text}]


def test_an_openai_answer_carries_the_usage_that_was_billed(provider):
    with openai_of(provider, default_headers={"x-demo-tenant": "acme"}) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=user(PROMPT))
    assert answer.usage.prompt_tokens == 100
    assert answer.usage.prompt_tokens_details.cached_tokens == 40
    assert answer.usage.completion_tokens == 300
    assert answer.usage.completion_tokens_details.reasoning_tokens == 20
    (served,) = provider.log().served
    assert (served.id, served.tenant, served.model) == (answer.id, "acme", "gpt-4o")
    assert served.usage == Usage(60, 40, 0, 0, 300, 20)
    assert served.cost == (60 * Decimal("2.5") + 40 * Decimal("1.25") + 300 * Decimal(10)) / 1_000_000


def test_a_streamed_openai_answer_ends_with_its_usage_only_when_asked(provider):
    with openai_of(provider) as client:
        asked = client.chat.completions.create(
            model="gpt-4o", messages=user(PROMPT), stream=True, stream_options={"include_usage": True}
        )
        chunks = list(asked)
        not_asked = client.chat.completions.create(model="gpt-4o", messages=user(PROMPT), stream=True)
        assert all(chunk.usage is None for chunk in not_asked)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 300
    assert {chunk.id for chunk in chunks} == {provider.log().served[0].id}
    assert len(provider.log().served) == 2


async def test_the_async_openai_client_streams(provider):
    async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="sk-demo") as client:
        events = await client.chat.completions.create(
            model="gpt-4o-mini", messages=user(PROMPT), stream=True, stream_options={"include_usage": True}
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in events if chunk.choices])
    assert text.startswith("word word")


def test_an_anthropic_answer_leaves_its_cache_out_of_the_input(provider):
    with anthropic_of(provider) as client:
        answer = client.messages.create(model="claude-haiku-4-5", max_tokens=500, messages=user(CACHING))
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (40, 30, 50)
    assert usage.cache_creation_input_tokens == 20 + 10
    assert usage.cache_creation.ephemeral_5m_input_tokens == 20
    assert usage.cache_creation.ephemeral_1h_input_tokens == 10
    (served,) = provider.log().served
    assert served.usage == Usage(40, 30, 20, 10, 50, 0)
    assert (
        served.cost
        == (40 + 30 * Decimal("0.1") + 20 * Decimal("1.25") + 10 * Decimal(2) + 50 * Decimal(5)) / 1_000_000
    )


def test_a_streamed_anthropic_answer_sums_to_the_same_message(provider):
    with (
        anthropic_of(provider) as client,
        client.messages.stream(model="claude-haiku-4-5", max_tokens=500, messages=user(CACHING)) as events,
    ):
        message = events.get_final_message()
    (served,) = provider.log().served
    assert message.id == served.id
    assert (message.usage.input_tokens, message.usage.output_tokens) == (40, 50)
    assert message.usage.cache_creation.ephemeral_1h_input_tokens == 10
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("maximum", ["max_tokens", "max_completion_tokens"])
def test_output_never_exceeds_the_maximum(provider, maximum):
    with openai_of(provider) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=user(PROMPT), **{maximum: 25})
    assert answer.usage.completion_tokens == 25
    assert answer.choices[0].finish_reason == "length"


def test_the_same_request_without_a_marker_gets_the_same_length(provider):
    with openai_of(provider) as client:
        lengths = [
            client.chat.completions.create(model="gpt-4o", messages=user(text)).usage.completion_tokens
            for text in ("one", "one", "two")
        ]
    assert lengths[0] == lengths[1] != lengths[2]


@pytest.mark.parametrize(
    ("limits", "served"),
    [
        pytest.param(Limits(requests_per_minute=60, burst_s=2), 2, id="2 s at 1 request/s"),
        # A request is 100 + 300 tokens; the bucket holds 2 s of 600 a second.
        pytest.param(Limits(tokens_per_minute=36_000, burst_s=2), 3, id="1,200 tokens at 400 each"),
    ],
)
def test_over_the_limit_is_429_with_retry_after(limits, served):
    with (
        testing.provider(limits={"openai": limits}) as provider,
        openai_of(provider, max_retries=0) as client,
    ):
        for _ in range(served):
            client.chat.completions.create(model="gpt-4o", messages=user(PROMPT))
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="gpt-4o", messages=user(PROMPT))
        assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
        assert refused.value.body["code"] == "rate_limit_exceeded"
        assert len(provider.log().served) == served
        assert [one.status for one in provider.log().refused] == [429]


def test_an_ordered_refusal_is_retried_by_the_sdk_and_only_the_answer_is_billed(provider):
    provider.fail_next("anthropic", 429, times=2, retry_after_s=0.01)
    with anthropic_of(provider) as client:
        client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=user("hello"))
    assert len(provider.log().served) == 1
    assert [one.retry_after_s for one in provider.log().refused] == [0.01, 0.01]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"messages": []}, 400, id="no model"),
        pytest.param({"model": "gpt-4o"}, 400, id="no messages"),
        pytest.param({"model": "gpt-nope", "messages": []}, 404, id="unknown model"),
        pytest.param([], 400, id="no object"),
    ],
)
def test_a_request_that_the_api_would_refuse_is_refused(provider, body, status):
    answer = httpx.post(f"{provider.openai_url}/chat/completions", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert provider.log().served == ()


def test_latency_grows_with_the_output_up_to_a_bound():
    latency = Latency(first_s=0.2, per_output_token_s=0.001, most_s=0.6)
    assert latency.of(100) == pytest.approx(0.2 + 100 * 0.001)
    assert latency.of(1_000) == 0.6


def test_the_log_survives_its_way_over_http_and_a_reset_empties_it(provider):
    provider.fail_next("openai", 429, times=1, retry_after_s=0.01)
    with openai_of(provider) as client:
        client.chat.completions.create(model="gpt-4o", messages=user(PROMPT))
    document = httpx.get(f"{provider.anthropic_url}/admin/log").json()
    log = provider.log()
    assert Log.from_json(document) == Log(list(log.served), list(log.refused))
    httpx.post(f"{provider.anthropic_url}/admin/reset")
    assert provider.log() == Log()
