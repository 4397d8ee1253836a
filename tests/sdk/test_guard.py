"""The guard through the real provider SDKs, against a real engine and a local provider."""

from __future__ import annotations

import asyncio
import gc
import http.server
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from math import inf
from typing import Any

import anthropic
import httpx
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import switchgear as sg
from cli.demo import provider as fake
from switchgear.request import read

# 40 characters of input make 10 tokens; the marker fixes the answer's length.
TEXT = "Summarise this. [[demo output=50]]      "
OPENAI = {"model": "gpt-4o", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 100}
ANTHROPIC = {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 100}

MILLION = Decimal(1_000_000)
OPENAI_COST = (10 * Decimal("2.50") + 50 * Decimal("10.00")) / MILLION
ANTHROPIC_COST = (10 * Decimal("1.00") + 50 * Decimal("5.00")) / MILLION

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]
Until = Callable[[Callable[[], bool], str], None]


def openai_client(at: fake.Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=at.base_url_openai, api_key="sk-test")


def anthropic_client(at: fake.Running) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=at.base_url_anthropic, api_key="sk-test")


def async_openai_client(at: fake.Running) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=at.base_url_openai, api_key="sk-test")


def async_anthropic_client(at: fake.Running) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=at.base_url_anthropic, api_key="sk-test")


def openai_call(client: openai.OpenAI) -> None:
    client.chat.completions.create(**OPENAI)


def openai_stream(client: openai.OpenAI) -> None:
    for _ in client.chat.completions.create(**OPENAI, stream=True, stream_options={"include_usage": True}):
        pass


def anthropic_call(client: anthropic.Anthropic) -> None:
    client.messages.create(**ANTHROPIC)


def anthropic_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**ANTHROPIC) as stream:
        stream.until_done()


async def async_openai_call(client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(**OPENAI)


async def async_openai_stream(client: openai.AsyncOpenAI) -> None:
    options = {"include_usage": True}
    async for _ in await client.chat.completions.create(**OPENAI, stream=True, stream_options=options):
        pass


async def async_anthropic_call(client: anthropic.AsyncAnthropic) -> None:
    await client.messages.create(**ANTHROPIC)


async def async_anthropic_stream(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(**ANTHROPIC) as stream:
        await stream.until_done()


WAYS = [
    pytest.param(openai_client, openai_call, OPENAI_COST, id="openai"),
    pytest.param(openai_client, openai_stream, OPENAI_COST, id="openai stream"),
    pytest.param(async_openai_client, async_openai_call, OPENAI_COST, id="openai async"),
    pytest.param(async_openai_client, async_openai_stream, OPENAI_COST, id="openai async stream"),
    pytest.param(anthropic_client, anthropic_call, ANTHROPIC_COST, id="anthropic"),
    pytest.param(anthropic_client, anthropic_stream, ANTHROPIC_COST, id="anthropic stream"),
    pytest.param(async_anthropic_client, async_anthropic_call, ANTHROPIC_COST, id="anthropic async"),
    pytest.param(async_anthropic_client, async_anthropic_stream, ANTHROPIC_COST, id="anthropic async stream"),
]


def run(call: Callable[[Any], Any], client: Any) -> None:
    """Make a sync or async call, and close the client."""

    async def asynchronous() -> None:
        async with client:
            await call(client)

    if asyncio.iscoroutinefunction(call):
        asyncio.run(asynchronous())
    else:
        with client:
            call(client)


def counted(client: Any) -> list[int]:
    """How often the SDK hands a request to its HTTP client: one entry for each of its attempts."""
    attempts: list[int] = []
    inner, send = client._client, client._client.send

    def counting(request: Any, **options: Any) -> Any:
        attempts.append(1)
        return send(request, **options)

    async def counting_async(request: Any, **options: Any) -> Any:
        attempts.append(1)
        return await send(request, **options)

    inner.send = counting_async if asyncio.iscoroutinefunction(send) else counting
    return attempts


@pytest.mark.parametrize(("client_of", "call", "cost"), WAYS)
def test_a_call_is_held_and_then_counted_at_what_it_cost(
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: fake.Running,
    engine_of: Engines,
    configured: Configure,
    until: Until,
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)

    with sg.task("writer", tenant="acme") as root, sg.task("part", tenant="acme") as part:
        run(call, sg.wrap(client_of(provider)))

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) == cost
    # What the ledger is told where the call's span does not come.
    (settlement,) = (each.to_wire() for each in engine.runtime.engine.unbooked.overdue(inf))
    tasks = [settlement[name] for name in ("workload", "task_id", "parent_task_id", "root_task_id")]
    assert tasks == ["part", part.id, root.id, root.id]
    assert settlement["model"] in (OPENAI["model"], ANTHROPIC["model"])
    assert (settlement["usage"]["input_uncached"], settlement["usage"]["output"]) == (10, 50)
    assert settlement["response_id"].startswith(("chatcmpl-", "msg_"))


@pytest.mark.parametrize(("client_of", "call", "cost"), WAYS)
def test_a_denial_reaches_the_caller_as_itself_after_one_attempt(
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: fake.Running,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of(limit="0.000001")
    configured(engine.url)
    client = sg.wrap(client_of(provider))
    attempts = counted(client)

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded) as denied:
        run(call, client)

    assert len(attempts) == 1
    assert provider.log().served == ()
    assert denied.value.policy == "acme-hour"
    assert denied.value.remaining == Decimal("0.000001")


@pytest.mark.parametrize(("client_of", "call", "cost"), WAYS)
def test_a_denial_known_locally_needs_no_round_trip(
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: fake.Running,
    engine_of: Engines,
    configured: Configure,
    until: Until,
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)
    client = sg.wrap(client_of(provider))
    attempts = counted(client)

    with sg.task("writer", tenant="acme") as task:
        until(lambda: task.decision is not None, "the first decision")
        engine.force_open()
        until(lambda: task.decision is not None and task.decision.action == "deny", "the breaker is heard of")
        assert task.wrap_up
        with pytest.raises(sg.BudgetExceeded, match="a test"):
            run(call, client)

    assert len(attempts) == 1
    assert provider.log().served == ()


@pytest.mark.parametrize("for_", ["openai", "anthropic"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_guarded_http_client_keeps_the_sdk_s_own_timeouts_and_limits(
    for_: str, *, asynchronous: bool
) -> None:
    sdk: Any = {"openai": openai, "anthropic": anthropic}[for_]
    own = sdk.DefaultAsyncHttpxClient() if asynchronous else sdk.DefaultHttpxClient()
    guarded = sg.http_client(for_=for_, asynchronous=asynchronous)

    assert isinstance(guarded, type(own))
    assert guarded.timeout == own.timeout
    assert guarded.timeout.read == 600
    assert guarded._transport._pool._max_connections == own._transport._pool._max_connections == 1000
    for client in (own, guarded):
        asyncio.run(client.aclose()) if asynchronous else client.close()


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_an_sdk_client_takes_the_guarded_http_client(
    kind: str, provider: fake.Running, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="0.000001")
    configured(engine.url)
    with sg.http_client(for_=kind) as http, sg.task("writer", tenant="acme"):
        if kind == "openai":
            client: Any = openai.OpenAI(
                base_url=provider.base_url_openai, api_key="sk-test", http_client=http
            )
        else:
            client = anthropic.Anthropic(
                base_url=provider.base_url_anthropic, api_key="sk-test", http_client=http
            )
        with pytest.raises(sg.BudgetExceeded):
            (openai_call if kind == "openai" else anthropic_call)(client)
    assert provider.log().served == ()


def test_each_attempt_has_its_own_hold_and_the_span_says_which(
    provider: fake.Running,
    engine_of: Engines,
    configured: Configure,
    spans: InMemorySpanExporter,
    until: Until,
) -> None:
    engine = engine_of()
    tracer = configured(engine.url).get_tracer("tests")
    provider.refuse_next("openai", times=1, retry_after_s=0.01)

    with (
        sg.task("writer", tenant="acme"),
        tracer.start_as_current_span("call"),
        openai_client(provider) as client,
    ):
        openai_call(sg.wrap(client))

    until(lambda: Decimal(engine.budget()["held"]) == 0, "both holds are given back or settled")
    assert Decimal(engine.budget()["spent"]) == OPENAI_COST
    (span,) = (each for each in spans.get_finished_spans() if each.name == "call")
    assert span.attributes is not None
    assert span.attributes["switchgear.attempt"] == 2
    assert str(span.attributes["switchgear.lease.id"]).endswith(":1")


def test_a_stream_that_is_left_early_counts_at_its_hold(
    provider: fake.Running, engine_of: Engines, configured: Configure, until: Until
) -> None:
    engine = engine_of()
    configured(engine.url)

    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        stream = sg.wrap(client).chat.completions.create(**OPENAI, stream=True)
        next(iter(stream))
        held = Decimal(engine.budget()["held"])
        stream.close()

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    # What was sent cannot be known, and the provider may bill all of it.
    assert Decimal(engine.budget()["spent"]) == held > OPENAI_COST


def test_near_its_ceiling_an_interactive_call_goes_out_to_the_declared_stand_in(
    provider: fake.Running, engine_of: Engines, configured: Configure, until: Until
) -> None:
    engine = engine_of(limit="0.0300", ladder="[{at: 1%, do: degrade}]")
    configured(engine.url)

    with sg.task("writer", tenant="acme", tier="interactive"), openai_client(provider) as client:
        guarded = sg.wrap(client)
        first = guarded.chat.completions.create(**OPENAI)
        until(lambda: Decimal(engine.budget()["spent"]) == OPENAI_COST, "the first call is settled")
        second = guarded.chat.completions.create(**OPENAI)
        needs_tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
        third = guarded.chat.completions.create(**OPENAI, tools=needs_tools)

    # 1 % of 0.03 is 0.0003; the first call has cost 0.000525. The stand-in is not declared to know tools.
    assert [first.model, second.model, third.model] == ["gpt-4o", "gpt-4o-mini", "gpt-4o"]


def test_an_engine_that_is_away_never_stops_an_agent(
    provider: fake.Running, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured("http://127.0.0.1:9")
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client)
        openai_call(guarded)
        openai_call(guarded)

    assert len(provider.log().served) == 2
    assert [r.message for r in caplog.records].count(
        "the policy engine is away: calls go out without a hold"
    ) == 1


def test_a_budget_in_code_lowers_the_ceiling_of_its_task(
    provider: fake.Running, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url)
    with (
        openai_client(provider) as client,
        sg.task("writer", tenant="acme", budget="0.0001 USD"),
        pytest.raises(sg.BudgetExceeded, match="task budget"),
    ):
        openai_call(sg.wrap(client))


def test_a_budget_that_the_engine_cannot_use_lifts_no_ceiling(
    provider: fake.Running, engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured(engine_of(limit="0.000001").url)
    with (
        openai_client(provider) as client,
        sg.task("writer", tenant="acme", budget="5 EUR"),
        pytest.raises(sg.BudgetExceeded, match="acme-hour"),
    ):
        openai_call(sg.wrap(client))
    assert any('"5 EUR" is not in the policies' in record.getMessage() for record in caplog.records)


def test_a_call_outside_any_task_is_made_but_not_guarded(
    provider: fake.Running, engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured(engine_of(limit="0.000001").url)
    with openai_client(provider) as client:
        openai_call(sg.wrap(client))
    assert len(provider.log().served) == 1
    assert any("outside any task is not guarded" in r.message for r in caplog.records)


def test_wrapping_twice_changes_nothing(provider: fake.Running) -> None:
    with openai_client(provider) as client:
        send = sg.wrap(client)._client.send
        assert sg.wrap(client)._client.send is send


def test_a_client_whose_calls_would_pass_unseen_is_refused() -> None:
    with (
        anthropic.AnthropicVertex(region="r", project_id="p", access_token="t") as vertex,
        pytest.raises(sg.ConfigError, match="AnthropicVertex is no client of anthropic or openai"),
    ):
        sg.wrap(vertex)


def test_a_client_class_of_one_s_own_is_guarded(
    provider: fake.Running, engine_of: Engines, configured: Configure
) -> None:
    class Mine(openai.OpenAI):
        pass

    configured(engine_of(limit="0.000001").url)
    with (
        Mine(base_url=provider.base_url_openai, api_key="sk-test") as client,
        sg.task("writer", tenant="acme"),
        pytest.raises(sg.BudgetExceeded),
    ):
        openai_call(sg.wrap(client))


def test_a_client_of_another_kind_is_refused() -> None:
    with pytest.raises(sg.ConfigError, match=r"builtins\.dict is no client of anthropic or openai"):
        sg.wrap({})


@pytest.mark.parametrize("granted", [0, 1], ids=["at once", "after the grants came"])
def test_cancelled_calls_leave_no_hold(
    provider: fake.Running, engine_of: Engines, configured: Configure, until: Until, granted: int
) -> None:
    engine = engine_of()
    configured(engine.url)

    async def agent() -> None:
        async with async_openai_client(provider) as client, sg.task("writer", tenant="acme"):
            create = sg.wrap(client).chat.completions.create
            calls = [asyncio.create_task(create(**OPENAI)) for _ in range(40)]
            await asyncio.sleep(0.01)
            # The agent's own loop is busy: grants arrive, and nobody has taken them when the calls are cancelled.
            until(lambda: engine.budget()["calls_in_flight"] >= granted, "the engine has granted")
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(agent())
    until(lambda: engine.budget()["calls_in_flight"] == 0, "every hold is given back or settled")


@pytest.mark.parametrize("read", [0, 1], ids=["unread", "left in the middle"])
@pytest.mark.parametrize(
    ("client_of", "create"),
    [
        (openai_client, lambda client: client.chat.completions.create(**OPENAI, stream=True)),
        (anthropic_client, lambda client: client.messages.create(**ANTHROPIC, stream=True)),
    ],
    ids=["openai", "anthropic"],
)
def test_a_stream_that_is_dropped_without_being_closed_is_settled(
    client_of: Any,
    create: Any,
    read: int,
    provider: fake.Running,
    engine_of: Engines,
    configured: Configure,
    until: Until,
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"), client_of(provider) as client:
        stream = create(sg.wrap(client))
        for _ in range(read):
            next(iter(stream))
        assert engine.budget()["calls_in_flight"] == 1
        del stream
        gc.collect()
        until(lambda: engine.budget()["calls_in_flight"] == 0, "the hold is settled")


@pytest.mark.parametrize(
    "odd",
    [{"usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": [1]}}, {"model": 7}],
    ids=["usage", "model"],
)
def test_an_odd_answer_of_the_provider_reaches_the_agent_and_is_settled(
    odd: dict[str, Any], engine_of: Engines, configured: Configure, until: Until
) -> None:
    engine = engine_of()
    configured(engine.url)
    answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [], **odd}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with httpx.Client(transport=transport) as http, sg.task("writer", tenant="acme"):
        client = sg.wrap(openai.OpenAI(api_key="sk-test", http_client=http))
        assert client.chat.completions.create(**OPENAI).id == "x"
    until(lambda: engine.budget()["calls_in_flight"] == 0, "the hold is settled")


def test_a_denial_comes_back_from_another_process(
    provider: fake.Running, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    with (
        openai_client(provider) as client,
        sg.task("writer", tenant="acme"),
        pytest.raises(sg.BudgetExceeded) as denied,
    ):
        openai_call(sg.wrap(client))
    back = pickle.loads(pickle.dumps(denied.value))  # noqa: S301 - its own
    assert isinstance(back, sg.BudgetExceeded)
    assert back.decision == denied.value.decision


@contextmanager
def engine_that_answers(body: bytes | None) -> Iterator[str]:
    """An engine that answers everything with `body`, or (None) nothing at all until the end."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if body is None:
                over.wait()
                return
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            serving.join()


def nonsense() -> list[Any]:
    decision = {
        "id": "d",
        "action": "allow",
        "reason": "",
        "version": 1,
        "valid_until": "2099-01-01T00:00:00Z",
    }
    bad = [
        {"remaining": "much"},
        {"caps": "none"},
        {"action": "perhaps"},
        {"action": "deny", "valid_until": "2099-01-01"},
    ]
    answers = [{"decision": {**decision, **part}, "grant": None, "etag": "e"} for part in bad]
    return [*answers, [], None, "ok"]


@pytest.mark.parametrize("answer", nonsense())
def test_an_engine_that_answers_nonsense_never_stops_an_agent(
    answer: Any, provider: fake.Running, configured: Configure
) -> None:
    with engine_that_answers(json.dumps(answer).encode()) as url, openai_client(provider) as client:
        configured(url)
        with sg.task("writer", tenant="acme"):
            openai_call(sg.wrap(client))
        sg.shutdown(0.2)
    assert len(provider.log().served) == 1


def test_an_engine_that_is_silent_holds_up_one_call_and_not_each(
    provider: fake.Running, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time-out of a question is two seconds over this.
    monkeypatch.setattr("switchgear.control._ASK_WAIT_S", -1.5)
    with engine_that_answers(None) as url, openai_client(provider) as client:
        configured(url)
        guarded = sg.wrap(client)
        began = time.monotonic()
        with sg.task("writer", tenant="acme"):
            for _ in range(20):
                openai_call(guarded)
        took = time.monotonic() - began
        sg.shutdown(0.2)
    assert len(provider.log().served) == 20
    assert took < 3


def test_a_degraded_request_keeps_text_that_is_no_unicode() -> None:
    content = json.dumps({**OPENAI, "messages": [{"role": "user", "content": "\ud800"}]}).encode()
    call = read("openai", "POST", "/v1/chat/completions", content)
    assert call is not None
    assert json.loads(call.with_model("gpt-4o-mini")) == {**json.loads(content), "model": "gpt-4o-mini"}
