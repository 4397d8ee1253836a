"""The composition root: each service is built here from its parts, bound to its port and run until a signal.

Everything that one part needs of a part above it (prices and reports in the collector) is passed in here.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.without import bring_back

from .console import fail, misuse, note, plain, say
from .listener import ListenError, bind, is_loopback, local_url
from .paths import chargeback_path, contract_path, notice_path, oidc_path, policy_path, price_path
from .tls import Certificate, CertificateError

if TYPE_CHECKING:
    from analytics.live import LivePrices
    from collector.keys.tokens import Tokens

__all__ = ["KEYLESS", "cache", "collector", "dashboard", "needs_key", "policies", "refusal"]

_log = logging.getLogger("switchgear")

KEYLESS = (
    "no API key is set: every process on this machine may read and write; "
    "make one with: switchgear keys create, or set SWITCHGEAR_API_KEY, to require one"
)
_ENDS_WITHIN_S = 8
_SWITCH_S = 0.0005


def collector(
    *,
    data: Path,
    prices: Path | None = None,
    contracts: Path | None = None,
    chargeback: Path | None = None,
    oidc: Path | None = None,
    host: str,
    port: int,
    grpc_port: int | None,
    limits: Sequence[str],
    retain: Sequence[str],
    api_key: str | None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    keyless: bool = False,
    supervised: bool = False,
) -> int:
    """Take OTLP, keep the calls in `data` and answer queries until a signal; the exit code.

    HTTP is on `port`, gRPC on `grpc_port`, or nowhere where that is None.
    """
    from collector.erasing.retention import Retention
    from collector.ingest.limits import Limits

    try:
        taken = Limits().changed(limits)
    except ValueError as unfit:
        return misuse(f"collector: --limit: {plain(str(unfit))}")
    try:
        kept = Retention().changed(retain)
        kept.check(taken)
    except ValueError as unfit:
        return misuse(f"collector: --retain: {plain(str(unfit))}")

    if grpc_port == port:
        return misuse(
            f"collector: HTTP and gRPC need a port each, not both {port}; name one with --grpc-port"
        )

    def build(certificate: Certificate | None) -> Any:
        from importlib.metadata import version

        from analytics import registry
        from analytics.serving import added
        from collector.ingest.grpc_server import Endpoint
        from collector.service import create_app

        live = _prices(prices, contracts)
        served = added(live, chargeback_path(chargeback), version("switchgear-server"))
        grpc = None
        if grpc_port is not None:
            # The gRPC library listens only once the event loop runs: whether it can is found out here.
            bind(host, grpc_port, option="--grpc-port").close()
            grpc = Endpoint(host, grpc_port, certificate.pem() if certificate else None)
        return create_app(
            data=data,
            price=live.quote,
            price_calls=live.quotes,
            reports=served.reports,
            registry=registry,
            extensions=served.extensions,
            limits=taken,
            retention=kept,
            api_key=api_key,
            keyless=keyless,
            tokens=_tokens(oidc),
            grpc=grpc,
            # One core is busy with the rest; more than two such processes would wait for it.
            billers=min(2, (os.cpu_count() or 1) - 1),
        )

    return _serve(
        "collector",
        build,
        data=data,
        host=host,
        port=port,
        grpc_port=grpc_port,
        api_key=api_key,
        oidc=oidc,
        tls=(tls_cert, tls_key),
        supervised=supervised,
    )


def policies(
    *,
    policy_file: Path | None,
    prices: Path | None = None,
    contracts: Path | None = None,
    notices: Path | None = None,
    oidc: Path | None = None,
    data: Path,
    collector: str | None,
    host: str,
    port: int,
    api_key: str | None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    keyless: bool = False,
    supervised: bool = False,
) -> int:
    """Decide by `policy_file` on what the collector books, on `port`, until a signal; the exit code."""

    def build(_: Certificate | None) -> Any:
        from policies.service import create_app

        return create_app(
            policy_file=policy_path(policy_file),
            data=data,
            price=_prices(prices, contracts).quote,
            collector=collector,
            api_key=api_key,
            keyless=keyless,
            tokens=_tokens(oidc),
            notices=notice_path(notices),
            own_process=True,
        )

    return _serve(
        "policies",
        build,
        data=data,
        host=host,
        port=port,
        api_key=api_key,
        oidc=oidc,
        tls=(tls_cert, tls_key),
        supervised=supervised,
    )


def cache(
    *,
    folder: Path | None,
    policy_file: Path | None,
    oidc: Path | None = None,
    data: Path,
    host: str,
    port: int,
    api_key: str | None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    keyless: bool = False,
    supervised: bool = False,
) -> int:
    """Keep answers in `folder` (default: `cache` in `data`) for many processes, on `port`, until a signal."""

    def build(_: Certificate | None) -> Any:
        from policies.caching.service import create_app
        from switchgear.cache.cache import open_cache

        return create_app(
            open_cache=lambda: open_cache(folder or data / "cache"),
            policy_file=policy_path(policy_file),
            data=data,
            api_key=api_key,
            keyless=keyless,
            tokens=_tokens(oidc),
        )

    return _serve(
        "cache",
        build,
        data=data,
        host=host,
        port=port,
        api_key=api_key,
        oidc=oidc,
        tls=(tls_cert, tls_key),
        supervised=supervised,
        folder_option="--data" if folder is None else "--folder",
    )


def dashboard(*, collector: str, policies: str, host: str, port: int, supervised: bool = False) -> int:
    """Show the pages on `port` until a signal; the exit code. They read the two services with each viewer's own key."""
    try:
        bind(host, port, option=_port_option("dashboard", supervised=supervised)).close()
    except ListenError as problem:
        return fail(f"dashboard: {problem}")
    bring_back()
    try:
        from streamlit.web import cli as streamlit
    except ModuleNotFoundError:
        return fail("dashboard: streamlit is not installed; pip install 'switchgear-server[dashboard]'")
    import dashboard as pages

    if not is_loopback(host):
        note(
            f"dashboard: {host}:{port} can be reached from other machines: viewers sign in with their keys, so put TLS "
            "in front; where the services need no key, nothing is shown"
        )
    if supervised:
        _report_to_parent()
    os.environ["SWITCHGEAR_COLLECTOR"] = collector
    os.environ["SWITCHGEAR_POLICIES"] = policies
    app = Path(str(pages.__file__)).with_name("web.py")
    streamlit.main(["run", str(app), *_streamlit_options(host, port)], standalone_mode=False)
    return 0


def needs_key(data: Path, api_key: str | None, oidc: Path | None = None) -> bool:
    """Whether the services on this folder want to know of everybody who they are.

    Raises StoreError for an unusable key file.
    """
    from collector.keys.keyring import FILE_NAME, Keyring

    return bool(api_key) or oidc_path(oidc) is not None or bool(Keyring(data / FILE_NAME).records())


def refusal(host: str, *, has_key: bool) -> str | None:
    """Why this address may not be served: without a key only this machine may reach a service."""
    if has_key or is_loopback(host):
        return None
    return (
        f"--host {host} can be reached from other machines, so a key is needed; "
        "set SWITCHGEAR_API_KEY, or make one with: switchgear keys create"
    )


def _prices(prices: Path | None, contracts: Path | None) -> LivePrices:
    """What a service prices by, which follows its files. Raises DocumentError for a file that cannot be used."""
    from analytics.live import LivePrices, follow

    live = LivePrices(price_path(prices), contract_path(contracts))
    follow(live)
    return live


def _tokens(oidc: Path | None) -> Tokens | None:
    """The tokens that a service takes, by a file that it follows. Raises OidcFileError for one that cannot be used."""
    from .oidc import tokens

    path = oidc_path(oidc)
    return None if path is None else tokens(path)


def _serve(
    name: str,
    build: Callable[[Certificate | None], Any],
    *,
    data: Path,
    host: str,
    port: int,
    grpc_port: int | None = None,
    api_key: str | None,
    oidc: Path | None,
    tls: tuple[Path | None, Path | None],
    supervised: bool,
    folder_option: str = "--data",
) -> int:
    """Bind, build, run; every refusal to start is one line and an exit code."""
    from collector import logs
    from collector.errors import StoreError

    try:
        certificate = Certificate.of(*tls)
        guarded = needs_key(data, api_key, oidc)
    except (CertificateError, StoreError) as problem:
        return fail(f"{name}: {problem}")
    refused = refusal(host, has_key=guarded)
    if refused:
        return misuse(f"{name}: {refused}")
    logs.start(name, os.environ.get("SWITCHGEAR_LOG", logs.TEXT))
    try:
        with bind(host, port, option=_port_option(name, supervised=supervised)) as listener:
            try:
                app = _built(build, certificate)
            except OSError as problem:
                return fail(
                    f"{name}: {problem.filename}: {problem.strerror}; choose another folder with {folder_option}"
                )
            if not supervised:
                url = local_url(host, port, scheme="https" if certificate else "http")
                _announce(name, url, grpc_port, guarded=guarded)
            else:
                _report_to_parent()
            return _run(app, listener, certificate)
    except Exception as problem:
        reason = _refused(problem)
        if reason is None:
            raise
        return fail(f"{name}: {reason}")


def _built(build: Callable[[Certificate | None], Any], certificate: Certificate | None) -> Any:
    """The application. What it is made of stays to its end, so no garbage is looked for in it, now or later."""
    gc.disable()
    try:
        app = build(certificate)
        gc.freeze()
        return app
    finally:
        gc.enable()


def _refused(problem: Exception) -> str | None:
    """Why a service does not start, in one line; None where it is nothing that somebody can mend.

    Only here is loaded what can be wrong: one service has no need of the parts that read another's files.
    """
    from analytics.documents import DocumentError
    from collector.errors import StoreError
    from policies.files import PolicyFileError
    from policies.journal import JournalError
    from policies.notices import NoticeFileError
    from policies.transitions import BrokenChainError
    from switchgear.errors import ConfigError

    from .oidc import OidcFileError

    match problem:
        case PolicyFileError():
            return _first(str(problem), "policies check")
        case NoticeFileError():
            return _first(str(problem), "notices test")
        case OidcFileError():
            return _first(str(problem), "keys oidc")
        case DocumentError():
            return _first(str(problem), "prices check")
        case ListenError() | StoreError() | BrokenChainError() | JournalError() | ConfigError():
            return str(problem)
    return None


def _run(app: Any, listener: Any, certificate: Certificate | None) -> int:
    from .drain import Server

    # A thread that comes back from a socket or the disk waits this long for the interpreter. With the usual 5 ms the
    # collector took in a fourth fewer spans a second, its processes and disk idle meanwhile.
    sys.setswitchinterval(_SWITCH_S)
    server = Server(app, tls=certificate.context() if certificate else None)

    def stop(*_: object) -> None:
        server.should_exit = True

    # Before uvicorn's own handlers stand, and after: it raises the signal again once it has stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _announce(name: str, url: str, grpc_port: int | None, *, guarded: bool) -> None:
    if not guarded:
        _log.warning(KEYLESS)
    grpc = f", for gRPC on port {grpc_port}" if grpc_port is not None else ""
    _log.info("%s listens on %s%s; Ctrl-C stops it", name, url, grpc)


def _port_option(name: str, *, supervised: bool) -> str:
    """The flag by which whoever typed the command chooses this service's port."""
    return f"--{name}-port" if supervised else "--port"


def _first(report: str, verb: str) -> str:
    """The first error of a report, with a pointer to the rest: a refusal to start is one line."""
    first, *rest = report.splitlines()
    return f"{first} ({len(rest)} more: switchgear {verb} lists them)" if rest else first


def _report_to_parent() -> None:
    """Say that the port is ours, and end with the supervisor: its end of stdin closes however it died."""

    nowhere = os.open(os.devnull, os.O_WRONLY)

    def watch() -> None:
        while os.read(0, 1):
            pass
        # Nobody reads what is written now, and a write that fails must not keep the service from ending.
        os.dup2(nowhere, 2)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_ENDS_WITHIN_S)
        os._exit(1)

    say("listening")
    os.dup2(nowhere, 1)
    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _streamlit_options(host: str, port: int) -> list[str]:
    """Headless, without telemetry, and without the welcome line, which looks up a public address."""
    settings = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": "true",
        "client.toolbarMode": "minimal",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]
