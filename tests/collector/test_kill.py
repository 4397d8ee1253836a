"""`kill -9` while spans arrive: what was acknowledged is there, and nothing is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
from otlp_samples import PROTOBUF, llm_span, request, to_protobuf

from collector.store import Store

SERVER = """
import socket, sys, uvicorn
from pathlib import Path
from analytics.prices import PriceBook
from collector.service import create_app
app = create_app(data=Path(sys.argv[1]), price=PriceBook().quote)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="error")).run(sockets=[listener])
"""
SPANS_A_REQUEST = 5
SENDERS = 4


def start(data: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{process.stdout.readline().strip()}/v1/traces"


def body(number: int) -> bytes:
    return to_protobuf(
        request([llm_span(number * SPANS_A_REQUEST + n) for n in range(1, SPANS_A_REQUEST + 1)])
    )


def post(url: str, number: int) -> bool:
    headers = {"Content-Type": PROTOBUF}
    try:
        answer = httpx.post(url, content=body(number), headers=headers, timeout=20, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def test_acknowledged_spans_survive_and_a_resend_books_none_twice(tmp_path: Path) -> None:
    process, url = start(tmp_path)
    acknowledged: set[int] = set()
    sent: set[int] = set()
    enough = threading.Event()

    def send(first: int) -> None:
        for number in range(first, 4000, SENDERS):
            sent.add(number)
            if not post(url, number):
                return
            acknowledged.add(number)
            if len(acknowledged) >= 40:
                enough.set()

    senders = [threading.Thread(target=send, args=(first,)) for first in range(SENDERS)]
    for sender in senders:
        sender.start()
    assert enough.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for sender in senders:
        sender.join(30)

    # What was acknowledged and not booked is read from the journal.
    process, url = start(tmp_path)
    process.terminate()
    process.communicate()
    store = Store(tmp_path)
    booked = {row[0] for row in store.cursor().execute("SELECT span_id FROM calls").fetchall()}
    store.close()
    for number in acknowledged:
        for n in range(1, SPANS_A_REQUEST + 1):
            assert f"{number * SPANS_A_REQUEST + n:016x}" in booked, "acknowledged, and lost"

    process, url = start(tmp_path)
    for number in sorted(sent):
        assert post(url, number)
    process.terminate()
    process.communicate()
    store = Store(tmp_path)
    rows = store.cursor().execute("SELECT count(*), count(DISTINCT span_id) FROM calls").fetchone()
    store.close()
    assert rows == (len(sent) * SPANS_A_REQUEST, len(sent) * SPANS_A_REQUEST)
