"""The command `switchgear`: arguments are declared here, each verb's module is imported when it runs."""

# No `from __future__ import annotations`: typer reads the annotations when it builds the command.

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app", "main"]

RUN, LOOK, CHECK = "Run it", "Look at spend", "Check before you trust"

HELP = (
    "Meters, projects and cuts what AI agents spend on foundation models.\n\n"
    "Agents keep calling their provider directly: they ask switchgear what they may do, and OpenTelemetry "
    "tells switchgear what they did.\n\n"
    "Exit codes: 0 fine, 1 something was found or failed, 2 misuse."
)
EPILOG = (
    "[bold]Examples[/bold]\n\n"
    "  switchgear demo --no-serve --seed 7\n\n"
    "  switchgear up --data ./data --policy-file policies.yaml\n\n"
    '  switchgear query "select tenant, sum(cost) from calls group by all"\n\n'
    "  switchgear policies check policies.yaml"
)

app = typer.Typer(
    name="switchgear",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
serve_app = typer.Typer(help="Run one of the three services, as a container does.", no_args_is_help=True)
prices_app = typer.Typer(help="What usage costs, and at which rates.", no_args_is_help=True)
policies_app = typer.Typer(help="Work with policy files.", no_args_is_help=True)
keys_app = typer.Typer(
    help="Who may do what: keys with tenants and scopes.\n\n"
    "An agent's key has the scopes ingest and decide for its tenant; a person who looks has read; the policies "
    "service talks to the collector with internal. Without any key, whoever is on this machine may do everything. "
    "With the first key, every request needs one.",
    no_args_is_help=True,
)
tenants_app = typer.Typer(help="What the collector keeps of one tenant.", no_args_is_help=True)
app.add_typer(serve_app, name="serve", rich_help_panel=RUN)
app.add_typer(keys_app, name="keys", rich_help_panel=RUN)
app.add_typer(tenants_app, name="tenants", rich_help_panel=RUN)
app.add_typer(prices_app, name="prices", rich_help_panel=CHECK)
app.add_typer(policies_app, name="policies", rich_help_panel=CHECK)

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
Host = Annotated[str, typer.Option(help="Address to listen on; one that others can reach needs an API key.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
CollectorUrl = Annotated[
    str, typer.Option("--collector", envvar="SWITCHGEAR_COLLECTOR", help="URL of the collector.")
]
PoliciesUrl = Annotated[
    str, typer.Option("--policies", envvar="SWITCHGEAR_POLICIES", help="URL of the policies.")
]
# Only from the environment: an argument could be read in the process list.
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="SWITCHGEAR_API_KEY", hidden=True)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
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

LOCAL = "127.0.0.1"
COLLECTOR = "http://127.0.0.1:4318"
POLICIES = "http://127.0.0.1:8700"


class Priced(StrEnum):
    """The service tiers that have rates of their own."""

    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"


def main() -> None:
    """Run the command line; ends the process with the verb's exit code."""
    app()


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from importlib.metadata import version

        typer.echo(f"switchgear {version('switchgear-server')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before any verb."""


@app.command(rich_help_panel=RUN)
def up(
    *,
    data: Data = Path("data"),
    policy_file: PolicyFile = None,
    host: Host = LOCAL,
    dashboard_host: Annotated[
        str, typer.Option(help="Address of the dashboard, which has no sign-in of its own.")
    ] = LOCAL,
    collector_port: Port = 4318,
    grpc_port: GrpcPort = 4317,
    no_grpc: NoGrpc = False,
    policies_port: Port = 8700,
    dashboard_port: Port = 8501,
    api_key: ApiKey = None,
) -> None:
    """Run collector, policies and dashboard together until Ctrl-C."""
    from . import up as verb

    raise typer.Exit(
        verb.run(
            data=data,
            policy_file=policy_file,
            host=host,
            dashboard_host=dashboard_host,
            collector_port=collector_port,
            grpc_port=None if no_grpc else grpc_port,
            policies_port=policies_port,
            dashboard_port=dashboard_port,
            api_key=api_key,
        )
    )


@serve_app.command("collector")
def serve_collector(
    *,
    data: Data = Path("data"),
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
    from . import serve

    raise typer.Exit(
        serve.collector(
            data=data,
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


@serve_app.command("policies")
def serve_policies(
    *,
    policy_file: PolicyFile = None,
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
    from . import serve

    raise typer.Exit(
        serve.policies(
            policy_file=policy_file,
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


@serve_app.command("dashboard")
def serve_dashboard(
    *,
    collector: CollectorUrl = COLLECTOR,
    policies: PoliciesUrl = POLICIES,
    host: Host = LOCAL,
    port: Port = 8501,
    api_key: ApiKey = None,
    supervised: Supervised = False,
) -> None:
    """Show the pages: live breakers and spend, and showback."""
    from . import serve

    raise typer.Exit(
        serve.dashboard(
            collector=collector,
            policies=policies,
            host=host,
            port=port,
            api_key=api_key,
            supervised=supervised,
        )
    )


@app.command(rich_help_panel=RUN)
def demo(
    *,
    seed: Annotated[int, typer.Option(help="Fixes the workload.")] = 7,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End after the table; do not serve the dashboard.")
    ] = False,
    sabotage: Annotated[
        str | None,
        typer.Option(
            "--break",
            metavar="WHAT",
            help="Break ceiling, count or price on purpose, to see the demo's check fail.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play the 2 a.m. incident against a local fake provider, without and with switchgear."""
    from . import demo as verb

    raise typer.Exit(verb.run(seed=seed, serve=not no_serve, sabotage=sabotage, as_json=as_json))


@app.command("import", rich_help_panel=RUN)
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="OTLP/JSON, JSON lines of it, or protobuf; any of them gzipped."
        ),
    ],
    *,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Also spans that are too old to be sent by an agent; takes a key with admin."
        ),
    ] = False,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Send trace files to a collector; sent again, nothing is booked twice."""
    from . import import_ as verb

    raise typer.Exit(verb.run(files, collector=collector, api_key=api_key, history=history, as_json=as_json))


@app.command(rich_help_panel=CHECK)
def inspect(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="OTLP/JSON, JSON lines of it, or protobuf; any of them gzipped."
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show the calls that trace files would book, and each span that they would not, with the reason."""
    from . import inspect as verb

    raise typer.Exit(verb.run(files, as_json=as_json))


@prices_app.command("quote")
def prices_quote(
    *,
    provider: Annotated[str, typer.Option(help="openai, anthropic, ...")],
    model: Annotated[str, typer.Option(help="The model, as the provider names it.")],
    usage: Annotated[
        str,
        typer.Option(
            metavar="JSON",
            help="Counts: input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning.",
        ),
    ],
    at: Annotated[
        str | None, typer.Option(metavar="RFC3339", help="When the call was made. Default: now.")
    ] = None,
    service_tier: Annotated[Priced | None, typer.Option(help="A service tier with rates of its own.")] = None,
    as_json: Json = False,
) -> None:
    """Price one usage as of a date; an unknown model is unpriced, never 0."""
    from . import prices

    tier = service_tier.value if service_tier else None
    raise typer.Exit(prices.quote(provider, model, usage, at, tier, as_json=as_json))


@policies_app.command("check")
def policies_check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]) -> None:
    """Validate a policy file: every error with its line, or one line that it is fine."""
    from . import policies

    raise typer.Exit(policies.check(file))


@keys_app.command("create")
def keys_create(
    *,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A tenant, a pattern such as 'acme-*', or '*' for all; repeatable."
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="ingest (send spans), decide (ask for grants), read (reports, budgets), operate (move breakers), "
            "finance (read; registry and plans), owner:NAME (read that owner's workloads), internal (the services), "
            "admin (everything); repeatable.",
        ),
    ] = None,
    expires: Annotated[str | None, typer.Option(metavar="90d", help="When it ends. Default: never.")] = None,
    name: Annotated[str, typer.Option(help="What it is for, shown in the list.", show_default=False)] = "",
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION", help="cost_spans: it may book costs that are no calls to a model; repeatable."
        ),
    ] = None,
    data: Data = Path("data"),
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is printed this once; only a hash of it is kept.

    Example: switchgear keys create --tenant acme --scope ingest --scope decide --expires 90d
    """
    from . import keys

    raise typer.Exit(
        keys.create(
            data,
            tenants=tenant or (),
            scopes=scope or (),
            options=option or (),
            name=name,
            expires=expires,
            as_json=as_json,
        )
    )


@keys_app.command("list")
def keys_list(*, data: Data = Path("data"), as_json: Json = False) -> None:
    """Show every key that was made: its rights and whether it is live, expired or revoked."""
    from . import keys

    raise typer.Exit(keys.list_keys(data, as_json=as_json))


@keys_app.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list shows it: sg_...")],
    *,
    data: Data = Path("data"),
) -> None:
    """End a key at once; running services refuse it within 2 s."""
    from . import keys

    raise typer.Exit(keys.revoke(data, key))


@keys_app.command("rotate")
def keys_rotate(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list shows it: sg_...")],
    *,
    overlap: Annotated[str, typer.Option(help="How long the old secret goes on.")] = "24h",
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="90d", help="When the new one ends. Default: after as long as the old one was made for."
        ),
    ] = None,
    data: Data = Path("data"),
    as_json: Json = False,
) -> None:
    """Make a new secret with a key's rights; both are good until the overlap ends."""
    from . import keys

    raise typer.Exit(keys.rotate(data, key, overlap=overlap, expires=expires, as_json=as_json))


@app.command(rich_help_panel=RUN)
def backup(*, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Copy a running collector's data into a new folder beside it; spans are taken meanwhile.

    Example: switchgear backup, and later switchgear restore data/backups/20261124T120000.000000Z
    """
    from . import backup as verb

    raise typer.Exit(verb.backup(collector=collector, api_key=api_key, as_json=as_json))


@app.command(rich_help_panel=RUN)
def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that `backup` printed.")],
    *,
    data: Data = Path("data"),
    as_json: Json = False,
) -> None:
    """Put a backup in place of what is in the data folder, which is moved aside. Stop the collector before.

    What the journal holds beyond the backup is booked again at the next start.
    """
    from . import backup as verb

    raise typer.Exit(verb.restore(source, data=data, as_json=as_json))


@tenants_app.command("delete-details")
def tenants_delete_details(
    tenant: Annotated[str, typer.Argument(metavar="NAME", help="The tenant, as its calls name it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays in the record of deletions.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it: there is no way back.")] = False,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Delete every detail of a tenant; its amounts stay under a pseudonym. Takes a key with admin.

    Example: switchgear tenants delete-details acme --yes --reason "contract ended, ticket 4711"
    """
    from . import tenants

    raise typer.Exit(
        tenants.delete_details(
            tenant, reason=reason, sure=yes, collector=collector, api_key=api_key, as_json=as_json
        )
    )


@app.command(rich_help_panel=LOOK)
def query(
    question: Annotated[
        str, typer.Argument(metavar="SQL|REPORT", help="One SELECT, or the name of a report.")
    ],
    *,
    given: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME=VALUE", help="A parameter of a report; repeatable."),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Ask the collector: read-only SQL over the view `calls`, or a named report."""
    from . import query as verb

    raise typer.Exit(
        verb.run(question, given=given or (), collector=collector, api_key=api_key, as_json=as_json)
    )


@app.command(rich_help_panel=LOOK)
def review(
    *,
    week: Annotated[str, typer.Option(metavar="YYYY-Www", help="ISO week, such as 2026-W47.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("reviews"),
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write the weekly cost-ownership review: CSV, Parquet and HTML."""
    from . import review as verb

    raise typer.Exit(verb.run(week, out=out, collector=collector, api_key=api_key, as_json=as_json))
