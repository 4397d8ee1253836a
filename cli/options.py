"""Options that several verbs take, each with one name, one help text and one variable."""

# No `from __future__ import annotations`, here as in every module of commands: typer reads the annotations.

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CACHE",
    "COLLECTOR",
    "LOCAL",
    "POLICIES",
    "ApiKey",
    "By",
    "CacheUrl",
    "ChargebackFile",
    "CollectorUrl",
    "ContractFile",
    "Data",
    "GrpcPort",
    "Host",
    "Json",
    "Keyless",
    "NoGrpc",
    "NoticeFile",
    "OidcFile",
    "PoliciesUrl",
    "PolicyFile",
    "Port",
    "PriceFile",
    "Reason",
    "Supervised",
    "TlsCert",
    "TlsKey",
    "TraceFiles",
]

LOCAL = "127.0.0.1"
COLLECTOR = "http://127.0.0.1:4318"
POLICIES = "http://127.0.0.1:8700"
CACHE = "http://127.0.0.1:8720"

Data = Annotated[
    Path, typer.Option(envvar="SWITCHGEAR_DATA", help="Folder that holds everything switchgear keeps.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        envvar="SWITCHGEAR_POLICY_FILE",
        help="Policy file. Default: policies.yaml here, else the packaged starter.",
        show_default=False,
    ),
]
PriceFile = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        envvar="SWITCHGEAR_PRICES",
        metavar="FILE",
        help="Your prices, over the list prices (docs/prices.md). Default: prices.yaml here, if there is one.",
        show_default=False,
    ),
]
ContractFile = Annotated[
    Path | None,
    typer.Option(
        "--contracts",
        envvar="SWITCHGEAR_CONTRACTS",
        metavar="FILE",
        help="What was negotiated (docs/contracts.md). Default: contracts.yaml here, if there is one.",
        show_default=False,
    ),
]
ChargebackFile = Annotated[
    Path | None,
    typer.Option(
        "--chargeback",
        envvar="SWITCHGEAR_CHARGEBACK",
        metavar="FILE",
        help="Zone, closing, accounts and shared cost (docs/chargeback.md). "
        "Default: chargeback.yaml here, if there is one.",
        show_default=False,
    ),
]
NoticeFile = Annotated[
    Path | None,
    typer.Option(
        "--notices",
        envvar="SWITCHGEAR_NOTICES",
        metavar="FILE",
        help="Who is told of breakers (docs/notifications.md). Default: notices.yaml here, if there is one.",
        show_default=False,
    ),
]
OidcFile = Annotated[
    Path | None,
    typer.Option(
        "--oidc",
        envvar="SWITCHGEAR_OIDC",
        metavar="FILE",
        help="Whose tokens are taken beside keys (docs/oidc.md). Default: oidc.yaml here, if there is one.",
        show_default=False,
    ),
]
TraceFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="OTLP/JSON, JSON lines of it, or protobuf; any of them gzipped."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the log.")]
By = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Who; it stands in the log. Default: the user.", show_default=False),
]

CollectorUrl = Annotated[
    str, typer.Option("--collector", envvar="SWITCHGEAR_COLLECTOR", help="URL of the collector.")
]
PoliciesUrl = Annotated[
    str, typer.Option("--policies", envvar="SWITCHGEAR_POLICIES", help="URL of the policies.")
]
CacheUrl = Annotated[
    str,
    typer.Option("--cache", envvar="SWITCHGEAR_CACHE", help="URL of the answer cache, or its folder."),
]
# Only from the environment: an argument could be read in the process list.
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="SWITCHGEAR_API_KEY", hidden=True)]

Host = Annotated[str, typer.Option(help="Address to listen on; one that others can reach needs an API key.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
GrpcPort = Annotated[int, typer.Option(min=1, max=65535, help="Port of the collector for OTLP/gRPC.")]
NoGrpc = Annotated[bool, typer.Option("--no-grpc", help="Take OTLP over HTTP only.")]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        envvar="SWITCHGEAR_TLS_CERT", help="Certificate chain (PEM): serve with TLS.", show_default=False
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(envvar="SWITCHGEAR_TLS_KEY", help="Its private key (PEM).", show_default=False),
]
Keyless = Annotated[bool, typer.Option("--keyless", hidden=True)]
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]
