"""What the collector is told of calls that ask the cache: the outcome, on the span and in records, and its worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cacheable import CHAT, WAYS, Way
from kept_answers import Remembering
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider_clients import openai_client
from waiting import until

import switchgear as sg
from switchgear import runtime, testing
from switchgear.cache import Look, Outcome
from switchgear.testing import Provider

Configure = Callable[..., TracerProvider]
LLM = {"gen_ai.operation.name": "chat"}


@pytest.fixture
def tracers(configured: Configure, decisions: testing.Engine, cache: Remembering) -> TracerProvider:
    return configured(decisions.url, cache=cache)


@pytest.fixture
def records(tracers: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the SDK's own records say, as they are put into the outbox."""
    assert runtime._runtime is not None
    outbox, told = runtime._runtime.outbox, []
    put = outbox.put

    def kept(span: ReadableSpan) -> None:
        if span.attributes is not None and "switchgear.record" in span.attributes:
            told.append(dict(span.attributes))
        put(span)

    monkeypatch.setattr(outbox, "put", kept)
    return told


def outcomes(told: list[dict[str, Any]]) -> list[Any]:
    return [each.get("switchgear.cache") for each in told]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_an_instrumentation_a_record_says_what_was_served_and_what_that_had_used(
    way: Way, provider: Provider, records: list[dict[str, Any]]
) -> None:
    with sg.task("writer", tenant="acme", tier="interactive", user="u-1") as task:
        for _ in range(2):
            way.ask(provider, cache="exact")
            assert sg.flush()
    asked, served = records
    assert (asked["switchgear.cache"], served["switchgear.cache"]) == ("miss", "exact")
    # All else is alike but what only a call has that was made.
    only_made = {"switchgear.cache", "switchgear.attempt", "switchgear.lease.id", "switchgear.service_tier"}
    assert {name: value for name, value in served.items() if name not in only_made} == {
        name: value for name, value in asked.items() if name not in only_made
    }
    assert (served["switchgear.usage.input_uncached"], served["switchgear.usage.output"]) == (10, 50)
    assert (served["switchgear.tenant"], served["switchgear.workload"], served["switchgear.tier"]) == (
        *("acme", "writer"),
        "interactive",
    )
    assert (served["switchgear.task.id"], served["switchgear.user"]) == (task.id, "u-1")
    assert served["switchgear.attempt"] == 0
    assert "switchgear.lease.id" not in served


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_span_of_an_instrumentation_says_it_and_there_is_no_record(
    stream: bool,  # noqa: FBT001
    provider: Provider,
    tracers: TracerProvider,
    records: list[dict[str, Any]],
    spans: InMemorySpanExporter,
) -> None:
    tracer = tracers.get_tracer("tests")
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        guarded = sg.wrap(client, cache="exact")
        for _ in range(2):
            with tracer.start_as_current_span("call", attributes=LLM):
                answer = guarded.chat.completions.create(**CHAT, stream=stream)
                if stream:
                    list(answer)
            assert sg.flush()
    asked, served = (span.attributes for span in spans.get_finished_spans() if span.name == "call")
    assert asked is not None
    assert served is not None
    assert (asked["switchgear.cache"], served["switchgear.cache"]) == ("miss", "exact")
    assert (asked["switchgear.attempt"], "switchgear.attempt" in served) == (1, False)
    assert "switchgear.lease.id" not in served
    assert records == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("shadow", ["miss", "shadow_same"]),
        ("exact", ["miss", "exact"]),
        ("off", [None, None]),
        (None, [None, None]),
    ],
)
def test_each_record_says_what_became_of_its_call(
    mode: str | None, expected: list[str | None], provider: Provider, records: list[dict[str, Any]]
) -> None:
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        guarded = sg.wrap(client, cache=mode)
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert outcomes(records) == expected


@pytest.mark.parametrize(
    "changed",
    [{"temperature": 1}, {"extra_headers": {"x-switchgear-volatile": "1"}}, {"n": 2}],
    ids=lambda changed: next(iter(changed)),
)
def test_an_unfit_call_says_bypass_where_a_cache_is_asked_for(
    changed: dict[str, Any], provider: Provider, records: list[dict[str, Any]]
) -> None:
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        sg.wrap(client).chat.completions.create(**{**CHAT, **changed})
        sg.wrap(client, cache="on").chat.completions.create(**{**CHAT, **changed})
    assert outcomes(records) == [None, "bypass"]


def test_a_call_that_fails_says_what_was_found(
    provider: Provider, tracers: TracerProvider, spans: InMemorySpanExporter, cache: Remembering
) -> None:
    provider.fail_next("openai", 400)
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        guarded = sg.wrap(client, cache="on")
        with (
            tracers.get_tracer("tests").start_as_current_span("call", attributes=LLM) as span,
            pytest.raises(Exception, match="Refused as ordered"),
        ):
            guarded.chat.completions.create(**CHAT)
    assert span.attributes["switchgear.cache"] == "miss"  # type: ignore[attr-defined]
    until(lambda: cache.learned == [None], "the cache hears that there is no answer")


@pytest.mark.parametrize(
    "way", [WAYS["openai"], WAYS["openai async"], WAYS["anthropic stream"]], ids=["", "async", "stream"]
)
def test_an_audit_says_how_it_ended(
    way: Way, provider: Provider, records: list[dict[str, Any]], cache: Remembering
) -> None:
    cache.looks_by_thread = True
    cache.finds = lambda _: Look(Outcome.AUDIT)
    cache.learn = lambda *_: Outcome.AUDIT_DIFFERENT  # type: ignore[method-assign]
    with sg.task("writer", tenant="acme"):
        way.ask(provider, cache="on")
    assert sg.flush()
    assert outcomes(records) == ["audit_different"]


def test_an_outcome_that_comes_when_the_span_is_over_is_told_by_a_record(
    provider: Provider,
    tracers: TracerProvider,
    records: list[dict[str, Any]],
    spans: InMemorySpanExporter,
    cache: Remembering,
) -> None:
    """Of a stream that is closed at its last event the answer is learned in the background."""
    cache.finds = lambda _: Look(Outcome.AUDIT)
    cache.learn = lambda *_: Outcome.AUDIT_SAME  # type: ignore[method-assign]
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        guarded = sg.wrap(client, cache="on")
        with tracers.get_tracer("tests").start_as_current_span("call", attributes=LLM) as span:
            stream = guarded.chat.completions.create(**CHAT, stream=True)
            first = next(iter(stream))
        stream.close()
        assert sg.flush()
    assert span.attributes["switchgear.cache"] == "audit"  # type: ignore[attr-defined]
    (record,) = records
    assert record["switchgear.cache"] == "audit_same"
    # By either the collector knows that both tell of one call.
    assert record["gen_ai.response.id"] == first.id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"cache= needs a place for the answers; .* sg\.configure\(cache=\.\.\.\) or SWITCHGEAR_CACHE"),
        (None, r"cache= needs a place for the answers"),
    ],
    ids=["configured without", "not configured"],
)
def test_a_cache_that_is_asked_for_and_not_configured_is_an_error_that_says_what_to_do(
    options: dict[str, Any] | None, message: str, provider: Provider, configured: Configure
) -> None:
    if options is not None:
        configured(**options)
    with openai_client(provider) as client:
        with pytest.raises(sg.ConfigError, match=rf"wrap: {message}"):
            sg.wrap(client, cache="exact")
        with pytest.raises(sg.ConfigError, match=rf"http_client: {message}"):
            sg.http_client(for_="openai", cache="on")
        assert sg.wrap(client, cache="off") is client


def test_a_mode_that_there_is_not_is_refused(provider: Provider) -> None:
    with (
        openai_client(provider) as client,
        pytest.raises(sg.ConfigError, match="cache='always' is unknown; there are: off, shadow, exact, on"),
    ):
        sg.wrap(client, cache="always")


def test_with_guarding_off_there_is_no_cache_and_a_warning(
    provider: Provider, configured: Configure, cache: Remembering, caplog: pytest.LogCaptureFixture
) -> None:
    configured(guard=False, cache=cache)
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        guarded = sg.wrap(client, cache="on")
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert (len(provider.served), cache.asked) == (2, [])
    said = [record.getMessage() for record in caplog.records if record.name == "switchgear"]
    assert ["guarding is off" in each for each in said] == [True]


def test_bedrocks_client_can_have_no_cache_and_is_told_which_can(tracers: TracerProvider) -> None:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "bedrock-runtime", region_name="us-east-1", aws_access_key_id="i", aws_secret_access_key="s"
    )
    with pytest.raises(sg.ConfigError, match="for clients of OpenAI's, Anthropic's and Google's SDKs"):
        sg.wrap(client, cache="exact")
    assert sg.wrap(client) is client


def test_what_is_learned_last_is_recorded_before_the_process_ends(
    provider: Provider, tracers: TracerProvider, records: list[dict[str, Any]], cache: Remembering
) -> None:
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        list(sg.wrap(client, cache="on").chat.completions.create(**CHAT, stream=True))
    sg.shutdown(2)
    assert outcomes(records) == ["miss"]
    assert [answer is not None for answer in cache.learned] == [True]
    # It was made elsewhere, and is whoever's made it.
    assert not cache.closed
