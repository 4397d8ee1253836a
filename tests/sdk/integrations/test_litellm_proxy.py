"""LiteLLM's proxy with our callback, as a process, between the local provider and a real engine."""

from __future__ import annotations

import gzip
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import yaml
from litellm_proxy import ENVIRONMENT, proxy
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from provider_clients import MILLION, TEXT
from serving import PLAIN, Serving
from sinks import HttpSink
from waiting import until

from cli.demo.rates import RATES, bill
from collector.pricing import Quote
from policies.service import create_app
from switchgear import testing
from switchgear.usage import Usage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ENVIRONMENT / ".ready").exists(), reason="LiteLLM is not installed: make test-litellm"
    ),
]

# Each tenant has a ceiling of its own name; so that one test leaves the others' alone, each has its tenants.
TENANTS = {
    **dict.fromkeys(("chat", "stream", "messages", "retried", "fallback", "left", "said", "away"), "100"),
    "poor": "0.00000001",
    "short": "100",
}
POLICY = """
version: 1
currency: USD
tenants:
{tenants}
ceilings:
{ceilings}
  - {{name: narrow, scope: {{tenant: narrow}}, limit: 0.03 USD, window: 1h,
      ladder: [{{at: 1%, do: degrade}}]}}
""".format(
    tenants="\n".join(f"  {each}: {{}}" for each in TENANTS)
    + "\n  narrow: {workloads: {bot: {degrade: [{from: gpt-4o, to: gpt-4o-mini}]}}}",
    ceilings="\n".join(
        f"  - {{name: {each}, scope: {{tenant: {each}}}, limit: {limit} USD, window: 1h}}"
        for each, limit in TENANTS.items()
    ),
)
CALLBACK = """
from switchgear.integrations.litellm import Callback

callback = Callback(tenants={"mapped": "said"}, trusts=("metadata",))
"""
MESSAGES = [{"role": "user", "content": TEXT}]
# 40 characters are 10 tokens; the marker in them asks for 50.
GPT_4O = (10 * Decimal("2.50") + 50 * Decimal("10.00")) / MILLION
GPT_4O_MINI = (10 * Decimal("0.15") + 50 * Decimal("0.60")) / MILLION
HAIKU = (10 * Decimal("1.00") + 50 * Decimal("5.00")) / MILLION


@dataclass
class Running:
    url: str
    provider: testing.Provider
    engine: httpx.Client
    collector: HttpSink
    stop_engine: Callable[[], None]
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False, verify=PLAIN)

    def chat(self, team: str, model: str = "gpt-4o", key: str = "bot", **more: Any) -> httpx.Response:
        body = {"model": model, "messages": MESSAGES, "max_tokens": 100, **more}
        return self.post("/v1/chat/completions", team, body, key)

    def post(self, path: str, team: str, body: Mapping[str, Any], key: str = "bot") -> httpx.Response:
        return self.client.post(path, json=dict(body), headers={"authorization": f"Bearer sk-{team}-{key}"})

    def budget(self, tenant: str) -> dict[str, Any]:
        found = self.engine.get("/v1/budgets").json()["budgets"]
        return next(budget for budget in found if budget["ceiling"] == tenant)

    def spends(self, tenant: str, amount: Decimal) -> None:
        """Wait until so much was spent, and nothing is held."""
        until(
            lambda: (
                Decimal(self.budget(tenant)["spent"]) == amount and Decimal(self.budget(tenant)["held"]) == 0
            ),
            f"{tenant} has spent {amount} and holds nothing",
        )

    def records(self, tenant: str) -> list[dict[str, Any]]:
        return [record for record in _records(self.collector) if record["switchgear.tenant"] == tenant]


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    cost = bill(model, usage, RATES) if model in RATES else None
    return Quote(cost, "USD" if cost is not None else None, "the fake provider's own rates")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("litellm")
    (home / "policies.yaml").write_text(POLICY)
    app = create_app(policy_file=home / "policies.yaml", data=home, price=price, collector=None)
    with ExitStack() as stack:
        provider = stack.enter_context(testing.provider(latency=testing.Latency(0.0, 0.0005)))
        collector = HttpSink()
        stack.callback(collector.close)
        engine = stack.enter_context(Serving(app))
        client = stack.enter_context(engine.client())
        openai = {"api_base": provider.openai_url, "api_key": "sk-test"}
        models = {
            "gpt-4o": {"model": "openai/gpt-4o", **openai},
            "mini": {"model": "openai/gpt-4o-mini", **openai},
            "haiku": {
                "model": "anthropic/claude-haiku-4-5", "api_base": provider.anthropic_url, "api_key": "sk-test"
            },
        }  # fmt: skip
        router = {"num_retries": 2, "retry_after": 0, "fallbacks": [{"gpt-4o": ["mini"]}]}
        url = stack.enter_context(
            proxy(
                home / "proxy",
                models,
                router,
                CALLBACK,
                policies=engine.url,
                collector=collector.url.removesuffix("/hook"),
            )
        )
        made = Running(url, provider, client, collector, engine.stop)
        stack.callback(made.client.close)
        yield made


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("running").provider.reset()


def _records(collector: HttpSink) -> Iterator[dict[str, Any]]:
    for posted in collector.posted:
        packed = posted.headers.get("content-encoding") == "gzip"
        exported = ExportTraceServiceRequest.FromString(
            gzip.decompress(posted.body) if packed else posted.body
        )
        for resource in exported.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield {
                        each.key: each.value.string_value or each.value.int_value for each in span.attributes
                    }


def test_an_allowed_call_is_held_settled_exactly_and_told_of(running: Running) -> None:
    answer = running.chat("chat")
    assert answer.status_code == 200
    running.spends("chat", GPT_4O)
    until(lambda: running.records("chat"), "the record of chat")
    (record,) = running.records("chat")
    told = {
        "switchgear.workload": "bot",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.response.id": running.provider.served[0].id,
        "switchgear.attempt": 1,
        "switchgear.usage.input_uncached": 10,
        "switchgear.usage.output": 50,
    }
    assert told.items() <= record.items()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_denied_call_reaches_no_provider_no_retry_and_no_fallback(
    running: Running, *, streamed: bool
) -> None:
    answer = running.chat("poor", stream=streamed)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (402, "false")
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("budget_exceeded", "402")
    assert "poor" in error["message"]
    assert error["provider_specific_fields"]["switchgear"]["action"] == "deny"
    assert (running.provider.served, running.provider.refused) == ((), ())


def test_a_stream_settles_at_its_end(running: Running) -> None:
    answer = running.chat("stream", stream=True)
    assert answer.text.rstrip().endswith("data: [DONE]")
    running.spends("stream", GPT_4O)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/messages", {"messages": MESSAGES, "max_tokens": 100}, id="messages"),
        pytest.param(
            "/v1/messages", {"messages": MESSAGES, "max_tokens": 100, "stream": True}, id="streamed"
        ),
        pytest.param("/v1/responses", {"input": TEXT, "max_output_tokens": 100}, id="responses, translated"),
    ],
)
def test_other_formats_settle_exactly_too(running: Running, path: str, body: dict[str, Any]) -> None:
    before = Decimal(running.budget("messages")["spent"])
    assert running.post(path, "messages", {"model": "haiku", **body}).status_code == 200
    running.spends("messages", before + HAIKU)


def test_responses_and_messages_to_openai_are_one_attempt_each(running: Running) -> None:
    before = Decimal(running.budget("messages")["spent"])
    running.post("/v1/responses", "messages", {"model": "gpt-4o", "input": TEXT, "max_output_tokens": 100})
    running.post("/v1/messages", "messages", {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 100})
    running.spends("messages", before + 2 * GPT_4O)
    until(
        lambda: len([r for r in running.records("messages") if r["gen_ai.request.model"] == "gpt-4o"]) == 2,
        "both records",
    )
    assert {r["switchgear.attempt"] for r in running.records("messages")} == {1}


def test_litellm_s_retries_are_attempts_of_one_call(running: Running) -> None:
    running.provider.fail_next("openai", 429, retry_after_s=0.01)
    assert running.chat("retried", "mini").status_code == 200
    running.spends("retried", GPT_4O_MINI)
    until(lambda: running.records("retried"), "the record of retried")
    assert [record["switchgear.attempt"] for record in running.records("retried")] == [2]


def test_a_fallback_is_held_and_settled_as_the_model_that_it_is(running: Running) -> None:
    running.provider.fail_next("openai", 500, times=3)
    assert running.chat("fallback").status_code == 200
    running.spends("fallback", GPT_4O_MINI)
    until(lambda: running.records("fallback"), "the record of fallback")
    (record,) = running.records("fallback")
    assert (record["gen_ai.request.model"], record["switchgear.attempt"]) == ("gpt-4o-mini", 4)


def test_a_denial_between_attempts_ends_retries_and_fallbacks(
    running: Running,
) -> None:
    running.provider.fail_next("openai", 429, retry_after_s=1.0)
    body = {"ceiling": "short", "do": "open", "by": "ann", "reason": "a test"}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(running.chat, "short")
        until(lambda: running.provider.refused, "the first attempt is refused by the provider")
        running.engine.post("/v1/breakers", json=body).raise_for_status()
        answer = asked.result()
    assert (answer.status_code, answer.json()["error"]["type"]) == (402, "budget_exceeded")
    assert (len(running.provider.refused), running.provider.served) == (1, ())


def test_a_degraded_call_goes_to_the_declared_model_and_says_so(running: Running) -> None:
    first = running.chat("narrow")
    assert "x-switchgear-degraded-from" not in first.headers
    # 0.000525 of 0.03: more than a hundredth.
    running.spends("narrow", GPT_4O)
    second = running.chat("narrow")
    assert second.headers["x-switchgear-degraded-from"] == "gpt-4o"
    assert [served.model for served in running.provider.served] == ["gpt-4o", "gpt-4o-mini"]
    running.spends("narrow", GPT_4O + GPT_4O_MINI)


def test_a_stream_that_its_client_leaves_counts_at_its_hold(running: Running) -> None:
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "[[demo output=2000]]"}],
        "max_tokens": 2000,
        "stream": True,
    }
    headers = {"authorization": "Bearer sk-left-bot"}
    with running.client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        next(answer.iter_lines())
    until(lambda: Decimal(running.budget("left")["spent"]) > 0, "the hold is counted")
    until(lambda: running.records("left"), "the record of left")
    # What LiteLLM counted of it was never the provider's to bill.
    assert "switchgear.usage.output" not in running.records("left")[0]


def test_trusted_metadata_and_mapped_keys_name_the_tenant(running: Running) -> None:
    named = {"switchgear_tenant": "said", "switchgear_workload": "nightly", "switchgear_task": "run-1"}
    running.chat("chat", metadata=named)
    running.chat("", key="mapped")
    running.spends("said", 2 * GPT_4O)
    until(lambda: len(running.records("said")) == 2, "both records")
    assert {
        (record["switchgear.workload"], record.get("switchgear.task.id"))
        for record in running.records("said")
    } == {("nightly", "run-1"), ("mapped", None)}


def test_a_key_without_a_tenant_is_answered_all_the_same(running: Running) -> None:
    assert running.chat("", key="nobody").status_code == 200


def test_with_the_engine_away_calls_are_answered(running: Running) -> None:
    running.stop_engine()
    began = time.monotonic()
    assert running.chat("away").status_code == 200
    assert running.chat("away", stream=True).status_code == 200
    assert time.monotonic() - began < 5
    assert len(running.provider.served) == 2


def test_the_example_s_callback_is_one_that_litellm_finds() -> None:
    config = ENVIRONMENT.parents[1] / "examples" / "litellm" / "config.yaml"
    named = yaml.safe_load(config.read_text())["litellm_settings"]["callbacks"]
    program = (
        "import sys; from litellm.proxy.types_utils.utils import get_instance_fn as find; "
        "print(type(find(*sys.argv[1:])).__name__, find(*sys.argv[1:]) is find(*sys.argv[1:]))"
    )
    command = [ENVIRONMENT / "bin" / "python", "-c", program, named, config]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.split() == ["Callback", "True"]
