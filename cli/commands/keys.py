"""The group `keys`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Data, Json, OidcFile

__all__ = ["app"]

app = typer.Typer(
    help="Who may do what: keys with tenants and scopes.\n\n"
    "An agent's key has the scopes ingest and decide for its tenant; a person who looks has read; the policies "
    "service talks to the collector with internal. Without any key, whoever is on this machine may do everything. "
    "With the first key, every request needs one.",
    no_args_is_help=True,
)


@app.command()
def create(
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
    from .. import keys

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


@app.command("list")
def list_(*, data: Data = Path("data"), as_json: Json = False) -> None:
    """Show every key that was made: its rights and whether it is live, expired or revoked."""
    from .. import keys

    raise typer.Exit(keys.list_keys(data, as_json=as_json))


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list shows it: sg_...")],
    *,
    data: Data = Path("data"),
) -> None:
    """End a key at once; running services refuse it within 2 s."""
    from .. import keys

    raise typer.Exit(keys.revoke(data, key))


@app.command()
def rotate(
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
    from .. import keys

    raise typer.Exit(keys.rotate(data, key, overlap=overlap, expires=expires, as_json=as_json))


@app.command()
def oidc(
    *,
    oidc: OidcFile = None,
    claims: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="What a token says: tell what its person may.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the file about the issuer whose tokens are taken; with --claims, say what somebody may by it.

    Example: switchgear keys oidc --claims '{"sub": "4711", "groups": ["finance-team"]}'
    """
    from .. import oidc as verb

    raise typer.Exit(verb.check(oidc, claims, as_json=as_json))
