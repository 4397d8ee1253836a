"""What goes wrong on order, as the providers' own SDKs meet it; and what of it is billed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import botocore.exceptions
import httpx
import httpx2
import openai
import pytest
from botocore.config import Config

from switchgear import testing
from switchgear.testing import Fault

ASKING: Any = [{"role": "user", "content": "[[demo output=50]]"}]
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
# By the libraries under the SDKs, of which a stream lets errors through as they are.
BROKEN = (
    openai.APIConnectionError,
    anthropic.APIConnectionError,
    httpx.TransportError,
    httpx2.TransportError,
)


@pytest.fixture(scope="module")
def running() -> Iterator[testing.Provider]:
    with testing.provider() as provider:
        yield provider


@pytest.fixture
def provider(running: testing.Provider) -> testing.Provider:
    running.reset()
    return running


@pytest.fixture
def chat(provider: testing.Provider) -> Iterator[Any]:
    with openai.OpenAI(base_url=provider.openai_url, api_key="k", max_retries=0) as client:
        yield lambda **more: client.chat.completions.create(model="gpt-4o", messages=ASKING, **more)


@pytest.fixture
def message(provider: testing.Provider) -> Iterator[Any]:
    with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="k", max_retries=0) as client:
        yield lambda **more: client.messages.create(
            model="claude-haiku-4-5", max_tokens=100, messages=ASKING, **more
        )


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_a_status_is_answered_as_openai_does(
    status: int, error: type[openai.APIStatusError], provider: testing.Provider, chat: Any
) -> None:
    provider.fail_next("openai", status, retry_after_s=2)
    with pytest.raises(error) as refused:
        chat()
    assert refused.value.status_code == status
    assert refused.value.response.headers["retry-after"] == "2"
    assert [one.status for one in provider.refused] == [status]
    chat()
    assert len(provider.served) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_a_status_is_answered_as_anthropic_does(
    status: int, kind: str, provider: testing.Provider, message: Any
) -> None:
    provider.fail_next("anthropic", status)
    with pytest.raises(anthropic.APIStatusError) as refused:
        message()
    assert (refused.value.status_code, refused.value.body["error"]["type"]) == (status, kind)  # type: ignore[index]


@pytest.mark.parametrize(
    ("status", "name"), [(429, "ThrottlingException"), (503, "ServiceUnavailableException")]
)
def test_a_status_is_answered_as_bedrock_does(status: int, name: str, provider: testing.Provider) -> None:
    client = boto3.client(
        "bedrock-runtime", endpoint_url=provider.bedrock_url, region_name="r", aws_access_key_id="a",
        aws_secret_access_key="s", config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    provider.fail_next("bedrock", status)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
    client.close()
    assert refused.value.response["Error"]["Code"] == name


def read(answer: Any) -> list[Any]:
    return list(answer)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        pytest.param(Fault.RESET, False, id="before the headers"),
        pytest.param(Fault.CUT, True, id="in the middle"),
    ],
)
def test_a_connection_breaks(
    fault: Fault, provider: testing.Provider, chat: Any, message: Any, *, billed: bool, streamed: bool
) -> None:
    for name, call in (("openai", chat), ("anthropic", message)):
        provider.fail_next(name, fault)
        with pytest.raises(BROKEN):
            read(call(stream=streamed))
    assert len(provider.served) == (2 if billed else 0)
    assert [one.status for one in provider.refused] == ([] if billed else [None, None])
    # The next connection is a sound one.
    chat()
    message()


def take(stream: Any, into: list[Any]) -> None:
    for each in stream:
        into.append(each)  # noqa: PERF402 - what came before it broke counts


def test_a_stream_that_breaks_off_has_sent_its_first_half(provider: testing.Provider, chat: Any) -> None:
    whole = len(read(chat(**STREAMED)))
    provider.fail_next("openai", Fault.CUT)
    got: list[Any] = []
    with pytest.raises(BROKEN):
        take(chat(**STREAMED), got)
    # One part of the stream is `[DONE]`, which the SDK keeps to itself.
    assert len(got) == (whole + 1) // 2


def test_a_truncated_stream_ends_as_if_nothing_were_missing(provider: testing.Provider, chat: Any) -> None:
    provider.fail_next("openai", Fault.TRUNCATED)
    chunks = read(chat(**STREAMED))
    assert chunks
    assert all(chunk.usage is None for chunk in chunks)
    assert len(provider.served) == 1


def test_a_truncated_body_is_half_a_json_text(provider: testing.Provider) -> None:
    provider.fail_next("openai", Fault.TRUNCATED)
    answer = httpx.post(f"{provider.openai_url}/chat/completions", json={"model": "m", "messages": []})
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_provider_that_stalls_says_nothing_and_bills_nothing(provider: testing.Provider, chat: Any) -> None:
    provider.fail_next("openai", Fault.STALL)
    with pytest.raises(openai.APITimeoutError):
        chat(timeout=0.1)
    assert (len(provider.served), [one.status for one in provider.refused]) == (0, [None])


def test_a_slow_first_byte_is_late_and_is_served(provider: testing.Provider, chat: Any) -> None:
    provider.fail_next("openai", Fault.SLOW, slow_s=0.1)
    chat()
    assert provider.served[0].service_s >= 0.1


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_garbage_is_no_json_and_is_not_billed(
    provider: testing.Provider, message: Any, *, streamed: bool
) -> None:
    provider.fail_next("anthropic", Fault.GARBAGE)
    answer = httpx.post(
        f"{provider.anthropic_url}/v1/messages",
        json={"model": "m", "max_tokens": 9, "messages": [], "stream": streamed},
    )
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text.partition("data: ")[2].splitlines()[0] if streamed else answer.text)
    assert (provider.served, [one.status for one in provider.refused]) == ((), [200])


def test_an_answer_without_usage_is_billed_all_the_same(
    provider: testing.Provider, chat: Any, message: Any
) -> None:
    for name in ("openai", "openai", "anthropic"):
        provider.fail_next(name, Fault.NO_USAGE)
    assert chat().usage is None
    assert all(chunk.usage is None for chunk in chat(**STREAMED))
    events = read(message(stream=True))
    assert [getattr(event, "usage", None) for event in events] == [None] * len(events)
    assert [one.usage.output for one in provider.served] == [50, 50, 50]


def test_a_wrong_content_type_is_said_of_a_right_answer(provider: testing.Provider) -> None:
    provider.fail_next("openai", Fault.WRONG_TYPE)
    answer = httpx.post(f"{provider.openai_url}/chat/completions", json={"model": "m", "messages": []})
    assert answer.headers["content-type"] == "text/html"
    assert answer.json()["object"] == "chat.completion"


def test_faults_come_in_the_order_in_which_they_were_ordered_and_a_reset_forgets_them(
    provider: testing.Provider, chat: Any
) -> None:
    provider.fail_next("openai", 503, times=2)
    provider.fail_next("openai", 429)
    for expected in (503, 503, 429):
        with pytest.raises(openai.APIStatusError) as refused:
            chat()
        assert refused.value.status_code == expected
    provider.fail_next("openai", 503)
    provider.reset()
    chat()


@pytest.mark.parametrize(
    ("provider_name", "what", "match"),
    [("opneai", 503, '"opneai" is no provider here'), ("openai", "explode", "explode")],
)
def test_what_cannot_be_ordered_is_refused(
    provider_name: str, what: str | int, match: str, provider: testing.Provider
) -> None:
    with pytest.raises(ValueError, match=match):
        provider.fail_next(provider_name, what)
