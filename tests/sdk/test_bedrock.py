"""boto3's bedrock-runtime client under guard: what is read from its requests, whose retries count, what is billed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from io import BytesIO
from math import inf
from typing import Any

import boto3
import pytest
from answering import answering
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from cloud_clients import CONVERSATION, bedrock_client, message
from cloud_rates import CLAUDE, CLAUDE_STAND_IN, CLOUD_RATES
from opentelemetry.sdk.trace import TracerProvider
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.request import Api, CallRequest, read
from switchgear.testing import Provider
from switchgear.testing.wire.eventstream import frame

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab1"
COST = (10 * Decimal("3.00") + 50 * Decimal("15.00")) / 1_000_000


def call(operation: str = "converse", model: str = CLAUDE, **body: Any) -> CallRequest:
    found = read("aws", "POST", f"/model/{model}/{operation}", json.dumps(body).encode())
    assert found is not None
    return found


def sent(request: CallRequest, **caps: Any) -> Any:
    content = request.rewritten(**caps)
    return None if content is None else json.loads(content)


@pytest.mark.parametrize(
    ("operation", "model", "api"),
    [
        ("converse", CLAUDE, Api.CONVERSE),
        ("converse-stream", CLAUDE, Api.CONVERSE),
        ("invoke", CLAUDE, Api.INVOKE),
        ("invoke-with-response-stream", CLAUDE, Api.INVOKE),
        ("invoke", "amazon.titan-embed-text-v2:0", Api.EMBEDDINGS),
    ],
)
def test_the_path_says_which_model_is_called(operation: str, model: str, api: Api) -> None:
    found = call(operation, model)
    assert (found.api, found.model, found.routed) == (api, model, True)


@pytest.mark.parametrize(
    ("resource", "model"),
    [
        (f"arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE}", CLAUDE),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{CLAUDE}", f"us.{CLAUDE}"),
        (PROFILE, PROFILE),
        (f"global.{CLAUDE}", f"global.{CLAUDE}"),
    ],
)
def test_a_resource_name_that_has_a_model_s_name_is_that_model(resource: str, model: str) -> None:
    assert call(model=resource).model == model


@pytest.mark.parametrize(
    ("operation", "body", "most"),
    [
        ("converse", {}, None),
        ("converse", {"inferenceConfig": {"maxTokens": 100}}, 100),
        ("invoke", {"max_tokens": 100}, 100),
        ("invoke", {"max_gen_len": 100}, 100),
        ("invoke", {"inferenceConfig": {"maxTokens": 100}}, 100),
        ("invoke", {"inferenceConfig": {"max_new_tokens": 100}}, 100),
        ("invoke", {}, None),
    ],
)
def test_the_limit_is_read_where_the_model_s_maker_has_it(
    operation: str, body: dict[str, Any], most: int | None
) -> None:
    assert call(operation, **body).max_output_tokens == most


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({"toolConfig": {"tools": []}}, ["tools"]),
        ({"outputConfig": {"textFormat": {"type": "json_schema"}}}, ["schema"]),
        ({"outputConfig": {"effort": "low"}}, ["thinking"]),
        ({"additionalModelRequestFields": {"thinking": {"type": "enabled"}}}, ["thinking"]),
        ({"inferenceConfig": {"temperature": 0}}, []),
    ],
)
def test_what_a_stand_in_must_be_able_to_do(body: dict[str, Any], needs: list[str]) -> None:
    assert call(**body).needs == needs


def test_a_cache_point_is_written_at_a_higher_rate() -> None:
    assert call(system=[{"cachePoint": {"type": "default"}}]).writes_cache
    assert not call(system=[{"text": '"cachePoint"'}]).writes_cache


def test_a_lower_limit_leaves_all_else_as_it_was() -> None:
    config = {"temperature": 0, "maxTokens": 100}
    assert sent(call(messages=[], inferenceConfig=config), model=CLAUDE_STAND_IN, max_output_tokens=40) == {
        "messages": [],
        "inferenceConfig": {**config, "maxTokens": 40},
    }
    assert sent(call(messages=[]), max_output_tokens=40) == {
        "messages": [],
        "inferenceConfig": {"maxTokens": 40},
    }
    assert sent(call("invoke", max_gen_len=100), max_output_tokens=40) == {"max_gen_len": 40}


def test_a_body_in_its_maker_s_format_goes_to_models_of_that_maker_alone() -> None:
    nova = "amazon.nova-lite-v1:0"
    assert sent(call("invoke", max_tokens=9), model=f"us.{CLAUDE_STAND_IN}") == {"max_tokens": 9}
    assert sent(call("invoke", max_tokens=9), model=nova) is None
    assert sent(call(messages=[]), model=nova) == {"messages": []}
    # Under which name another maker has its limit is not known.
    assert sent(call("invoke", prompt=""), max_output_tokens=40) is None


def test_a_limit_that_thinking_would_use_up_is_not_set() -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    config = {"maxTokens": 4096}
    assert (
        sent(call(inferenceConfig=config, additionalModelRequestFields=thinking), max_output_tokens=2048)
        is None
    )


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_call_is_tried_as_often_as_the_client_says_in_all(
    mode: str, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url)
    provider.fail_next("bedrock", 503, times=5, retry_after_s=0.0)
    client = sg.wrap(bedrock_client(provider, retries={"mode": mode, "total_max_attempts": 2}))

    with sg.task("writer", tenant="acme"), closing(client), pytest.raises(ClientError) as failed:
        client.converse(**CONVERSATION)

    assert failed.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert len(provider.log().refused) == 2


def test_what_is_no_call_is_tried_again_by_botocore_and_not_denied(
    engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    said = {"converse": {"messages": CONVERSATION["messages"]}}
    with answering(b"{}", status=503) as url, sg.task("writer", tenant="acme"):
        client = sg.wrap(bedrock_client(url, retries={"mode": "standard", "total_max_attempts": 2}))
        with closing(client), pytest.raises(ClientError) as failed:
            client.count_tokens(modelId=CLAUDE, input=said)
    assert failed.value.response["ResponseMetadata"]["RetryAttempts"] == 1


def test_nothing_is_billed_that_was_never_sent(engine_of: Engines, configured: Configure) -> None:
    engine = engine_of()
    configured(engine.url, max_retries=0)
    nobody = sg.wrap(bedrock_client("http://127.0.0.1:9"))
    unsigned = sg.wrap(bedrock_client("http://127.0.0.1:9"))
    unsigned._request_signer._credentials = None

    with sg.task("writer", tenant="acme"), closing(nobody), closing(unsigned):
        with pytest.raises(EndpointConnectionError):
            nobody.converse(**CONVERSATION)
        with pytest.raises(NoCredentialsError):
            unsigned.converse(**CONVERSATION)

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the holds are given back")
    assert Decimal(engine.budget()["spent"]) == 0


def test_the_result_says_which_model_it_was_to_be(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="0.04", ladder="[{at: 1%, do: degrade}]")
    configured(engine.url)
    with sg.task("writer", tenant="acme"), closing(sg.wrap(bedrock_client(provider))) as client:
        client.converse(**CONVERSATION)
        until(lambda: Decimal(engine.budget()["spent"]) == COST, "the first call is settled")
        second = client.converse(**CONVERSATION)

    assert second["ResponseMetadata"]["HTTPHeaders"]["x-switchgear-degraded-from"] == CLAUDE


def test_whoever_comes_back_to_a_stream_for_the_rest_pays_what_it_cost(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"), closing(sg.wrap(bedrock_client(provider))) as client:
        stream = client.converse_stream(**CONVERSATION)["stream"]
        assert "messageStart" in next(iter(stream))
        events = list(stream)
        until(lambda: engine.runtime.engine.unbooked.overdue(inf), "the call is settled")

    assert "metadata" in events[-1]
    assert Decimal(engine.budget()["spent"]) == COST


def test_a_body_may_be_a_file(provider: Provider, engine_of: Engines, configured: Configure) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"), closing(sg.wrap(bedrock_client(provider))) as client:
        client.invoke_model(modelId=CLAUDE, body=BytesIO(message()))
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) == COST


def test_where_a_model_s_body_does_not_count_the_headers_do(
    engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    counts = {"x-amzn-bedrock-input-token-count": "7", "x-amzn-bedrock-output-token-count": "3"}
    with testing.provider(headers=counts) as provider, sg.task("writer", tenant="acme"):
        provider.fail_next("bedrock", testing.Fault.NO_USAGE)
        with closing(sg.wrap(bedrock_client(provider))) as client:
            client.invoke_model(modelId=CLAUDE, body=message())

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    rates = CLOUD_RATES[CLAUDE]
    assert Decimal(engine.budget()["spent"]) == (7 * rates.input + 3 * rates.output) / 1_000_000


def test_where_a_model_s_events_do_not_count_the_last_one_s_metrics_do(
    engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    metrics = {"inputTokenCount": 7, "outputTokenCount": 3, "invocationLatency": 1, "firstByteLatency": 1}
    chunks = [{"generation": "well"}, {"generation": "", "amazon-bedrock-invocationMetrics": metrics}]
    with answering(b"".join(map(framed, chunks))) as url, sg.task("writer", tenant="acme"):
        client = sg.wrap(bedrock_client(url))
        with closing(client):
            stream = client.invoke_model_with_response_stream(modelId=CLAUDE, body=b'{"max_gen_len": 9}')[
                "body"
            ]
            assert [json.loads(event["chunk"]["bytes"]) for event in stream] == chunks

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    rates = CLOUD_RATES[CLAUDE]
    assert Decimal(engine.budget()["spent"]) == (7 * rates.input + 3 * rates.output) / 1_000_000


def framed(chunk: dict[str, Any]) -> bytes:
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    content = base64.b64encode(json.dumps(chunk).encode()).decode()
    return frame(headers, json.dumps({"bytes": content}).encode())


def test_a_client_of_another_service_is_refused() -> None:
    with (
        closing(boto3.client("sts", region_name="us-east-1")) as client,
        pytest.raises(sg.ConfigError, match="is no client of"),
    ):
        sg.wrap(client)
