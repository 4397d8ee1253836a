"""A tenant that sends ten times its quota is told to wait; nobody else notices, and nothing of anybody's is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from bad_inputs import counted, fresh, settle
from otlp_samples import PROTOBUF, Served, llm_span, request, to_protobuf

from collector.ingest.limits import Limits
from collector.keys.keyring import FILE_NAME, Keyring

ROOT = "the key of the installation"
SPANS = 5
# 2 spans/s, 10 s at once: 4 requests of 5 spans.
LIMITS = Limits(spans_per_s=2, burst_s=10, requests_in_flight=4)
SENT = {"noisy": 40, "quiet": 4, "calm": 4}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def body(tenant: str) -> bytes:
    return to_protobuf(request([llm_span(fresh(), {"switchgear.tenant": tenant}) for _ in range(SPANS)]))


def test_a_noisy_key_is_refused_while_the_others_are_all_taken(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    clock = Clock()
    keyring = Keyring(tmp_path / "data" / FILE_NAME)
    secrets = {tenant: keyring.create([tenant], ["ingest"], now=clock.now)[1] for tenant in SENT}
    served = serve(api_key=ROOT, limits=LIMITS, now=clock)
    served.http.headers["Authorization"] = f"Bearer {ROOT}"
    bodies = {tenant: [body(tenant) for _ in range(count)] for tenant, count in SENT.items()}

    def send(tenant: str, content: bytes) -> httpx.Response:
        headers = {"Content-Type": PROTOBUF, "Authorization": f"Bearer {secrets[tenant]}"}
        return client.post("/v1/traces", content=content, headers=headers)

    with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
        with ThreadPoolExecutor(8) as noisy, ThreadPoolExecutor(1) as quiet, ThreadPoolExecutor(1) as calm:
            pools = {"noisy": noisy, "quiet": quiet, "calm": calm}
            sent = {
                tenant: [pools[tenant].submit(send, tenant, each) for each in bodies[tenant]]
                for tenant in SENT
            }
        answers = {tenant: [each.result() for each in futures] for tenant, futures in sent.items()}
        codes = {tenant: Counter(answer.status_code for answer in each) for tenant, each in answers.items()}
        assert codes["quiet"] == codes["calm"] == {200: 4}
        # The quota, and at most four more that were under way when it was used up.
        assert 4 <= codes["noisy"][200] <= 8
        assert codes["noisy"].keys() <= {200, 429, 503}
        refused = [answer for answer in answers["noisy"] if not answer.is_success]
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        assert counted(served.http, "quota_refusals") == codes["noisy"][429]

        # As the exporters do it: what was refused is sent again, until all of it is taken.
        waiting = [
            each
            for each, answer in zip(bodies["noisy"], answers["noisy"], strict=True)
            if not answer.is_success
        ]
        while waiting:
            clock.now += timedelta(seconds=10)
            waiting = [each for each in waiting if not send("noisy", each).is_success]
    settle(served.http)
    assert served.rows("SELECT tenant, count(*) FROM calls GROUP BY ALL ORDER BY ALL") == [
        [tenant, count * SPANS] for tenant, count in sorted(SENT.items())
    ]
