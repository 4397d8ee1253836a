"""A streamed answer that is told to stop ends as the provider would end it, wherever its chunks are parted."""

from __future__ import annotations

import functools
import itertools
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from provider_streams import EVENTS, RESPONSE, START, STREAMS, Seen, Streamed, seen

from switchgear.request import CallRequest
from switchgear.streams import Flow, StreamMeter

NAMES = list(STREAMS)


def flow_of(stream: Streamed, limit: int | None = None, *, cuts: bool = True, encoding: str = "") -> Flow:
    return Flow(StreamMeter(stream.sdk, encoding), stream.request, limit, cuts=cuts)


def passed_on(flow: Flow, chunks: list[bytes], stop_before: int | None = None) -> bytes:
    """What the caller gets, where the flow is told to stop before that chunk."""
    out = []
    for number, chunk in enumerate(chunks):
        if number == stop_before:
            flow.stop()
        out.append(flow.pass_on(chunk))
        if flow.done:
            break
    return b"".join(out)


def parted(wire: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(wire)]
    return [wire[start:end] for start, end in itertools.pairwise(edges)]


def stopped_at(name: str, at: int) -> tuple[Flow, bytes]:
    """A stream that is stopped when so many of its bytes were passed on, and what the caller gets of it."""
    flow, wire = flow_of(STREAMS[name]), STREAMS[name].wire
    return flow, passed_on(flow, parted(wire, list(range(at, len(wire), 50))), stop_before=1)


@functools.cache
def read_by_sdks(name: str, sent: bytes) -> list[Seen]:
    return seen(STREAMS[name], sent)


def ends_cleanly(name: str, sent: bytes) -> None:
    """Whatever way it is read, the caller sees the beginning of the text, and why there is no more of it."""
    stream = STREAMS[name]
    for text, why in read_by_sdks(name, sent):
        begun = stream.whole.split("|")
        assert all(whole.startswith(part) for part, whole in zip(text.split("|"), begun, strict=False))
        assert why == stream.cut or text == stream.whole


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_is_left_alone_is_read_whole(name: str) -> None:
    stream = STREAMS[name]
    for text, why in read_by_sdks(name, stream.wire):
        assert text == stream.whole
        assert why != stream.cut


@pytest.mark.parametrize("cuts", [True, False], ids=["followed", "only counted"])
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(25))
@given(data=st.data())
def test_without_a_stop_the_bytes_are_passed_on_as_they_are(
    name: str, data: st.DataObject, *, cuts: bool
) -> None:
    wire = STREAMS[name].wire
    at = data.draw(st.lists(st.integers(0, len(wire)), max_size=30))
    flow = flow_of(STREAMS[name], cuts=cuts)
    assert [flow.pass_on(chunk) for chunk in parted(wire, at)] == parted(wire, at)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_stopped_after_any_byte_ends_cleanly(name: str) -> None:
    wire = STREAMS[name].wire
    cut = set()
    for at in range(1, len(wire)):
        flow, sent = stopped_at(name, at)
        # All of the event that was under way, and nothing of the next.
        assert sent == wire or sent.startswith(wire[:at])
        assert flow.done == (sent != wire)
        cut.add(sent)
    assert len(cut) > 3
    for sent in cut:
        ends_cleanly(name, sent)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_an_answer_stopped_anywhere_ends_cleanly_however_it_is_parted(name: str, data: st.DataObject) -> None:
    wire = STREAMS[name].wire
    chunks = parted(wire, data.draw(st.lists(st.integers(0, len(wire)), max_size=40)))
    stop = data.draw(st.integers(0, len(chunks) - 1))
    sent = passed_on(flow_of(STREAMS[name]), chunks, stop_before=stop)
    ends_cleanly(name, sent)


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_answer_ends_at_once_where_no_event_is_under_way(name: str) -> None:
    wire = STREAMS[name].wire
    newline = b"\r\n" if b"\r\n" in wire else b"\n"
    events = [event + newline * 2 for event in wire.split(newline * 2)[:-1]]
    ended = 0
    for count in range(len(events)):
        flow = flow_of(STREAMS[name])
        begun = passed_on(flow, events[:count])
        flow.stop()
        finish = flow.finish()
        assert flow.done == bool(finish)
        if finish:
            ended += 1
            ends_cleanly(name, begun + finish)
            assert flow.pass_on(events[count]) == flow.finish() == b""
    assert ended > len(events) // 3


def test_in_the_middle_of_an_event_nothing_ends_yet() -> None:
    stream = STREAMS["messages"]
    flow = flow_of(stream)
    flow.pass_on(stream.wire[: stream.wire.index(b"text_delta")])
    flow.stop()
    assert flow.finish() == b""
    assert not flow.done


def last_event(sent: bytes, kind: str) -> Any:
    lines = [line[6:] for line in sent.split(b"\n") if line.startswith(b"data: {") and kind.encode() in line]
    return json.loads(lines[-1])


def stopped_within(name: str, mark: bytes) -> bytes:
    """What the caller gets of a stream that is stopped within the event with this mark."""
    return stopped_at(name, STREAMS[name].wire.index(mark))[1]


def test_the_end_says_what_came_as_an_estimate() -> None:
    # "Hm, " and "so {it} is." are 15 bytes in two pieces: 4 tokens, beside the 2 that the message began with.
    assert last_event(
        stopped_within("messages with thinking and a tool", b"signature_delta"), "message_delta"
    )["usage"] == {"output_tokens": 6}
    # Two pieces of 11 bytes: 3 tokens; the request has 51 bytes: 13 tokens.
    sent = stopped_within("responses", b"summary_text.done")
    usage = last_event(sent, "response.incomplete")["response"]["usage"]
    assert STREAMS["responses"].request.size == 51
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (13, 3, 16)


def test_chat_says_what_came_only_to_who_asked() -> None:
    counted, plain = (stopped_within(name, b"content") for name in ("chat that counts", "chat"))
    assert last_event(counted, '"choices":[]')["usage"]["completion_tokens"] > 0
    assert b'"usage"' not in plain


def test_a_choice_that_has_ended_ends_once() -> None:
    sent = stopped_within("two choices", b'"tool_calls"}')
    assert [choice["index"] for choice in last_event(sent, '"length"')["choices"]] == [0]


def test_an_answer_whose_end_is_in_the_chunk_that_would_be_cut_is_passed_on_whole() -> None:
    stream = STREAMS["messages"]
    at = stream.wire.index(b"content_block_stop") + 10
    flow = flow_of(stream)
    assert passed_on(flow, [stream.wire[:at], stream.wire[at:]], stop_before=1) == stream.wire
    assert not flow.done


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_packed_answer_is_passed_on(encoding: str) -> None:
    stream = STREAMS["messages"]
    wire = zlib.compress(stream.wire, wbits=31)
    flow = flow_of(stream, encoding=encoding)
    assert passed_on(flow, [wire[:99], wire[99:]], stop_before=1) == wire


@pytest.mark.parametrize(
    "wire",
    [
        b'data: {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}\r\n\r\n' * 3,
        b'data: {"type": "message_start", "message": {}}\n\ndata: {"type": "content_block_start"}\n\n' * 3,
        b'data: {"choices": [5], "object": "chat.completion.chunk"}\n\n' * 3,
        b'data: {"type": "response.created"}\n\ndata: {"type": "response.x.delta", "delta": "a"}\n\n' * 3,
        b"no events\n\n" * 3,
    ],
    ids=["a format that is never cut", "a broken message", "a broken chat", "a broken response", "none"],
)
def test_what_cannot_be_ended_cleanly_is_passed_on(wire: bytes) -> None:
    request = CallRequest("openai", "m", {}, 100)
    flow = Flow(StreamMeter("openai"), request, None, cuts=True)
    assert passed_on(flow, [wire[:80], wire[80:120], wire[120:]], stop_before=1) == wire
    assert not flow.done


@settings(max_examples=examples(25))
@given(
    events=st.lists(EVENTS | st.sampled_from([START, RESPONSE]), min_size=1, max_size=6),
    stop=st.integers(0, 6),
)
def test_events_of_no_format_are_passed_on_or_ended_and_raise_nothing(events: list[Any], stop: int) -> None:
    chunks = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    flow = Flow(StreamMeter("openai"), STREAMS["chat"].request, None, cuts=True)
    sent = passed_on(flow, chunks, stop_before=stop)
    begun = b"".join(chunks[:stop])
    assert sent.startswith(begun)
    assert flow.done or sent == b"".join(chunks)


def test_an_answer_is_over_when_it_outgrows_what_is_held_for_it() -> None:
    stream = STREAMS["messages with thinking and a tool"]
    flow = flow_of(stream, limit=5)
    over = []
    for piece in (b"so {it}", b"signature_delta", b"Because"):
        start = sum(len(chunk) for chunk in over)
        chunk = stream.wire[start : stream.wire.index(piece) - 60]
        flow.pass_on(chunk)
        over.append(chunk)
    # 2 + 1 after "Hm, ", 2 + 4 after the rest.
    assert flow.meter.output_so_far == 6
    assert flow.over
    flow.extend(6)
    assert not flow.over
    flow.extend(None)
    assert not flow.over
