"""How much of what is being read may be in memory, and that a sender who sends nothing takes none of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from otlp_samples import Served, llm_span, request

from collector.errors import BusyError, DecodeError
from collector.ingest import room
from collector.ingest.inflate import MAX_BODY_BYTES
from collector.ingest.room import MAX_BYTES, MAX_KEY_BYTES, Room
from collector.keys.key import EVERYTHING, Key

ACME = Key("sg_acme", ("acme",), frozenset({"ingest"}))
GLOBEX = Key("sg_globex", ("globex",), frozenset({"ingest"}))
THIRD = Key("sg_third", ("third",), frozenset({"ingest"}))


def test_a_key_holds_no_more_than_its_share_and_others_have_the_rest() -> None:
    rooms = Room(requests_per_key=64)
    with rooms.enter(ACME) as first, rooms.enter(ACME) as second, rooms.enter(GLOBEX) as other:
        first.grow(MAX_KEY_BYTES)
        with pytest.raises(BusyError, match="of this key"):
            second.grow(1)
        other.grow(MAX_BYTES - MAX_KEY_BYTES)
        assert rooms.held == MAX_BYTES


def test_all_keys_together_hold_no_more_than_the_whole() -> None:
    rooms = Room(requests_per_key=64)
    with rooms.enter(ACME) as first, rooms.enter(GLOBEX) as second, rooms.enter(THIRD) as third:
        first.grow(MAX_KEY_BYTES)
        second.grow(MAX_BYTES - MAX_KEY_BYTES)
        with pytest.raises(BusyError, match=f"{MAX_BYTES} bytes are being read"):
            third.grow(1)
        # What was refused is not counted.
        assert (third.held, rooms.held) == (0, MAX_BYTES)


def test_what_a_request_held_is_free_again_when_it_ends_however_it_ends() -> None:
    rooms = Room(requests_per_key=1)

    def failing() -> None:
        with rooms.enter(ACME) as place:
            place.grow(100)
            raise DecodeError("no OTLP")

    with pytest.raises(DecodeError):
        failing()
    assert rooms.held == 0
    with rooms.enter(ACME):
        pass


def test_a_key_has_no_more_requests_under_way_than_it_may() -> None:
    rooms = Room(requests_per_key=2)
    with ExitStack() as under_way:
        for _ in range(2):
            under_way.enter_context(rooms.enter(ACME))
        with pytest.raises(BusyError, match="2 requests of this key"):
            under_way.enter_context(rooms.enter(ACME))
        under_way.enter_context(rooms.enter(GLOBEX))
        # The operator's own key is not bound.
        for _ in range(10):
            under_way.enter_context(rooms.enter(EVERYTHING))


@contextmanager
def slow_senders(served: Served, count: int) -> Iterator[None]:
    """So many connections that each announce the largest body and send one byte of it."""
    address = httpx.URL(served.url)
    head = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: %d\r\n\r\n\n" % MAX_BODY_BYTES
    )
    with ExitStack() as connections:
        for _ in range(count):
            connection = socket.create_connection((address.host, address.port or 0), timeout=20)
            connections.enter_context(connection)
            connection.sendall(head)
        yield


def test_slow_senders_of_large_bodies_turn_nobody_away(serve: Callable[..., Served]) -> None:
    served = serve()
    # Announced are 50 x 64 MiB, sent are 50 bytes.
    with slow_senders(served, 50):
        assert served.send(request([llm_span(1)])).status_code == 200


def test_a_full_room_is_503_until_it_is_free(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    with monkeypatch.context() as full:
        full.setattr(room, "MAX_BYTES", 10)
        answer = served.send(request([llm_span(1)]))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert served.send(request([llm_span(1)])).status_code == 200
