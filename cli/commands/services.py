"""The verbs that run services: `up` and the group `serve`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import (
    COLLECTOR,
    LOCAL,
    POLICIES,
    ApiKey,
    ChargebackFile,
    CollectorUrl,
    ContractFile,
    Data,
    GrpcPort,
    Host,
    Keyless,
    NoGrpc,
    NoticeFile,
    OidcFile,
    PoliciesUrl,
    PolicyFile,
    Port,
    PriceFile,
    Supervised,
    TlsCert,
    TlsKey,
)

__all__ = ["app", "up"]

app = typer.Typer(help="Run one of the services, as a container does.", no_args_is_help=True)


def up(
    *,
    data: Data = Path("data"),
    policy_file: PolicyFile = None,
    prices: PriceFile = None,
    contracts: ContractFile = None,
    chargeback: ChargebackFile = None,
    notices: NoticeFile = None,
    oidc: OidcFile = None,
    host: Host = LOCAL,
    dashboard_host: Annotated[str, typer.Option(help="Address of the dashboard.")] = LOCAL,
    collector_port: Port = 4318,
    grpc_port: GrpcPort = 4317,
    no_grpc: NoGrpc = False,
    policies_port: Port = 8700,
    dashboard_port: Port = 8501,
    cache: Annotated[
        bool, typer.Option("--cache", help="Run the answer cache as well (docs/semantic-cache-service.md).")
    ] = False,
    cache_port: Port = 8720,
    api_key: ApiKey = None,
) -> None:
    """Run collector, policies and dashboard together until Ctrl-C, with --cache the answer cache too."""
    from .. import up as verb

    raise typer.Exit(
        verb.run(
            data=data,
            policy_file=policy_file,
            prices=prices,
            contracts=contracts,
            chargeback=chargeback,
            notices=notices,
            oidc=oidc,
            host=host,
            dashboard_host=dashboard_host,
            collector_port=collector_port,
            grpc_port=None if no_grpc else grpc_port,
            policies_port=policies_port,
            dashboard_port=dashboard_port,
            cache_port=cache_port if cache else None,
            api_key=api_key,
        )
    )


@app.command()
def collector(
    *,
    data: Data = Path("data"),
    prices: PriceFile = None,
    contracts: ContractFile = None,
    chargeback: ChargebackFile = None,
    oidc: OidcFile = None,
    host: Host = LOCAL,
    port: Port = 4318,
    grpc_port: GrpcPort = 4317,
    no_grpc: NoGrpc = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=N",
            envvar="SWITCHGEAR_LIMITS",
            help="Change what is taken of a key or a tenant (docs/limits.md); repeatable.",
        ),
    ] = None,
    retain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DAYS",
            envvar="SWITCHGEAR_RETENTION",
            help="Change for how long details are kept (docs/retention.md); repeatable.",
        ),
    ] = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    api_key: ApiKey = None,
    keyless: Keyless = False,
    supervised: Supervised = False,
) -> None:
    """Take OpenTelemetry traces (OTLP over HTTP and gRPC) and keep the calls they bill."""
    from .. import serve

    raise typer.Exit(
        serve.collector(
            data=data,
            prices=prices,
            contracts=contracts,
            chargeback=chargeback,
            oidc=oidc,
            host=host,
            port=port,
            grpc_port=None if no_grpc else grpc_port,
            limits=limit or (),
            retain=retain or (),
            api_key=api_key,
            tls_cert=tls_cert,
            tls_key=tls_key,
            keyless=keyless,
            supervised=supervised,
        )
    )


@app.command()
def policies(
    *,
    policy_file: PolicyFile = None,
    prices: PriceFile = None,
    contracts: ContractFile = None,
    notices: NoticeFile = None,
    oidc: OidcFile = None,
    data: Data = Path("data"),
    collector: CollectorUrl = COLLECTOR,
    host: Host = LOCAL,
    port: Port = 8700,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    api_key: ApiKey = None,
    keyless: Keyless = False,
    supervised: Supervised = False,
) -> None:
    """Decide what agents may do, by the policy file and what the collector books."""
    from .. import serve

    raise typer.Exit(
        serve.policies(
            policy_file=policy_file,
            prices=prices,
            contracts=contracts,
            notices=notices,
            oidc=oidc,
            data=data,
            collector=collector,
            host=host,
            port=port,
            api_key=api_key,
            tls_cert=tls_cert,
            tls_key=tls_key,
            keyless=keyless,
            supervised=supervised,
        )
    )


@app.command()
def cache(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where the answers lie. Default: cache in the data.", show_default=False
        ),
    ] = None,
    policy_file: PolicyFile = None,
    oidc: OidcFile = None,
    data: Data = Path("data"),
    host: Host = LOCAL,
    port: Port = 8720,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    api_key: ApiKey = None,
    keyless: Keyless = False,
    supervised: Supervised = False,
) -> None:
    """Keep answers for many processes, on the terms of the policy file (docs/semantic-cache-service.md).

    Agents that ask it: SWITCHGEAR_CACHE=http://127.0.0.1:8720
    """
    from .. import serve

    raise typer.Exit(
        serve.cache(
            folder=folder,
            policy_file=policy_file,
            oidc=oidc,
            data=data,
            host=host,
            port=port,
            tls_cert=tls_cert,
            tls_key=tls_key,
            api_key=api_key,
            keyless=keyless,
            supervised=supervised,
        )
    )


@app.command()
def dashboard(
    *,
    collector: CollectorUrl = COLLECTOR,
    policies: PoliciesUrl = POLICIES,
    host: Host = LOCAL,
    port: Port = 8501,
    supervised: Supervised = False,
) -> None:
    """Show the pages: live, tasks, showback and chargeback, policies, review. Viewers sign in with their own keys."""
    from .. import serve

    raise typer.Exit(
        serve.dashboard(
            collector=collector,
            policies=policies,
            host=host,
            port=port,
            supervised=supervised,
        )
    )
