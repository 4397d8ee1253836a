"""The group `tenants`."""

from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["app"]

app = typer.Typer(help="What the collector keeps of one tenant.", no_args_is_help=True)


@app.command()
def delete_details(
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
    from .. import tenants

    raise typer.Exit(
        tenants.delete_details(
            tenant, reason=reason, sure=yes, collector=collector, api_key=api_key, as_json=as_json
        )
    )
