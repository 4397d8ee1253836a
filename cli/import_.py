"""`switchgear import`: send trace files to a collector, also those too old for it to take from an agent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import httpx
import orjson
from google.protobuf.message import DecodeError as DecodeMessageError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rich.console import Console

from collector.call import Call, Kind, NotBilled
from collector.errors import DecodeError
from collector.otlp import JSON, PROTOBUF
from collector.wire import dump

from .answers import key_refused
from .client import connect
from .console import FAILED, fail, misuse, plain, say
from .traces import Part, billed, parts

__all__ = ["run"]

# Of one request; protobuf files are sent as they are.
_SPANS, _BYTES = 500, 4 * 1024 * 1024
_TIMEOUT_S = 60.0
_TRIES = 8
_WAITS_AT_MOST_S = 30
_SHOWN_REASONS = 3


@dataclass(slots=True)
class Batch:
    """What is sent as one request: its pieces, and what reading them here says of their spans."""

    content_type: str
    pieces: list[bytes] = field(default_factory=list)
    billed: list[Call | NotBilled] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether nothing more should be put in."""
        return len(self.billed) >= _SPANS or sum(map(len, self.pieces)) >= _BYTES

    @property
    def body(self) -> bytes:
        """The request's body."""
        return _document(self.pieces) if self.content_type == JSON else b"".join(self.pieces)


@dataclass(slots=True)
class Tally:
    """What became of the spans that were sent."""

    spans: int = 0
    calls: int = 0
    """Taken; those that were booked before are not booked twice."""
    not_billed: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    """Of the first requests that had some rejected."""

    def add(self, batch: Batch, rejected: int, message: str) -> None:
        """Count a batch that the collector has taken, but for `rejected` of its spans."""
        calls = [each for each in batch.billed if isinstance(each, Call)]
        ends = sum(call.kind is Kind.TASK for call in calls)
        unfit = sum(isinstance(each, NotBilled) and each.rejected for each in batch.billed)
        self.spans += len(batch.billed)
        self.calls += len(calls) - ends - max(0, rejected - unfit)
        self.not_billed.update(
            each.code for each in batch.billed if isinstance(each, NotBilled) and not each.rejected
        )
        self.not_billed += Counter(task_end=ends)
        self.rejected += rejected
        if message and len(self.reasons) < _SHOWN_REASONS:
            self.reasons.append(message)


class UnreadableError(Exception):
    """A file that holds no OTLP traces."""


class RefusedError(Exception):
    """The collector does not take a request."""


def run(files: Sequence[Path], *, collector: str, api_key: str | None, history: bool, as_json: bool) -> int:
    """Send every span of `files`; 0 when all were taken, 1 when some or all were not, 2 for a file that is no OTLP."""
    tally = Tally()
    status = Console(stderr=True).status("reading")
    try:
        with status, connect(collector, api_key, timeout_s=_TIMEOUT_S) as client:
            client.headers.update({"Switchgear-History": "true"} if history else {})
            for file in files:
                for batch in _batches(file):
                    tally.add(batch, *_send(client, batch))
                    status.update(f"{tally.spans:,} spans of {plain(file.name)}")
    except UnreadableError as problem:
        return misuse(f"import: {problem}")
    except RefusedError as problem:
        return fail(f"import: {problem}{_so_far(tally)}")
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(f"import: no collector answers at {collector} ({problem}){_so_far(tally)}")
    except UnicodeEncodeError:
        return misuse("import: SWITCHGEAR_API_KEY holds a character that no key has")
    _show(tally, as_json=as_json)
    return FAILED if tally.rejected else 0


def _batches(file: Path) -> Iterator[Batch]:
    """What `file` holds as requests of a handy size. Raises UnreadableError."""
    batch = Batch(JSON)
    try:
        for part in parts(file):
            if part.content_type == PROTOBUF:
                yield Batch(PROTOBUF, [part.body], billed(part))
                continue
            for piece in _pieces(part):
                batch.pieces.append(piece)
                batch.billed += billed(part, _document([piece]))
                if batch.full:
                    yield batch
                    batch = Batch(JSON)
    except OSError as problem:
        raise UnreadableError(
            f"{file}: {problem.strerror or problem}; name a file with OTLP traces"
        ) from problem
    except DecodeError as problem:
        text = plain(str(problem))[:500]
        raise UnreadableError(
            f"{file}: {text}; it must hold OTLP/JSON, lines of it, or protobuf"
        ) from problem
    if batch.pieces:
        yield batch


def _pieces(part: Part) -> list[bytes]:
    """The members of a document's `resourceSpans`, each with no more spans than a request should have."""
    pieces: list[bytes] = []
    try:
        for resource in orjson.loads(part.body).get("resourceSpans") or ():
            for scope in resource.get("scopeSpans") or ():
                spans = scope.get("spans") or ()
                for first in range(0, len(spans), _SPANS):
                    few = {**scope, "spans": spans[first : first + _SPANS]}
                    pieces.append(orjson.dumps({**resource, "scopeSpans": [few]}))
    except (AttributeError, TypeError, orjson.JSONDecodeError):
        # What is wrong with it has a better name in the decoder's words.
        billed(part)
        raise
    return pieces


def _document(pieces: Sequence[bytes]) -> bytes:
    return b'{"resourceSpans":[' + b",".join(pieces) + b"]}"


def _send(client: httpx.Client, batch: Batch) -> tuple[int, str]:
    """How many spans of `batch` the collector rejected, and what it says of them; waits while it is busy."""
    headers = {"Content-Type": batch.content_type}
    for _ in range(_TRIES):
        answer = client.post("/v1/traces", content=batch.body, headers=headers)
        if answer.status_code not in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            break
        time.sleep(min(_WAITS_AT_MOST_S, int(answer.headers.get("Retry-After", "1"))))
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise RefusedError(f"{key_refused(answer)}; sending takes the scope ingest")
    if answer.status_code == httpx.codes.FORBIDDEN:
        raise RefusedError("the key may not send traces; set SWITCHGEAR_API_KEY to one with the scope ingest")
    try:
        if not answer.is_success:
            raise RefusedError(f"the collector answered {answer.status_code}: {_refusal(answer, batch)}")
        return _partial_success(answer, batch)
    except (ValueError, AttributeError, DecodeMessageError):
        raise RefusedError(
            f"what answered {answer.status_code} is no collector; name one with --collector"
        ) from None


def _refusal(answer: httpx.Response, batch: Batch) -> str:
    if batch.content_type == JSON:
        return plain(str(answer.json().get("message")))
    return plain(Status.FromString(answer.content).message)


def _partial_success(answer: httpx.Response, batch: Batch) -> tuple[int, str]:
    if batch.content_type == JSON:
        said = answer.json().get("partialSuccess", {})
        return int(said.get("rejectedSpans", 0)), str(said.get("errorMessage", ""))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    return partial.rejected_spans, partial.error_message


def _so_far(tally: Tally) -> str:
    if not tally.spans:
        return ""
    return f"; {tally.spans:,} spans were taken before: import all again, none is booked twice"


def _show(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        say(dump({each.name: getattr(tally, each.name) for each in fields(tally)}).decode())
        return
    others = ", ".join(f"{count:,} {code}" for code, count in tally.not_billed.most_common())
    say(f"{tally.spans:,} spans: {tally.calls:,} calls taken, {tally.rejected:,} rejected")
    if others:
        say(f"no calls: {others}")
    for reason in tally.reasons:
        say(f"rejected: {plain(reason)}")
