"""The real services, filled over OTLP, and the dashboard in front of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from oidc_provider import CLIENT, SECRET, Provider
from otlp_samples import WORKERS, llm_span, request
from serving import PLAIN, Serving, free_ports
from waiting import until

import dashboard
from analytics import registry
from analytics.live import LivePrices
from analytics.prices import PriceBook
from analytics.serving import added
from cli.oidc import tokens
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.tokens import Tokens
from collector.service import create_app as collector_app
from dashboard import session
from policies.service import create_app as policies_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OUTPUT = Path(__file__).parents[2] / "test-output"
# An image, a tag and a formula: each must stay text, and ask nobody for anything.
HOSTILE = "![x](http://evil.example/a.png)<img src=http://evil.example/b.png><b>=1+1</b>"
POLICY = """
version: 1
currency: USD
unpriced_rate: 60 USD
tenants:
  northwind:
    workloads:
      nightly-ingest: {owner: data-platform, cost_centre: CC-410, tier: background}
      contract-review: {owner: legal-ops, cost_centre: CC-220, tier: batch}
  bluebird-retail:
    workloads:
      support-agent: {owner: customer-care, cost_centre: CC-310, tier: interactive}
plans:
  - {cost_centre: CC-410, month: "2026-11", amount: 1200 USD}
capacity:
  - {provider: openai, requests_per_minute: 600, tokens_per_minute: 900000}
ceilings:
  - name: northwind-hour
    scope: {tenant: northwind}
    limit: 1.50 USD
    window: 1h
    ladder: [{at: 60%, do: warn}, {at: 75%, do: throttle}]
  - {name: bluebird-hour, scope: {tenant: bluebird-retail}, limit: 2 USD, window: 1h}
  - {name: everything-hour, limit: 1 USD, window: 1h, shadow: true}
"""
OIDC = """
version: 1
issuer: {issuer}
audience: {client}
rights:
  - {{claim: tenant, tenants_from: tenant, scopes: [read]}}
"""
SECRETS = """
[auth]
name = "Example Corp"
redirect_uri = "{url}/oauth2callback"
cookie_secret = "a secret that signs the cookies of this test"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
expose_tokens = ["id"]
"""
# tenant, workload, tier, provider, model, calls, output tokens of a call
SCENE = [
    ("northwind", "nightly-ingest", "background", "openai", "gpt-4o", 30, 3000),
    ("northwind", "contract-review", "batch", "openai", "gpt-4o", 10, 5000),
    ("bluebird-retail", "support-agent", "interactive", "openai", "gpt-4o-mini", 40, 900),
    (HOSTILE, HOSTILE, "batch", "openai", "gpt-foo-9", 5, 100),
    ("halden-legal", None, "batch", "anthropic", "claude-sonnet-4-5", 8, 2000),
]


# What somebody may call a tenant, a workload and a task, and what must stay text wherever it stands.
HOSTILES = (
    "![m](http://evil.example/m.png)",
    "<img src=http://evil.example/i.png onerror=alert(1)>",
    '=HYPERLINK("http://evil.example/f","f")',
    "\u202e\u2067gnp.exe \u0645\u0633\u062a\u0623\u062c\u0631",
    "[l](http://evil.example/l) `c` $x$ :smile: **b** " + "n" * 252,
)
HOSTILE_SCENE = [(name, name, "batch", "openai", "gpt-4o", 6, 900) for name in HOSTILES]


@dataclass(frozen=True)
class House:
    """Where the two services answer, their data, and their root key, None where nobody needs a key."""

    collector: str
    policies: str
    data: Path
    root: str | None
    issuer: str | None
    """Whose tokens are taken beside keys."""

    def client(self) -> httpx.Client:
        """A client of the collector that may do everything; to be closed."""
        headers = {"Authorization": f"Bearer {self.root}"} if self.root else {}
        return httpx.Client(
            base_url=self.collector, headers=headers, trust_env=False, verify=PLAIN, timeout=20
        )

    def key(self, scopes: Sequence[str], tenants: Sequence[str] = (), name: str = "") -> tuple[str, str]:
        """A new key that the collector knows: its id and its secret."""
        record, secret = Keyring(self.data / FILE_NAME).create(
            tenants, scopes, now=datetime.now(UTC), name=name
        )
        asks = {"Authorization": f"Bearer {secret}"}
        with self.client() as client:
            until(
                lambda: client.get("/v1/identity", headers=asks).is_success, "the collector has seen the key"
            )
        return record.key.id, secret


def make_collector(data: Path, api_key: str | None = None, taken: Tokens | None = None) -> Any:
    prices = LivePrices()
    served = added(prices, None, "0")
    return collector_app(
        data=data,
        api_key=api_key,
        tokens=taken,
        price=prices.quote,
        reports=served.reports,
        extensions=served.extensions,
        registry=registry,
        workers=WORKERS,
    )


@contextmanager
def house(folder: Path, api_key: str | None = None, issuer: str | None = None) -> Iterator[House]:
    """Both services on one data folder; with an `api_key`, which is its root key, they want keys of everybody."""
    data, oidc = folder / "data", folder / "oidc.yaml"
    if issuer is not None:
        oidc.write_text(OIDC.format(issuer=issuer, client=CLIENT))

    def taken() -> Tokens | None:
        return tokens(oidc) if issuer is not None else None

    with ExitStack() as stack:
        collector = stack.enter_context(Serving(make_collector(data, api_key, taken()))).url
        file = folder / "policies.yaml"
        file.write_text(POLICY)
        app = policies_app(
            policy_file=file,
            data=data,
            price=PriceBook().quote,
            collector=collector,
            api_key=api_key,
            tokens=taken(),
        )
        yield House(collector, stack.enter_context(Serving(app)).url, data, api_key, issuer)


def calls(now: datetime, scene: Sequence[tuple[Any, ...]] = SCENE) -> dict[str, Any]:
    """A scene as an OTLP/JSON request: of each workload a call every 13 seconds, the last 20 seconds ago."""
    made = []
    for tenant, workload, tier, provider, model, count, output in scene:
        for place in range(count):
            unknown = tenant == "bluebird-retail" and place == 0
            task = f"{workload[:7]}-{place // 6:03d}" if workload else None
            task = workload if workload in HOSTILES else task
            named = {
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.response.model": model,
                "gen_ai.response.id": None,
                "gen_ai.usage.input_tokens": None if unknown else 4000,
                "gen_ai.usage.cache_read.input_tokens": None,
                "gen_ai.usage.output_tokens": None if unknown else output,
                "gen_ai.usage.reasoning.output_tokens": None,
                "switchgear.tenant": tenant,
                "switchgear.tier": tier,
                "switchgear.workload": workload,
                "switchgear.task.id": task,
                "switchgear.task.root_id": task,
            }
            began_ns = int((now - timedelta(seconds=20 + place * 13)).timestamp() * 1e9)
            times = {"startTimeUnixNano": str(began_ns), "endTimeUnixNano": str(began_ns + 2 * 10**9)}
            made.append(llm_span(len(made) + 1, named, **times))
    # Each workload was answered once out of a cache, outside of any task: no call, and in no sum of them.
    for tenant, workload, tier, provider, model, _, output in scene:
        named = {
            "gen_ai.provider.name": provider,
            "gen_ai.response.model": model,
            "gen_ai.response.id": None,
            "gen_ai.usage.output_tokens": output,
            "switchgear.tenant": tenant,
            "switchgear.tier": tier,
            "switchgear.workload": workload,
            "switchgear.cache": "exact",
        }
        began_ns = int((now - timedelta(seconds=15)).timestamp() * 1e9)
        times = {"startTimeUnixNano": str(began_ns), "endTimeUnixNano": str(began_ns + 10**6)}
        made.append(llm_span(len(made) + 1, named, **times))
    return request(made)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Services that hold SCENE, seen by the engine."""
    with house(tmp_path_factory.mktemp("full")) as running:
        fill(running)
        yield running


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The same behind keys and a company's sign-in, which knows Bea of bluebird-retail and a guest."""
    users = {"bea": {"name": "Bea", "tenant": "bluebird-retail"}, "guest": {}}
    folder = tmp_path_factory.mktemp("guarded")
    with Provider(users) as company, house(folder, "the-root-key-of-this-house", company.url) as running:
        fill(running, [*SCENE, *HOSTILE_SCENE])
        yield running


def fill(running: House, scene: Sequence[tuple[Any, ...]] = SCENE) -> None:
    """Send a scene with SCENE in it, and wait until the engine has acted on that."""
    with running.client() as client:
        client.post("/v1/traces", json=calls(datetime.now(UTC), scene)).raise_for_status()

        def seen() -> bool:
            owners = client.get("/v1/registry").json()["workloads"]
            question = {"sql": "SELECT count(*) FROM transitions"}
            ((told,),) = client.post("/v1/query", json=question).json()["rows"]
            return bool(owners) and told >= 2

        until(seen, "the engine has tripped and told the collector its owners and transitions")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Services that have seen nothing."""
    with house(tmp_path_factory.mktemp("bare")) as running:
        yield running


@pytest.fixture
def asking_full(monkeypatch: pytest.MonkeyPatch, full: House) -> Iterator[None]:
    """Pages that this process runs ask the services that hold SCENE; their clients are given back."""
    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", full.collector)
    monkeypatch.setenv("SWITCHGEAR_POLICIES", full.policies)
    session.services_of.clear()
    yield
    session.services_of.clear()


@contextmanager
def dashboard_for(running: House) -> Iterator[str]:
    """The dashboard as its own process, as `switchgear serve dashboard` runs it; its address."""
    (port,) = free_ports(1)
    app = Path(dashboard.__file__).with_name("web.py")
    # A key in its surroundings is nobody's at the dashboard.
    environment = os.environ | {
        "SWITCHGEAR_API_KEY": running.root or "",
        "SWITCHGEAR_COLLECTOR": running.collector,
        "SWITCHGEAR_POLICIES": running.policies,
    }
    url = f"http://127.0.0.1:{port}"
    if running.issuer:
        secrets = running.data.parent / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir(exist_ok=True)
        secrets.write_text(SECRETS.format(url=url, client=CLIENT, secret=SECRET, issuer=running.issuer))
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=running.data.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _healthy(url), "the dashboard is healthy", within_s=30)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health", trust_env=False, verify=PLAIN).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def dashboard_of() -> Callable[[House], Any]:
    return dashboard_for


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    return CHROMIUM


@pytest.fixture(scope="session")
def pictures() -> Path:
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT


@pytest.fixture(scope="session")
def hostiles() -> tuple[str, ...]:
    return HOSTILES


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


class PassingCollector:
    """A collector that goes away and comes back at the same address."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._running = ExitStack()
        self._port = 0
        self.url = ""

    def start(self) -> None:
        running = self._running.enter_context(Serving(make_collector(self._data), self._port))
        self.url, self._port = running.url, running.port

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="session")
def passing_collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassingCollector]:
    """It is there, and has seen nothing."""
    collector = PassingCollector(tmp_path_factory.mktemp("passing"))
    collector.start()
    yield collector
    collector.stop()
