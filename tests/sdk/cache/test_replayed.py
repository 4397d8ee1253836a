"""A replay is what the provider said, byte for byte, in whichever way a client reads it; faults hurt no call."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
import trio
from cacheable import CHAT, STREAMED, WAYS
from kept_answers import Remembering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import async_openai_client, openai_client
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.testing import Provider

Configure = Callable[..., TracerProvider]


def post(client: Any, body: dict[str, Any], **options: Any) -> Any:
    """What the HTTP client of an SDK's client gets, as that sends it."""
    http = client._client
    return http.send(http.build_request("POST", f"{client.base_url}chat/completions", json=body), **options)


# -- the bytes


@pytest.mark.parametrize("body", [CHAT, STREAMED], ids=["whole", "streamed"])
@pytest.mark.usefixtures("ready")
def test_a_replay_has_the_bytes_and_the_type_of_the_answer(provider: Provider, body: dict[str, Any]) -> None:
    with openai_client(provider) as client:
        sg.wrap(client, cache="exact")
        first = post(client, body)
        again = post(client, body)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (again.status_code, again.headers["x-switchgear-cache"]) == (200, "exact")
    assert 0 <= int(again.headers["age"]) < 60
    assert "x-switchgear-cache" not in first.headers
    assert again.request.url == first.request.url
    assert again.elapsed.total_seconds() == 0


@pytest.mark.parametrize("read", ["iter_bytes", "iter_raw", "iter_lines", "iter_text"])
@pytest.mark.usefixtures("ready")
def test_a_replayed_stream_is_read_as_any_other(provider: Provider, read: str, cache: Remembering) -> None:
    def lines(response: Any) -> str:
        parts = list(getattr(response, read)())
        response.close()
        joined = b"".join(parts).decode() if isinstance(parts[0], bytes) else "".join(parts)
        return joined.replace("\n", "")

    with openai_client(provider) as client:
        sg.wrap(client, cache="exact")
        first, again = (lines(post(client, STREAMED, stream=True)) for _ in range(2))
    assert first == again
    assert len(provider.served) == 1


@pytest.mark.parametrize("read", ["aiter_bytes", "aiter_raw", "aiter_lines", "aiter_text"])
@pytest.mark.usefixtures("ready")
async def test_a_replayed_stream_is_read_as_any_other_in_an_event_loop(provider: Provider, read: str) -> None:
    async def lines(response: Any) -> str:
        async def parts() -> AsyncIterator[str]:
            async for part in getattr(response, read)():
                yield part.decode() if isinstance(part, bytes) else part

        joined = "".join([part async for part in parts()])
        await response.aclose()
        return joined.replace("\n", "")

    async with async_openai_client(provider) as client:
        sg.wrap(client, cache="exact")
        first = await lines(await post(client, STREAMED, stream=True))
        again = await lines(await post(client, STREAMED, stream=True))
    assert first == again
    assert len(provider.served) == 1


@pytest.mark.usefixtures("ready")
def test_a_whole_answer_that_is_read_as_it_comes_is_kept_and_replayed_as_such(
    provider: Provider, cache: Remembering
) -> None:
    texts = []
    with openai_client(provider) as client:
        sg.wrap(client, cache="exact")
        for _ in range(2):
            with client.chat.completions.with_streaming_response.create(**CHAT) as response:
                texts.append(response.read())
            assert sg.flush()
    assert texts[0] == texts[1]
    assert len(provider.served) == 1


@pytest.mark.parametrize("name", ["openai async", "anthropic async stream"])
@pytest.mark.usefixtures("ready")
def test_under_trio_it_works_as_under_asyncio(name: str, provider: Provider, cache: Remembering) -> None:
    cache.looks_by_thread = True
    way = WAYS[name]

    async def twice() -> list[str]:
        first = await way.ask_async(provider, cache="exact")
        await trio.to_thread.run_sync(sg.flush)
        return [first, await way.ask_async(provider, cache="exact")]

    first, again = trio.run(twice)
    assert first == again
    assert len(provider.served) == 1


@pytest.mark.usefixtures("ready")
def test_no_event_of_a_stream_that_is_kept_is_held_back() -> None:
    """Each event can be read before the next has come: the provider spaces them in time."""
    with testing.provider(latency=testing.Latency(first_s=0.0, per_output_token_s=0.004)) as slow:
        with openai_client(slow) as client:
            stream = sg.wrap(client, cache="exact").chat.completions.create(**STREAMED)
            for seen, _ in enumerate(stream, start=1):
                # Until its last event it is not written down as answered.
                assert seen != 3 or slow.served == ()
        assert seen > 3


# -- what never gets there


@pytest.mark.parametrize(
    "fault",
    [testing.Fault.CUT, testing.Fault.TRUNCATED, testing.Fault.GARBAGE, 400, 500, testing.Fault.RESET],
    ids=str,
)
@pytest.mark.parametrize("body", [CHAT, STREAMED], ids=["whole", "streamed"])
@pytest.mark.usefixtures("ready")
def test_a_broken_answer_is_never_kept(
    provider: Provider, cache: Remembering, fault: Any, body: dict[str, Any]
) -> None:
    with openai_client(provider) as client:
        guarded = sg.wrap(client.with_options(max_retries=0), cache="on")
        provider.fail_next("openai", fault)
        try:
            answer = guarded.chat.completions.create(**body)
            if body is STREAMED:
                list(answer)
        except Exception:  # noqa: BLE001, S110 - as the SDK finds it
            pass
        assert sg.flush()
        assert [answer for answer in cache.learned if answer is not None] == []
        until(lambda: cache.waiting == 0, "the cache hears that there is no answer")
        answer = guarded.chat.completions.create(**CHAT)
        assert answer.choices[0].message.content
    assert len(cache._kept) == 1


@pytest.mark.parametrize("left", ["closed", "dropped"])
@pytest.mark.usefixtures("ready")
def test_a_stream_that_is_left_early_is_never_kept(provider: Provider, cache: Remembering, left: str) -> None:
    with openai_client(provider) as client:
        stream = sg.wrap(client, cache="on").chat.completions.create(**STREAMED)
        next(iter(stream))
        if left == "closed":
            stream.close()
        del stream
        gc.collect()
        until(lambda: cache.learned == [None], "the cache hears that there is no answer")
    assert cache.waiting == 0


@pytest.mark.usefixtures("ready")
def test_an_answer_that_reached_its_maximum_is_never_kept(provider: Provider, cache: Remembering) -> None:
    with openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        for body in (CHAT, STREAMED):
            answer = guarded.chat.completions.create(**{**body, "max_tokens": 10})
            if body is STREAMED:
                list(answer)
    assert sg.flush()
    assert cache.learned == [None, None]


@pytest.mark.usefixtures("ready")
def test_of_a_long_stream_no_more_than_a_mebibyte_is_held(cache: Remembering) -> None:
    line = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"a" * 1000)
    copies: list[int] = []

    class Long(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(2000):
                yield line
                (tap,) = taps
                copy = tap._answer._copy
                copies.append(0 if copy is None else len(copy))
            yield b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Long())

    client = openai.OpenAI(
        base_url="http://127.0.0.1:9/v1",
        api_key="k",
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    with sg.wrap(client, cache="on"):
        response = post(client, STREAMED, stream=True)
        taps = [response.stream]
        size = sum(len(chunk) for chunk in response.iter_raw())
        response.close()
    assert size > 2000 * len(line)
    assert max(copies) <= 1 << 20
    assert copies[-1] == 0
    assert sg.flush()
    assert cache.learned == [None]
