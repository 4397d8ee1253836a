"""The supervisor of `switchgear up`: three children or four, ready together and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from collector.errors import StoreError
from collector.keys.keyring import PREFIX

from .console import fail, misuse, note, say
from .listener import local_url
from .paths import chargeback_path, contract_path, notice_path, oidc_path, policy_path, price_path
from .serve import KEYLESS, needs_key, refusal

__all__ = ["Service", "run"]

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 8.0
_POLL_S = 0.1
_OURS = "switchgear: "
_TLS = {"SWITCHGEAR_TLS_CERT", "SWITCHGEAR_TLS_KEY"}


@dataclass(frozen=True, slots=True)
class Service:
    """One child: its name, what follows `switchgear serve`, where people find it, and what answers 200 once ready."""

    name: str
    arguments: tuple[str, ...]
    where: str
    ready: str


@dataclass(slots=True)
class Child:
    """A running service and what it wrote to stderr: held back until all are ready, then passed on."""

    service: Service
    process: asyncio.subprocess.Process
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    passing: bool = False
    bound: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the port is this child's: until then another process may answer there."""

    async def listen(self) -> None:
        """Take the one line that a child says on stdout, once it is bound."""
        assert self.process.stdout is not None  # noqa: S101 - it was opened as a pipe
        if await self.process.stdout.readline():
            self.bound.set()

    async def read(self) -> None:
        """Keep what the child writes to stderr."""
        assert self.process.stderr is not None  # noqa: S101 - it was opened as a pipe
        async for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip()
            if line:
                self.tail.append(line)
                if self.passing:
                    note(f"{self.service.name}: {line.removeprefix(_OURS)}")


def run(
    *,
    data: Path,
    policy_file: Path | None,
    prices: Path | None = None,
    contracts: Path | None = None,
    chargeback: Path | None = None,
    notices: Path | None = None,
    oidc: Path | None = None,
    host: str,
    dashboard_host: str,
    collector_port: int,
    grpc_port: int | None,
    policies_port: int,
    dashboard_port: int,
    cache_port: int | None = None,
    api_key: str | None,
) -> int:
    """Run the three services, and with a `cache_port` the cache's, until a signal (exit 0) or until one of them dies
    (exit 1).

    Where `api_key` is no root key they get one of their own, so that they can talk to each other once there are keys.
    """
    root = api_key if api_key and not api_key.startswith(PREFIX) else None
    try:
        guarded = needs_key(data, root, oidc)
    except StoreError as problem:
        return fail(str(problem))
    for name, address in (("--host", host), ("--dashboard-host", dashboard_host)):
        refused = refusal(address, has_key=guarded)
        if refused:
            return misuse(refused.replace("--host", name))
    if shared := _shared_port(
        {
            "--collector-port": collector_port,
            "--grpc-port": grpc_port,
            "--policies-port": policies_port,
            "--dashboard-port": dashboard_port,
            "--cache-port": cache_port,
        }
    ):
        return misuse(shared)
    if _TLS.intersection(os.environ):
        return misuse(
            "up serves without TLS; unset SWITCHGEAR_TLS_CERT and _KEY, or run each: switchgear serve"
        )
    services = _services(
        data=data.absolute(),
        policy_file=policy_path(policy_file).absolute(),
        prices=price_path(prices),
        contracts=contract_path(contracts),
        chargeback=chargeback_path(chargeback),
        notices=notice_path(notices),
        oidc=oidc_path(oidc),
        host=host,
        dashboard_host=dashboard_host,
        collector_port=collector_port,
        grpc_port=grpc_port,
        policies_port=policies_port,
        dashboard_port=dashboard_port,
        cache_port=cache_port,
        keyless=root is None,
    )
    if not guarded:
        note(KEYLESS)
    environment = {**os.environ, "SWITCHGEAR_API_KEY": root or secrets.token_urlsafe(32)}
    return asyncio.run(_supervise(services, environment, data=data.absolute()))


def _shared_port(ports: Mapping[str, int | None]) -> str | None:
    """Which options name one port, where two do."""
    for port in ports.values():
        options = [option for option, other in ports.items() if other == port]
        if port is not None and len(options) > 1:
            return f"{' and '.join(options)} name one port, {port}; each service needs one of its own"
    return None


def _services(
    *,
    data: Path,
    policy_file: Path,
    prices: Path | None,
    contracts: Path | None,
    chargeback: Path | None,
    notices: Path | None,
    oidc: Path | None,
    host: str,
    dashboard_host: str,
    collector_port: int,
    grpc_port: int | None,
    policies_port: int,
    dashboard_port: int,
    cache_port: int | None,
    keyless: bool,
) -> tuple[Service, ...]:
    keys = (
        *(("--keyless",) if keyless else ()),
        *(() if oidc is None else ("--oidc", str(oidc.absolute()))),
    )
    book = (
        *(("--prices", str(prices.absolute())) if prices is not None else ()),
        *(("--contracts", str(contracts.absolute())) if contracts is not None else ()),
    )
    charged = () if chargeback is None else ("--chargeback", str(chargeback.absolute()))
    told = () if notices is None else ("--notices", str(notices.absolute()))
    grpc = ("--no-grpc",) if grpc_port is None else ("--grpc-port", str(grpc_port))
    collector, policies = local_url(host, collector_port), local_url(host, policies_port)
    dashboard = local_url(dashboard_host, dashboard_port)
    return (
        Service(
            "collector",
            (
                *("collector", "--data", str(data), *book, *charged, *keys),
                *("--host", host, "--port", str(collector_port), *grpc),
            ),
            collector if grpc_port is None else f"{collector}  (gRPC: port {grpc_port})",
            f"{collector}/readyz",
        ),
        Service(
            "policies",
            (
                *("policies", "--policy-file", str(policy_file), "--data", str(data), *book, *told),
                *(*keys, "--collector", collector, "--host", host, "--port", str(policies_port)),
            ),
            policies,
            f"{policies}/readyz",
        ),
        Service(
            "dashboard",
            (
                *("dashboard", "--collector", collector, "--policies", policies),
                *("--host", dashboard_host, "--port", str(dashboard_port)),
            ),
            dashboard,
            f"{dashboard}/_stcore/health",
        ),
        *(() if cache_port is None else (_cache(data, policy_file, keys, host, cache_port),)),
    )


def _cache(data: Path, policy_file: Path, keys: Sequence[str], host: str, port: int) -> Service:
    where = local_url(host, port)
    return Service(
        "cache",
        (
            *("cache", "--policy-file", str(policy_file), "--data", str(data), *keys),
            *("--host", host, "--port", str(port)),
        ),
        where,
        f"{where}/readyz",
    )


async def _supervise(services: Sequence[Service], environment: Mapping[str, str], *, data: Path) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    children = [await _start(service, environment) for service in services]
    readers = [asyncio.create_task(child.read()) for child in children]
    listeners = [asyncio.create_task(child.listen()) for child in children]
    stopped = asyncio.create_task(stop.wait())
    died = asyncio.create_task(_first_death(children))
    ready = asyncio.create_task(_all_ready(children))
    try:
        await asyncio.wait(
            {stopped, died, ready}, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        if ready.done() and not died.done() and not stopped.done():
            _announce(children, data)
            await asyncio.wait({stopped, died}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
        stopped.cancel()
        early = await _reported(died, readers)
        await _stop(children)
        await asyncio.gather(ready, died, stopped, *readers, *listeners, return_exceptions=True)
    if stop.is_set():
        return 0
    if early is None:
        return fail(f"not every service was ready within {READY_WITHIN_S:.0f} s; stopped all")
    return _explain(early)


async def _start(service: Service, environment: Mapping[str, str]) -> Child:
    """A child in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone.

    `-P` keeps the folder that the command runs in off the import path: a folder `cli` there is not ours.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", "serve", *service.arguments, "--supervised"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
        limit=1 << 20,
    )
    return Child(service, process)


async def _first_death(children: Sequence[Child]) -> Child:
    waits = {asyncio.create_task(child.process.wait()): child for child in children}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return waits[done.pop()]


async def _all_ready(children: Sequence[Child]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        for child in children:
            await child.bound.wait()
            while not await _answers(client, child.service.ready):  # noqa: ASYNC110 - a process sets no event
                await asyncio.sleep(_POLL_S)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _announce(children: Sequence[Child], data: Path) -> None:
    say("switchgear is up; Ctrl-C stops it")
    for child in children:
        say(f"  {child.service.name:<10} {child.service.where}")
        for line in child.tail:
            note(f"{child.service.name}: {line.removeprefix(_OURS)}")
        child.passing = True
    say(f"  data       {data}")


async def _reported(died: asyncio.Task[Child], readers: Sequence[asyncio.Task[None]]) -> Child | None:
    """The child that died, once what it last wrote has been read; None while all live."""
    if not died.done():
        died.cancel()
        return None
    await asyncio.wait(readers, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
    return died.result()


async def _stop(children: Sequence[Child]) -> None:
    """Ask every child to stop, wait, and end those that have not."""
    living = [child.process for child in children if child.process.returncode is None]
    for process in living:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    if not living:
        return
    waits = [asyncio.create_task(process.wait()) for process in living]
    await asyncio.wait(waits, timeout=STOP_WITHIN_S)
    for process in living:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    await asyncio.gather(*waits)


def _explain(dead: Child) -> int:
    """One line that names the child and its last words; before it the whole stderr of a crash."""
    last = dead.tail[-1] if dead.tail else "it wrote nothing to stderr"
    if not last.startswith(_OURS) and not dead.passing:
        for line in list(dead.tail)[:-1]:
            sys.stderr.write(f"{line}\n")
    last = last.removeprefix(_OURS).removeprefix(f"{dead.service.name}: ")
    return fail(f"{dead.service.name} stopped (exit {dead.process.returncode}), so all were stopped: {last}")
