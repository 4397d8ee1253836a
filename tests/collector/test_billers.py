"""Billing in processes apart: the same answers as here, whatever becomes of a process."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from otlp_samples import JSON, PROTOBUF, llm_span, request

from collector.errors import BusyError, DecodeError
from collector.ingest.billers import Billers
from collector.ingest.body import bill_body

DOCUMENT = json.dumps(request([llm_span(number) for number in range(1, 5)])).encode()


@pytest.fixture(scope="module")
def billers() -> Iterator[Billers]:
    with closing(Billers(1)) as opened:
        yield opened


def test_a_body_is_billed_as_it_is_here(billers: Billers) -> None:
    assert billers.bill(DOCUMENT, JSON) == bill_body(DOCUMENT, JSON)


def test_a_body_that_is_no_otlp_is_refused_as_it_is_here(billers: Billers) -> None:
    with pytest.raises(DecodeError) as here:
        bill_body(b"\xff", PROTOBUF)
    with pytest.raises(DecodeError) as there:
        billers.bill(b"\xff", PROTOBUF)
    assert (str(there.value), there.value.status) == (str(here.value), here.value.status)


def test_many_threads_share_the_processes_and_each_gets_its_own_answer() -> None:
    bodies = [json.dumps(request([llm_span(number)])).encode() for number in range(1, 41)]
    with closing(Billers(2)) as billers, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda body: billers.bill(body, JSON), bodies))
    assert answers == [bill_body(body, JSON) for body in bodies]


def test_a_process_that_was_killed_is_replaced_and_the_body_is_billed(billers: Billers) -> None:
    [killed] = billers.pids
    os.kill(killed, signal.SIGKILL)
    assert billers.bill(DOCUMENT, JSON) == bill_body(DOCUMENT, JSON)
    assert billers.pids != [killed]


def test_a_body_that_no_process_survives_is_asked_for_again_and_blocks_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(Billers(1)) as billers:
        with monkeypatch.context() as broken:
            broken.setattr("collector.ingest.billers._COMMAND", (sys.executable, "-c", ""))
            os.kill(billers.pids[0], signal.SIGKILL)
            with pytest.raises(BusyError, match="send it again"):
                billers.bill(DOCUMENT, JSON)
        assert billers.bill(DOCUMENT, JSON) == bill_body(DOCUMENT, JSON)


def test_a_process_holds_no_key_of_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHGEAR_API_KEY", "sg_secret")
    with closing(Billers(1)) as started:
        started.bill(DOCUMENT, JSON)
        environment = Path(f"/proc/{started.pids[0]}/environ")
        if not environment.exists():
            pytest.skip("no /proc here")
        assert b"SWITCHGEAR_API_KEY" not in environment.read_bytes()
