"""The clients: fresh answers, the last good one when a service is away, and what is said of it."""

from __future__ import annotations

import io
from concurrent.futures import wait

import httpx
import pyarrow as pa
import pytest

from dashboard.services import Answer, Service, Services


def stream_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


class Wire(httpx.BaseTransport):
    """Answers what it is told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.headers = httpx.Headers()
        self.answer: httpx.Response | Exception = httpx.Response(200, json={"n": 1})

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        self.headers = request.headers
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_young_answer_is_not_asked_for_again() -> None:
    wire = Wire()
    service = Service("collector", "http://c", None, wire)
    assert [service.document("/x", max_age_s=60).value for _ in range(3)] == [{"n": 1}] * 3
    assert wire.asked == 1


def test_what_is_kept_is_told_without_asking_as_long_as_it_is_young_and_of_the_same_question() -> None:
    wire = Wire()
    service = Service("collector", "http://c", None, wire)
    assert service.kept("/x", max_age_s=60, topic="t") is None
    service.document("/x", topic="t")
    found = service.kept("/x", max_age_s=60, topic="t")
    assert found is not None
    assert found.value == {"n": 1}
    assert service.kept("/x", max_age_s=0, topic="t") is None
    assert service.kept("/x", {"other": "1"}, max_age_s=60, topic="t") is None
    assert wire.asked == 1


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (httpx.ConnectError("refused"), "it cannot be reached"),
        (httpx.ReadTimeout("slow"), "no answer in time"),
        (httpx.Response(503), "it answered 503"),
        (httpx.Response(422, json={"detail": "top: 0 is no number"}), "top: 0 is no number"),
        (httpx.Response(200, content=b"<html>"), "its answer cannot be read"),
    ],
    ids=["away", "slow", "503", "refused with words", "not json"],
)
def test_the_last_good_answer_stays_beside_what_went_wrong(
    trouble: httpx.Response | Exception, said: str
) -> None:
    wire = Wire()
    service = Service("collector", "http://c", None, wire)
    before = service.document("/x")
    wire.answer = trouble
    after = service.document("/x")
    assert (after.value, after.at, after.error) == ({"n": 1}, before.at, said)
    wire.answer = httpx.Response(200, json={"n": 2})
    assert service.document("/x").value == {"n": 2}


WHOLE = stream_of(pa.table({"name": ["a tenant"] * 50}))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[" * 100_000, WHOLE[:5], WHOLE[:-20], b"\xff\xff\xff\xff\xff\xff\xff\x7f"],
    ids=["nothing", "a page", "nested", "a beginning", "all but the end", "a false length"],
)
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_cannot_be_read_is_said_to_be_so(body: bytes, status: int) -> None:
    wire = Wire()
    service = Service("collector", "http://c", None, wire)
    said = "its answer cannot be read" if status == 200 else "it answered 500"
    for ask in (
        lambda: service.document("/x"),
        lambda: service.report("x", {}),
        lambda: service.query("SELECT 1"),
    ):
        wire.answer = httpx.Response(status, content=body)
        assert (ask().value, ask().error) == (None, said)


def test_a_service_that_was_never_seen_has_no_answer() -> None:
    wire = Wire()
    wire.answer = httpx.ConnectError("refused")
    answer = Service("collector", "http://c", None, wire).report("spend", {})
    assert (answer.value, answer.at, answer.error) == (None, None, "it cannot be reached")


def test_a_range_that_moved_on_finds_its_last_good_answer() -> None:
    wire = Wire()
    service = Service("collector", "http://c", None, wire)
    service.document("/x", {"to": "1"}, max_age_s=60, topic="the last hour")
    wire.answer = httpx.ConnectError("refused")
    moved = service.document("/x", {"to": "2"}, max_age_s=60, topic="the last hour")
    assert (moved.value, moved.error) == ({"n": 1}, "it cannot be reached")


@pytest.mark.parametrize("status", [401, 403])
def test_what_a_viewer_may_no_longer_see_is_not_shown_from_before(status: int) -> None:
    wire = Wire()
    service = Service("collector", "http://c", "a key", wire)
    assert service.document("/x").value == {"n": 1}
    wire.answer = httpx.Response(status)
    ended = service.document("/x")
    assert (ended.value, ended.at, ended.status) == (None, None, status)
    wire.answer = httpx.ConnectError("refused")
    assert service.document("/x").value is None


def test_what_is_done_says_once_for_every_try_and_tells_why_it_was_refused() -> None:
    wire = Wire()
    wire.answer = httpx.Response(409, json={"title": "Conflict", "detail": "it is signed already"})
    reply = Service("collector", "http://c", None, wire).send("POST", "/x", {"reason": "late"})
    assert (reply.status, reply.value, reply.error) == (409, None, "it is signed already")
    assert wire.headers["idempotency-key"]


def test_a_table_of_a_kind_that_cannot_be_read_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> object:
        raise pa.ArrowNotImplementedError("a type of tomorrow")

    wire = Wire()
    wire.answer = httpx.Response(200, content=WHOLE)
    monkeypatch.setattr(pa.ipc, "open_stream", unknown)
    assert Service("collector", "http://c", None, wire).report("x", {}).error == "its answer cannot be read"


def test_a_long_question_that_broke_can_be_asked_again() -> None:
    def broken() -> Answer:
        raise RuntimeError("a client that was closed")

    both = Services.from_environment(None, {})
    both.meanwhile("savings", broken, start=True)
    wait(both._under_way.values())
    with pytest.raises(RuntimeError, match="closed"):
        both.meanwhile("savings", broken, start=False)
    # It is forgotten, and so nothing breaks where it is only looked at.
    assert both.meanwhile("savings", broken, start=False) is None
    both.close()
