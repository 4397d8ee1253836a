"""The clients: fresh answers, the last good one when a service is away, and what is said of it."""

from __future__ import annotations

import httpx
import pytest

from dashboard.services import Service


class Wire(httpx.BaseTransport):
    """Answers what it is told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: httpx.Response | Exception = httpx.Response(200, json={"n": 1})

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_young_answer_is_not_asked_for_again() -> None:
    wire = Wire()
    service = Service("collector", "http://c", None, wire)
    assert [service.document("/x", max_age_s=60).value for _ in range(3)] == [{"n": 1}] * 3
    assert wire.asked == 1


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (httpx.ConnectError("refused"), "it cannot be reached"),
        (httpx.ReadTimeout("slow"), "no answer within 4 s"),
        (httpx.Response(503), "it answered 503"),
        (httpx.Response(401), "it wants a key; set SWITCHGEAR_API_KEY for the dashboard"),
        (httpx.Response(403), "the dashboard's key may not ask this; give it one with the scope read"),
        (httpx.Response(200, content=b"<html>"), "its answer cannot be read"),
    ],
    ids=["away", "slow", "503", "401", "403", "not json"],
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
