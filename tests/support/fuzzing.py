"""Fuzzing: any bytes as a request, whole or put together of a span's parts. `fuzz` runs it under atheris.

The claim that is checked: a body is refused with DecodeError, or each of its spans is billed or has a reason, none of
which is a fault of ours, and can be told between processes; and the two encodings of a request are one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import msgpack
from otlp_samples import BASE_NS, JSON, PROTOBUF, any_value, llm_span, request, to_protobuf

from collector.billing import WANTED
from collector.call import Call, NotBilled
from collector.dialects import DIALECTS
from collector.errors import DecodeError
from collector.ingest.biller import Answer
from collector.ingest.body import bill_body
from collector.ingest.inflate import inflate

NAMES = sorted(WANTED.names)
DOCUMENTS = sorted(WANTED.documents)
SCOPES = sorted({scope for dialect in DIALECTS for scope in dialect.scopes})
# Words on which billing decides; bytes chosen by chance would hardly ever spell one.
WORDS = (
    *("chat", "embeddings", "invoke_agent", "execute_tool", "LLM", "AGENT", "generation", "llm", "chain"),
    *("ai.generateText.doGenerate", "span", "log", "True", "anthropic", "openai", "500", "12", "1e3", "USD"),
    *("0.05", "{'prompt_tokens': 5, 'prompt_tokens_details': {'cached_tokens': 2}}", '{"input_tokens": 5}'),
    '{"id": "x", "usage": {"input_tokens": 5, "cache_read_input_tokens": 9}}',
)


def check(data: bytes) -> None:
    """The claim, for the request that `data` stands for: its first byte says how the rest becomes one."""
    route, rest = (data[0] if data else 0), data[1:]
    _ROUTES[route % len(_ROUTES)](rest)


def billed(body: bytes, content_type: str) -> list[Call | NotBilled] | None:
    """What becomes of the spans, none of them by a fault of ours; None for a body that is refused."""
    try:
        result = bill_body(body, content_type)
    except DecodeError:
        return None
    for each in result:
        assert isinstance(each, Call) or (each.reason and each.code != "internal"), each
    assert msgpack.decode(msgpack.encode(result), type=Answer) == result
    return result


def seeds() -> list[bytes]:
    """Inputs to begin with: one for each way of becoming a request."""
    document = request([llm_span(), llm_span(2, {"output.value": '{"id": "x"}'})])
    protobuf, as_json = to_protobuf(document), json.dumps(document).encode()
    bodies = [protobuf, as_json, gzip.compress(protobuf), gzip.compress(as_json)]
    parts = [bytes(range(start, start + 40)) for start in range(0, 200, 40)]
    return [
        *(bytes([route]) + body for route, body in enumerate(bodies)),
        *(bytes([len(bodies)]) + part for part in parts),
    ]


def _zipped(content_type: str) -> Callable[[bytes], object]:
    def run(body: bytes) -> None:
        try:
            plain = inflate(body, "gzip", limit=1024 * 1024)
        except DecodeError:
            return
        billed(plain, content_type)

    return run


def _assembled(data: bytes) -> None:
    """A request of spans that speak some dialect, sent in both encodings."""
    source = iter(data)
    spans = [_span(number, source) for number in range(1, 2 + _byte(source) % 3)]
    document = request(spans)
    from_json = billed(json.dumps(document).encode(), JSON)
    assert from_json == billed(to_protobuf(document), PROTOBUF)
    assert from_json is not None


def _span(number: int, source: Iterator[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    scope = {"name": SCOPES[_byte(source) % len(SCOPES)], "version": f"0.{_byte(source)}"}
    pairs = []
    for _ in range(_byte(source) % 24):
        names = DOCUMENTS if (chosen := _byte(source)) >= 240 else NAMES
        pairs.append({"key": names[chosen % len(names)], "value": any_value(_value(source))})
    return scope, {
        "traceId": f"{number * (_byte(source) % 8):032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{_byte(source) % 3:016x}",
        "name": "",
        "kind": 0,
        "startTimeUnixNano": str(BASE_NS + _byte(source)),
        "endTimeUnixNano": str(BASE_NS + _byte(source)),
        "attributes": pairs,
        "status": {"code": _byte(source) % 3},
    }


def _value(source: Iterator[int]) -> Any:
    kind, size = _byte(source), _byte(source)
    match kind % 8:
        case 0:
            return size
        case 1:
            return (size - 128) << (_byte(source) % 56)
        case 2:
            return (size - 128) / 8
        case 3:
            return size % 2 == 0
        case 4:
            return [size]
        case 5:
            return bytes(next(source, 0) for _ in range(size)).decode(errors="replace")
        case 6:
            return None
    return WORDS[size % len(WORDS)]


def _byte(source: Iterator[int]) -> int:
    return next(source, 0)


_ROUTES: tuple[Callable[[bytes], object], ...] = (
    lambda body: billed(body, PROTOBUF),
    lambda body: billed(body, JSON),
    _zipped(PROTOBUF),
    _zipped(JSON),
    _assembled,
)
