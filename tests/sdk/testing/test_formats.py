"""Every format of the fake provider, as the provider's own SDK reads it: what it says is used is what was billed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import anthropic
import boto3
import httpx
import openai
import pytest
from anthropic.types import Message
from botocore.config import Config
from google import genai
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from switchgear import testing
from switchgear.usage import Usage, from_response

WEATHER = {
    "type": "object",
    "properties": {"place": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["place", "days"],
}
ARGUMENTS = {"place": "Bern [CH]", "days": 2}
ORDER = f"How is it? [[demo output=30 tool=weather args={json.dumps(ARGUMENTS)}]]"
BEDROCK_MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"


class Clients(NamedTuple):
    """The providers' own clients, for one fake provider."""

    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    google: genai.Client
    bedrock: Any


class Asked(NamedTuple):
    """What a property asks of any provider."""

    marker: str
    text: str
    maximum: int
    streamed: bool

    @property
    def prompt(self) -> str:
        return f"{self.text} {self.marker}"


class Got(NamedTuple):
    """What came of it, as the SDK has it: text, why it ended, and the usage as we read it."""

    text: str
    why: str
    usage: Usage | None


@pytest.fixture(scope="module")
def provider() -> Iterator[testing.Provider]:
    with testing.provider() as running:
        yield running


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture(scope="module")
def clients(provider: testing.Provider) -> Iterator[Clients]:
    bedrock = boto3.client(
        "bedrock-runtime",
        endpoint_url=provider.bedrock_url,
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="none",
        config=Config(retries={"max_attempts": 0}),
    )
    google = genai.Client(api_key="key", http_options={"base_url": provider.google_url})
    with (
        openai.OpenAI(base_url=provider.openai_url, api_key="k", max_retries=0) as one,
        anthropic.Anthropic(base_url=provider.anthropic_url, api_key="k", max_retries=0) as other,
    ):
        yield Clients(one, other, google, bedrock)
    google.close()
    bedrock.close()


def chat(clients: Clients, asked: Asked) -> Got:
    messages: Any = [{"role": "user", "content": asked.prompt}]
    create = clients.openai.chat.completions.create
    if not asked.streamed:
        raw = clients.openai.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=messages, max_completion_tokens=asked.maximum
        )
        answer = ChatCompletion.model_validate_json(raw.text)
        choice = answer.choices[0]
        usage = from_response("openai", json.loads(raw.text))
        return Got(choice.message.content or "", choice.finish_reason, usage)
    chunks = list(
        create(
            model="gpt-4o", messages=messages, max_completion_tokens=asked.maximum, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    *body, ending, counting = chunks
    assert counting.usage is not None
    text = "".join(chunk.choices[0].delta.content or "" for chunk in body)
    usage = from_response("openai", {"usage": counting.usage.model_dump(exclude_none=True)})
    return Got(text, str(ending.choices[0].finish_reason), usage)


def responses(clients: Clients, asked: Asked) -> Got:
    if asked.streamed:
        with clients.openai.responses.stream(
            model="gpt-4o", input=asked.prompt, max_output_tokens=asked.maximum
        ) as events:
            *_, last = list(events)
        body = last.response.model_dump(exclude_none=True)  # type: ignore[union-attr]
    else:
        raw = clients.openai.responses.with_raw_response.create(
            model="gpt-4o", input=asked.prompt, max_output_tokens=asked.maximum
        )
        body = json.loads(raw.text)
    answer = Response.model_validate(body)
    why = answer.incomplete_details.reason if answer.incomplete_details else answer.status
    return Got(answer.output_text, str(why), from_response("openai", body))


def messages(clients: Clients, asked: Asked) -> Got:
    wanted: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": asked.maximum,
        "messages": [{"role": "user", "content": asked.prompt}],
    }
    if asked.streamed:
        with clients.anthropic.messages.stream(**wanted) as events:
            message: Message = events.get_final_message()
    else:
        raw = clients.anthropic.messages.with_raw_response.create(**wanted)
        message = Message.model_validate_json(raw.text())
    (block,) = message.content
    assert block.type == "text"
    usage = from_response("anthropic", message.model_dump(exclude_none=True))
    return Got(block.text, str(message.stop_reason), usage)


def gemini(clients: Clients, asked: Asked) -> Got:
    config = genai.types.GenerateContentConfig(max_output_tokens=asked.maximum)
    wanted: Any = {"model": "gemini-2.5-flash", "contents": asked.prompt, "config": config}
    models = clients.google.models
    parts = (
        list(models.generate_content_stream(**wanted))
        if asked.streamed
        else [models.generate_content(**wanted)]
    )
    last = parts[-1]
    assert last.candidates is not None
    usage = from_response("google", last.model_dump(by_alias=True, exclude_none=True, mode="json"))
    why = last.candidates[0].finish_reason
    return Got("".join(part.text or "" for part in parts), why.value if why else "", usage)


def converse(clients: Clients, asked: Asked) -> Got:
    wanted = {
        "modelId": BEDROCK_MODEL,
        "messages": [{"role": "user", "content": [{"text": asked.prompt}]}],
        "inferenceConfig": {"maxTokens": asked.maximum},
    }
    if not asked.streamed:
        whole = clients.bedrock.converse(**wanted)
        (block,) = whole["output"]["message"]["content"]
        return Got(block["text"], whole["stopReason"], from_response("bedrock", whole))
    text, why, usage = "", "", None
    for event in clients.bedrock.converse_stream(**wanted)["stream"]:
        text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
        why = event.get("messageStop", {}).get("stopReason", why)
        if "metadata" in event:
            usage = from_response("bedrock", event["metadata"])
    return Got(text, why, usage)


def invoke(clients: Clients, asked: Asked) -> Got:
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": asked.maximum,
        "messages": [{"role": "user", "content": asked.prompt}],
    }
    if not asked.streamed:
        whole = clients.bedrock.invoke_model(modelId=BEDROCK_MODEL, body=json.dumps(body))
        message = Message.model_validate_json(whole["body"].read())
        (block,) = message.content
        assert block.type == "text"
        usage = from_response("anthropic", message.model_dump(exclude_none=True))
        return Got(block.text, str(message.stop_reason), usage)
    text, why, counts = "", "", {}
    stream = clients.bedrock.invoke_model_with_response_stream(modelId=BEDROCK_MODEL, body=json.dumps(body))
    for event in stream["body"]:
        said = json.loads(event["chunk"]["bytes"])
        text += said.get("delta", {}).get("text", "")
        why = said.get("delta", {}).get("stop_reason", why)
        counts |= said.get("message", said).get("usage", {})
    return Got(text, why, from_response("anthropic", {"usage": counts}))


FORMATS = {
    "chat": (chat, "length"),
    "responses": (responses, "max_output_tokens"),
    "messages": (messages, "max_tokens"),
    "gemini": (gemini, "MAX_TOKENS"),
    "converse": (converse, "max_tokens"),
    "invoke": (invoke, "max_tokens"),
}
COUNTS = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(0, 300) for name in ("output", "cached", "reasoning", "write_5m", "write_1h")
    },
)
MARKERS = COUNTS.map(
    lambda counts: (
        f"[[demo {' '.join(f'{name}={count}' for name, count in counts.items())}]]" if counts else ""
    )
)
ASKED = st.builds(
    Asked,
    MARKERS,
    st.text(max_size=200).filter(lambda text: "[[" not in text),
    st.integers(1, 500),
    st.booleans(),
)


@pytest.mark.parametrize("name", FORMATS)
@given(asked=ASKED)
@settings(max_examples=25, deadline=None)
def test_whatever_is_asked_the_sdk_reads_an_answer_whose_usage_is_what_was_billed(
    name: str, asked: Asked, provider: testing.Provider, clients: Clients
) -> None:
    call, cut = FORMATS[name]
    provider.reset()
    got = call(clients, asked)
    (served,) = provider.served
    assert got.usage == served.usage
    assert served.usage.output <= asked.maximum
    assert served.usage.input_total == max(1, len(asked.prompt) // 4)
    if got.why == cut:
        assert served.usage.output == asked.maximum
    assert got.text.split()[0] == "word"


@given(
    texts=st.lists(
        st.text(min_size=1, max_size=40).filter(lambda text: "[[" not in text), min_size=1, max_size=4
    ),
    size=st.integers(1, 64),
    coded=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_any_texts_are_embedded_each_as_a_vector_of_length_one(
    texts: list[str], size: int, provider: testing.Provider, clients: Clients, *, coded: bool
) -> None:
    provider.reset()
    wanted: Any = {"model": "text-embedding-3-small", "input": texts, "dimensions": size}
    if coded:
        found = clients.openai.embeddings.create(**wanted)
    else:
        raw = clients.openai.embeddings.with_raw_response.create(**wanted, encoding_format="float")
        found = CreateEmbeddingResponse.model_validate_json(raw.text)
    assert [each.index for each in found.data] == list(range(len(texts)))
    for each in found.data:
        assert len(each.embedding) == size
        assert sum(value * value for value in each.embedding) == pytest.approx(1, abs=1e-5)
    (served,) = provider.served
    assert served.usage == Usage(input_uncached=found.usage.prompt_tokens)


def test_texts_that_share_words_are_nearer_than_those_that_do_not(clients: Clients) -> None:
    found = clients.openai.embeddings.create(
        model="text-embedding-3-small", input=["the tide comes in", "the tide goes out", "nine iron bolts"]
    )
    first, second, third = (each.embedding for each in found.data)

    def near(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    # Two of four words are the same.
    assert near(first, second) == pytest.approx(2 / 4, abs=0.01)
    assert near(first, third) == pytest.approx(0, abs=0.01)


def chat_tools(clients: Clients, result: str | None, *, streamed: bool) -> tuple[list[tuple[str, Any]], str]:
    asking: list[Any] = [{"role": "user", "content": ORDER}]
    if result is not None:
        call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        asking += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": result},
        ]
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    if streamed:
        with clients.openai.chat.completions.stream(model="gpt-4o", messages=asking, tools=tools) as events:
            answer: Any = events.get_final_completion()
    else:
        answer = clients.openai.chat.completions.create(model="gpt-4o", messages=asking, tools=tools)
    message = answer.choices[0].message
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    assert answer.choices[0].finish_reason == ("tool_calls" if calls else "stop")
    return calls, message.content or ""


def responses_tools(
    clients: Clients, result: str | None, *, streamed: bool
) -> tuple[list[tuple[str, Any]], str]:
    asking: list[Any] = [{"role": "user", "content": ORDER}]
    if result is not None:
        asking += [
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": result},
        ]
    tools: Any = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
    if streamed:
        with clients.openai.responses.stream(model="gpt-4o", input=asking, tools=tools) as events:
            answer: Any = events.get_final_response()
    else:
        answer = clients.openai.responses.create(model="gpt-4o", input=asking, tools=tools)
    calls = [
        (item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"
    ]
    return calls, answer.output_text


def messages_tools(
    clients: Clients, result: str | None, *, streamed: bool
) -> tuple[list[tuple[str, Any]], str]:
    asking: list[Any] = [{"role": "user", "content": ORDER}]
    if result is not None:
        told = {"type": "tool_result", "tool_use_id": "t1", "content": result}
        asking += [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}],
            },
            {"role": "user", "content": [told]},
        ]
    wanted: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": asking,
        "tools": [{"name": "weather", "input_schema": WEATHER}],
    }
    if streamed:
        with clients.anthropic.messages.stream(**wanted) as events:
            message: Any = events.get_final_message()
    else:
        message = clients.anthropic.messages.create(**wanted)
    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == ("tool_use" if calls else "end_turn")
    return calls, "".join(block.text for block in message.content if block.type == "text")


def gemini_tools(
    clients: Clients, result: str | None, *, streamed: bool
) -> tuple[list[tuple[str, Any]], str]:
    types = genai.types
    asking = [types.Content(role="user", parts=[types.Part(text=ORDER)])]
    if result is not None:
        call = types.Part(function_call=types.FunctionCall(name="weather", args={}))
        told = types.Part.from_function_response(name="weather", response={"result": result})
        asking += [types.Content(role="model", parts=[call]), types.Content(role="user", parts=[told])]
    declared = types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)
    wanted: Any = {
        "model": "gemini-2.5-flash",
        "contents": asking,
        "config": types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])]),
    }
    models = clients.google.models
    parts = (
        list(models.generate_content_stream(**wanted)) if streamed else [models.generate_content(**wanted)]
    )
    calls = [(call.name, call.args) for part in parts for call in part.function_calls or ()]
    return calls, "" if calls else "".join(part.text or "" for part in parts)


def converse_tools(
    clients: Clients, result: str | None, *, streamed: bool
) -> tuple[list[tuple[str, Any]], str]:
    asking: list[Any] = [{"role": "user", "content": [{"text": ORDER}]}]
    if result is not None:
        use = {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}}
        told = {"toolResult": {"toolUseId": "t1", "content": [{"text": result}]}}
        asking += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [told]}]
    spec = {"name": "weather", "inputSchema": {"json": WEATHER}}
    wanted = {"modelId": BEDROCK_MODEL, "messages": asking, "toolConfig": {"tools": [{"toolSpec": spec}]}}
    if not streamed:
        content = clients.bedrock.converse(**wanted)["output"]["message"]["content"]
        uses = [block["toolUse"] for block in content if "toolUse" in block]
        return [(use["name"], use["input"]) for use in uses], "".join(b.get("text", "") for b in content)
    name, written, text = "", "", ""
    for event in clients.bedrock.converse_stream(**wanted)["stream"]:
        name = event.get("contentBlockStart", {}).get("start", {}).get("toolUse", {}).get("name", name)
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        written += delta.get("toolUse", {}).get("input", "")
        text += delta.get("text", "")
    return ([(name, json.loads(written))] if name else []), text


TOOLS = [chat_tools, responses_tools, messages_tools, gemini_tools, converse_tools]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("ask", TOOLS)
def test_a_marker_orders_a_call_of_a_tool_and_its_result_is_followed_by_a_text(
    ask: Any, clients: Clients, *, streamed: bool
) -> None:
    assert ask(clients, None, streamed=streamed) == ([("weather", ARGUMENTS)], "")
    calls, text = ask(clients, "sunny", streamed=streamed)
    assert (calls, text.split()[0]) == ([], "word")


@pytest.mark.parametrize("ask", TOOLS)
def test_a_result_with_a_marker_of_its_own_orders_the_next_call(ask: Any, clients: Clients) -> None:
    calls, _ = ask(clients, "sunny [[demo tool=weather]]", streamed=False)
    # Without `args` it is the least that the schema allows.
    assert calls == [("weather", {"place": "word", "days": 1})]


ROUTES = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1beta/models/m:generateContent",
    "/v1beta/models/m:streamGenerateContent",
    "/model/m/converse",
    "/model/m/converse-stream",
    "/model/m/invoke",
    "/model/m/invoke-with-response-stream",
)
FIELDS = (
    *(
        "model",
        "messages",
        "max_tokens",
        "max_output_tokens",
        "input",
        "contents",
        "system",
        "systemInstruction",
    ),
    *(
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "toolConfig",
        "response_format",
        "text",
        "output_config",
    ),
    *(
        "n",
        "dimensions",
        "generationConfig",
        "inferenceConfig",
        "anthropic_version",
        "content",
        "parts",
        "role",
    ),
    *(
        "type",
        "name",
        "function",
        "parameters",
        "schema",
        "format",
        "$ref",
        "anyOf",
        "properties",
        "required",
    ),
    *("items", "minItems", "minLength", "minimum", "enum", "toolSpec", "toolChoice", "functionDeclarations"),
    *("functionResponse", "response", "toolResult"),
)
COMPLETE = {
    "model": "m", "messages": [], "contents": [], "input": "x", "max_tokens": 9, "anthropic_version": "b",
}  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
LEAVES |= st.sampled_from(
    ["tool", "any", "required", "json_schema", "object", "array", "#/$ref", "[[demo", "[[demo x]]"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=20,
)


@given(
    route=st.sampled_from(ROUTES),
    body=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8),
    complete=st.sampled_from([{}, COMPLETE]),
)
@settings(max_examples=examples(100), deadline=None)
def test_no_body_breaks_it(
    provider: testing.Provider, http: httpx.Client, route: str, body: dict[str, Any], complete: dict[str, Any]
) -> None:
    """Whatever is sent is answered or refused, and a refusal is one of the provider's own."""
    answer = http.post(f"{provider.url}{route}", json={**complete, **body})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert "message" in json.dumps(answer.json())


def test_each_of_several_choices_is_counted(clients: Clients, provider: testing.Provider) -> None:
    provider.reset()
    answer = clients.openai.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "[[demo output=30]]"}], n=3
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert provider.served[0].usage.output == 3 * 30


def test_an_answer_that_must_be_of_a_schema_is(clients: Clients) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER}}
    answer = clients.openai.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "How is it?"}],
        response_format=schema,  # type: ignore[arg-type]
    )
    assert json.loads(answer.choices[0].message.content or "") == {"place": "word", "days": 1}


def test_a_tool_that_must_be_called_is_called_without_a_marker(clients: Clients) -> None:
    message = clients.anthropic.messages.create(
        model="claude-haiku-4-5",
        max_tokens=100,
        messages=[{"role": "user", "content": "How is it?"}],
        tools=[{"name": "weather", "input_schema": WEATHER}],
        tool_choice={"type": "any"},
    )
    (block,) = message.content
    assert (block.type, getattr(block, "input", None)) == ("tool_use", {"place": "word", "days": 1})


def test_a_request_is_counted_without_being_answered(clients: Clients, provider: testing.Provider) -> None:
    provider.reset()
    counted = clients.anthropic.messages.count_tokens(
        model="claude-haiku-4-5", messages=[{"role": "user", "content": "x" * 400}]
    )
    assert counted.input_tokens == 400 / 4
    assert provider.served == ()


def test_both_providers_list_their_models(clients: Clients) -> None:
    assert "gpt-4o" in [model.id for model in clients.openai.models.list()]
    assert "claude-haiku-4-5" in [model.id for model in clients.anthropic.models.list()]
