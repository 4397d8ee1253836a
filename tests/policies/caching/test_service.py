"""The cache over HTTP: a key gets, changes, learns and ends what is its own tenants', and nothing else."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from keeping import Keeping

from collector.keys.key import Key
from collector.keys.keyring import FILE_NAME, Keyring
from policies.caching.desk import Desk
from policies.caching.following import Followed
from policies.caching.names import name_of
from policies.caching.service import create_app
from policies.caching.workers import Workers
from switchgear.cache import Answer, Mode, Namespace, Question, Terms

TENANTS = """\
version: 1
tenants: {acme: {workloads: {w: {owner: ann}}}, globex: {workloads: {w: {}}}, initech: {}}
"""
SHARED = """\
cache:
  - {tenant: acme, mode: on, share_with: [globex]}
  - {tenant: globex, mode: on, share_with: [acme]}
"""


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def look_body(tenant: str, question: bytes = b"q", **terms: Any) -> dict[str, Any]:
    asked = {"exact": text(question), "setting": text(b"s"), "wording": "what", "unfit": None}
    return {"tenant": tenant, "workload": "w", "terms": {"mode": "on", **terms}, "question": asked}


ANSWER = {"content_type": "application/json", "body": text(b"{}"), "text": "42", "model": "m-1"}


@dataclass
class Service:
    """A running service, its cache, and clients of it by the name of their key."""

    cache: Keeping
    clients: dict[str, httpx.AsyncClient]
    file: Path
    app: Any

    async def look(self, key: str, tenant: str, question: bytes = b"q", **terms: Any) -> httpx.Response:
        return await self.clients[key].post("/v1/cache:look", json=look_body(tenant, question, **terms))

    async def learn(self, key: str, ticket: str, answer: Any = ANSWER) -> httpx.Response:
        return await self.clients[key].post("/v1/cache:learn", json={"ticket": ticket, "answer": answer})

    async def keep(self, key: str, tenant: str, question: bytes = b"q") -> None:
        """Ask, and learn."""
        looked = (await self.look(key, tenant, question)).json()
        assert (await self.learn(key, looked["ticket"])).json() == {"outcome": "miss"}

    async def forget(self, key: str, **what: Any) -> httpx.Response:
        return await self.clients[key].post("/v1/cache:forget", json=what)

    def says(self, more: str) -> None:
        """Change the policy file, and let it be seen."""
        self.file.write_text(TENANTS + more)
        self.app.followed.refresh()


KEYS = {
    "acme": (["acme"], ["decide"]),
    "acme-2": (["acme"], ["decide"]),
    "acme-reader": (["acme"], ["read", "ingest"]),
    "acme-operator": (["acme"], ["operate"]),
    "globex": (["globex"], ["decide"]),
    "both": (["acme", "globex"], ["decide"]),
    "operator": (["*"], ["operate"]),
    "ann": ([], ["owner:ann"]),
}


@cache
def _keys() -> tuple[bytes, dict[str, str]]:
    """A key file, and the secrets in it by the names above; made once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / FILE_NAME
        keyring, now = Keyring(file), datetime.now(UTC)
        secrets = {
            name: keyring.create(tenants, scopes, now=now)[1] for name, (tenants, scopes) in KEYS.items()
        }
        return file.read_bytes(), secrets | {"root": "root-key", "stranger": "sg_000000000000_x"}


@asynccontextmanager
async def serving(
    folder: Path,
    more: str = "",
    *,
    slowly: Callable[[], object] = lambda: None,
    workers: Workers | None = None,
) -> AsyncIterator[Service]:
    file, kept = folder / "policies.yaml", Keeping(folder / "cache", slowly=slowly)
    file.write_text(TENANTS + more)
    content, secrets = _keys()
    (folder / FILE_NAME).write_bytes(content)
    app = create_app(
        open_cache=lambda: kept, policy_file=file, data=folder, api_key="root-key", workers=workers
    )
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    clients = {
        name: httpx.AsyncClient(
            transport=transport,
            base_url="http://cache",
            headers={"authorization": f"Bearer {secret}"},
        )
        for name, secret in secrets.items()
    }
    clients["nobody"] = httpx.AsyncClient(transport=transport, base_url="http://cache")
    yield Service(kept, clients, file, app)
    for client in clients.values():
        await client.aclose()
    app.workers.close()
    kept.close()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path) as made:
        yield made


async def test_what_is_learned_is_served_to_the_same_tenant_with_all_its_parts(service: Service) -> None:
    await service.keep("acme", "acme")
    looked = (await service.look("acme-2", "acme")).json()
    assert looked == {"outcome": "exact", "served": ANSWER, "ticket": None, "kept_at": looked["kept_at"]}
    assert datetime.fromisoformat(looked["kept_at"]).tzinfo is not None


async def test_one_tenants_answers_are_a_miss_for_another(service: Service) -> None:
    await service.keep("acme", "acme")
    assert (await service.look("globex", "globex")).json()["outcome"] == "miss"
    assert (await service.look("both", "globex")).json()["outcome"] == "miss"


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("nobody", 401),
        ("stranger", 401),
        ("acme-reader", 403),
        ("acme-operator", 403),
        ("globex", 403),
        ("both", 200),
        ("root", 200),
    ],
)
async def test_a_look_takes_a_key_that_decides_for_the_tenant(
    service: Service, key: str, status: int
) -> None:
    answer = await service.look(key, "acme")
    assert answer.status_code == status
    assert len(service.cache.asked) == (status == 200)
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_ticket_is_worth_nothing_to_another_key_and_keeps_its_worth(service: Service) -> None:
    ticket = (await service.look("acme", "acme")).json()["ticket"]
    refused = [await service.learn(key, ticket) for key in ("globex", "acme-2", "both", "root")]
    unknown = await service.learn("acme", "x" * 24)
    assert [each.status_code for each in (*refused, unknown)] == [404] * 5
    # What is another's looks like what is not there.
    assert {each.text for each in refused} == {unknown.text}
    assert service.cache.count() == 0
    assert (await service.learn("acme", ticket)).status_code == 200


async def test_a_ticket_is_used_once(service: Service) -> None:
    ticket = (await service.look("acme", "acme")).json()["ticket"]
    assert [(await service.learn("acme", ticket)).status_code for _ in range(2)] == [200, 404]


async def test_a_ticket_is_nothing_that_the_cache_itself_would_take(service: Service) -> None:
    ticket = (await service.look("acme", "acme")).json()["ticket"]
    (inner,) = service.cache._waiting._pending
    assert ticket != inner
    assert (await service.learn("acme", inner)).status_code == 404


async def test_no_answer_worth_keeping_is_learned_as_that(service: Service) -> None:
    ticket = (await service.look("acme", "acme")).json()["ticket"]
    assert (await service.learn("acme", ticket, None)).json() == {"outcome": "miss"}
    assert service.cache.count() == 0


async def test_a_tenants_answers_are_shared_while_both_tenants_entries_say_so(tmp_path: Path) -> None:
    async with serving(tmp_path, SHARED) as service:
        await service.keep("acme", "acme")
        assert (await service.look("globex", "globex")).json()["served"] == ANSWER
        assert service.cache.asked[-1][0].group == '["acme", "globex"]'
        # One of them takes its word back.
        service.says("cache: [{tenant: acme, mode: on, share_with: [globex]}, {tenant: globex, mode: on}]\n")
        assert (await service.look("globex", "globex")).json()["outcome"] == "miss"


async def test_a_client_that_names_a_group_shares_nothing(service: Service) -> None:
    await service.look("acme", "acme", group='["acme", "globex"]')
    assert [where.group for where, _ in service.cache.asked] == [None]


async def test_no_client_gets_more_than_the_policies_allow(tmp_path: Path) -> None:
    entry = "cache: [{mode: shadow, bound: 1%, keep: 1h, allow: [tools]}]\n"
    async with serving(tmp_path, entry) as service:
        await service.keep("acme", "acme")
        looked = await service.look(
            "acme", "acme", bound="0.5", keep_s=1e12, allow=["tools", "volatile"], tags=["a"]
        )
        assert (looked.json()["outcome"], looked.json()["served"]) == ("shadow_exact", None)
        _, terms = service.cache.asked[-1]
        assert (terms.mode, str(terms.bound), terms.keep.total_seconds()) == (Mode.SHADOW, "0.01", 3600.0)
        assert (terms.allow, terms.tags) == (frozenset({"tools"}), ("a",))


async def test_where_the_policies_say_off_nothing_is_looked_up(tmp_path: Path) -> None:
    async with serving(tmp_path, "cache: [{mode: off}]\n") as service:
        looked = (await service.look("acme", "acme")).json()
        assert looked == {"outcome": "bypass", "served": None, "ticket": None, "kept_at": None}
        assert service.cache.asked == []


@pytest.mark.parametrize(
    ("key", "what", "status"),
    [
        pytest.param("acme", {"tenant": "acme"}, 200, id="a tenant's own key"),
        pytest.param("acme", {"tenant": "acme", "workload": "w"}, 200, id="its workload"),
        pytest.param("acme", {"tenant": "acme", "tag": "t"}, 200, id="its tag"),
        pytest.param("acme-operator", {"tenant": "acme"}, 200, id="its operator"),
        pytest.param("operator", {"tenant": "acme"}, 200, id="everybody's operator"),
        pytest.param("operator", {"tag": "t"}, 200, id="everybody's tag by their operator"),
        pytest.param("globex", {"tenant": "acme"}, 403, id="another tenant's key"),
        pytest.param("both", {"tenant": "acme"}, 403, id="a key that decides for several"),
        pytest.param("acme-reader", {"tenant": "acme"}, 403, id="a reader"),
        pytest.param("acme-operator", {"tag": "t"}, 403, id="everybody's tag by one tenant's operator"),
        pytest.param("acme", {"tag": "t"}, 403, id="everybody's tag by one tenant"),
        pytest.param("acme-operator", {"entry": 1}, 403, id="whosesoever answer by one tenant's operator"),
        pytest.param("nobody", {"tenant": "acme"}, 401, id="nobody"),
    ],
)
async def test_only_operators_and_a_tenant_itself_end_its_answers(
    service: Service, key: str, what: dict[str, Any], status: int
) -> None:
    tagged = {"tags": ["t"]}
    for tenant in ("acme", "globex"):
        looked = (await service.look(tenant, tenant, **tagged)).json()
        await service.learn(tenant, looked["ticket"])
    answer = await service.forget(key, **what)
    assert answer.status_code == status
    left = [
        tenant
        for tenant in ("acme", "globex")
        if (await service.look(tenant, tenant, **tagged)).json()["outcome"] == "exact"
    ]
    if status != 200:
        assert left == ["acme", "globex"]
    else:
        assert answer.json() == {"forgotten": 2 - len(left)}
        assert left == (["globex"] if "tenant" in what else [])


@pytest.mark.parametrize(
    ("what", "says"),
    [
        pytest.param({}, "name a tenant", id="nothing"),
        pytest.param({"workload": "w"}, "name a tenant", id="a workload of anybody"),
        pytest.param({"tenant": "acme", "entry": 1}, "an entry has its tenant", id="one's tenant"),
        pytest.param({"tag": "t", "entry": 1}, "name one of tag and entry", id="two things"),
        pytest.param({"entry": 0}, "entry", id="no entry"),
    ],
)
async def test_what_is_to_be_forgotten_is_said_clearly(
    service: Service, what: dict[str, Any], says: str
) -> None:
    answer = await service.forget("root", **what)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


LESSON = [("12", "12", True), ("12", "13", False), ("12", "12", False), ("yes", "no", True)]


def pairs(*said: tuple[str, str, bool]) -> list[dict[str, Any]]:
    return [{"kept": kept, "fresh": fresh, "same": same} for kept, fresh, same in said]


async def test_labels_say_how_often_the_judge_errs(service: Service) -> None:
    """It calls 12 and 12 the same where a person does not, and yes and no different where a person does not."""
    body = {"tenant": "acme", "workload": "w", "pairs": pairs(*LESSON)}
    told = await service.clients["acme-operator"].post("/v1/cache:label", json=body)
    assert told.json() == {"pairs": 4, "undecided": 0, "false_same": 1, "false_different": 1}
    for key, status in (("acme", 403), ("globex", 403), ("nobody", 401)):
        assert (await service.clients[key].post("/v1/cache:label", json=body)).status_code == status


@pytest.mark.parametrize("empty", ["kept", "fresh"])
async def test_an_answer_that_says_nothing_is_no_label(service: Service, empty: str) -> None:
    pair = {"kept": "12", "fresh": "12", "same": True, empty: ""}
    body = {"tenant": "acme", "workload": "w", "pairs": [pair]}
    answer = await service.clients["acme-operator"].post("/v1/cache:label", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"pairs.0.{empty}: String should have at least 1 character"


async def test_a_workload_stands_with_both_its_certificates_in_the_confidence_of_its_terms(
    service: Service,
) -> None:
    """The first wording is new to what is kept, and the second time it is familiar."""
    for number, wording in enumerate(("how tall is it", "how tall is it now", "how tall is it now")):
        question = Question(str(number).encode(), b"s", wording)
        where, now = Namespace("acme", name_of("acme", "w", None)), datetime.now(UTC)
        looked = service.cache.look(where, question, Terms(Mode.ON), now)
        assert looked.ticket is not None
        service.cache.learn(looked.ticket, Answer("text/plain", b"", "57 m"), now)
    (told,) = (await service.clients["operator"].get("/v1/cache")).json()["workloads"]
    assert [each["wordings"] for each in told["certificates"]] == ["familiar", "new"]
    assert {(each["bound"], each["confidence"]) for each in told["certificates"]} == {(0.02, 0.9)}
    assert (told["tenants"], told["workload"], told["requests"]) == (["acme"], "w", 3)
    familiar, new = (each["says"] for each in told["certificates"])
    assert told["says"] == f"familiar wordings: {familiar}; new wordings: {new}"


async def test_each_key_sees_how_its_own_workloads_stand_and_no_others(tmp_path: Path) -> None:
    async with serving(tmp_path, SHARED) as service:
        for tenant, workload in (("acme", "w"), ("globex", "w"), ("initech", "w")):
            body = {"tenant": tenant, "workload": workload, "pairs": pairs(*LESSON)}
            await service.clients["root"].post("/v1/cache:label", json=body)
        await service.keep("acme", "acme")

        async def seen(key: str, **asked: str) -> list[list[str]]:
            told = await service.clients[key].get("/v1/cache", params=asked)
            assert told.status_code == 200
            return [each["tenants"] for each in told.json()["workloads"]]

        together, alone = ["acme", "globex"], ["initech"]
        assert await seen("root") == [together, alone]
        assert await seen("operator", tenant="initech") == [alone]
        assert await seen("acme-reader") == [together]
        assert await seen("ann") == [together]
        assert await seen("acme-operator", tenant="initech") == []
        told = await service.clients["acme-reader"].get("/v1/cache", params={"workload": "w"})
        shown, *_ = told.json()["workloads"]
        assert (shown["workload"], shown["certificates"]) == ("w", [])
        assert (shown["requests"], shown["served"], shown["hit_rate"]) == (1, 0, 0.0)
        assert (await service.clients["acme"].get("/v1/cache")).status_code == 403


async def test_what_one_tenant_teaches_counts_for_no_other_of_the_same_workload(service: Service) -> None:
    await service.clients["root"].post(
        "/v1/cache:label", json={"tenant": "acme", "workload": "w", "pairs": pairs(*LESSON)}
    )
    told = (await service.clients["operator"].get("/v1/cache")).json()["workloads"]
    assert [[*each["tenants"], each["workload"]] for each in told] == [["acme", "w"]]


@pytest.mark.parametrize(
    ("what", "left"),
    [
        pytest.param({"tenant": "acme"}, [["globex"]], id="the tenant"),
        pytest.param({"tenant": "acme", "workload": "w"}, [["globex"]], id="its workload"),
        pytest.param({"tenant": "acme", "workload": "v"}, [["acme"], ["globex"]], id="another workload"),
        pytest.param({"tenant": "acme", "tag": "t"}, [["acme"], ["globex"]], id="answers alone"),
    ],
)
async def test_with_a_tenant_or_workload_goes_what_was_learned_of_it(
    service: Service, what: dict[str, Any], left: list[list[str]]
) -> None:
    for tenant in ("acme", "globex"):
        body = {"tenant": tenant, "workload": "w", "pairs": pairs(*LESSON)}
        await service.clients["root"].post("/v1/cache:label", json=body)
    await service.forget("operator", **what)
    told = (await service.clients["operator"].get("/v1/cache")).json()["workloads"]
    assert [each["tenants"] for each in told] == left


async def test_who_leaves_a_group_takes_its_answers_along_and_leaves_the_others(tmp_path: Path) -> None:
    async with serving(tmp_path, SHARED) as service:
        await service.keep("acme", "acme", b"one")
        await service.keep("globex", "globex", b"two")
        assert (await service.forget("acme", tenant="acme")).json() == {"forgotten": 1}
        found = [(await service.look("acme", "acme", each)).json()["outcome"] for each in (b"one", b"two")]
        assert found == ["miss", "exact"]


async def test_who_is_forgotten_learns_nothing_that_was_asked_before(service: Service) -> None:
    ticket = (await service.look("acme", "acme")).json()["ticket"]
    await service.forget("acme", tenant="acme")
    assert (await service.learn("acme", ticket)).status_code == 404
    assert service.cache.count() == 0


async def test_where_too_many_wait_the_next_is_told_at_once_and_a_key_is_still_needed(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    workers = Workers(threads=1, waiting=2)
    async with serving(tmp_path, slowly=lambda: gate.wait(10), workers=workers) as service:
        first = asyncio.create_task(service.look("acme", "acme"))
        second = asyncio.create_task(service.look("globex", "globex"))
        async with asyncio.timeout(5):
            while not workers.full:  # noqa: ASYNC110
                await asyncio.sleep(0)
        busy = await service.look("both", "globex")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        assert busy.json()["detail"] == "too many look-ups wait already; ask the model"
        assert (await service.look("nobody", "acme")).status_code == 401
        gate.set()
        assert (await first).status_code == 200
        await second
        figures = (await service.clients["operator"].get("/metrics")).text
        assert "switchgear_cache_busy_total 0\n" not in figures


async def test_what_is_over_is_removed_from_the_disk(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(TENANTS)
    cache = Keeping(tmp_path / "cache")
    desk = Desk(cache, Followed(tmp_path / "policies.yaml"), sweep_every_s=0.0)
    key, terms = Key("k", ("*",), frozenset({"decide"})), Terms(Mode.ON, keep=timedelta(microseconds=1))
    _, ticket = await desk.look(key, "acme", "w", Question(b"q", b"s", None), terms)
    assert ticket is not None
    await desk.learn(key, ticket, Answer("text/plain", b"", "42"))
    assert cache.count() == 1
    sweeping = asyncio.create_task(desk.sweep())
    async with asyncio.timeout(5):
        while cache.count():  # noqa: ASYNC110
            await asyncio.sleep(0)
    sweeping.cancel()
    desk.workers.close()
    cache.close()


SECRET = "the-patient-is-called-Zephyrine"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f'{{"tenant": "acme", "question": "{SECRET}"}}', id="a text as a question"),
        pytest.param(f'{{"tenant": "acme", "{SECRET}', id="half a document"),
        pytest.param(f'"{SECRET}"', id="no document"),
        pytest.param(
            '{"tenant": "acme", "workload": "w", "terms": {"mode": "on"}, '
            f'"question": {{"exact": "{SECRET}", "setting": "", "wording": "{SECRET}"}}}}',
            id="no base64",
        ),
    ],
)
async def test_what_is_wrong_with_a_request_is_told_without_what_it_says(
    service: Service, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await service.clients["acme"].post(
        "/v1/cache:look", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    figures = (await service.clients["operator"].get("/metrics")).text
    assert not [where for where in (answer.text, caplog.text, figures) if "Zephyrine" in where]


async def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    answer = await service.look("acme", "acme", b"x" * (7 << 20))
    assert answer.status_code == 413


async def test_the_service_says_that_it_is_well_and_what_it_answers(service: Service) -> None:
    nobody = service.clients["nobody"]
    for path in ("/healthz", "/readyz"):
        assert (await nobody.get(path)).json()["status"] == "ok"
    document = (await nobody.get("/openapi.json")).json()
    assert {"/v1/cache:look", "/v1/cache:learn", "/v1/cache:forget"} <= set(document["paths"])
    assert (await service.clients["acme"].get("/v1/identity")).json()["tenants"] == ["acme"]
    assert (await service.clients["acme"].get("/metrics")).status_code == 403
