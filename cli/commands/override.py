"""The group `override`."""

from typing import Annotated

import typer

from ..options import POLICIES, ApiKey, By, Json, PoliciesUrl, Reason

__all__ = ["app"]

app = typer.Typer(
    help="Another limit in place of a ceiling's own, for a time.\n\n"
    "It ends by itself. What stands in the policy file does not change.",
    no_args_is_help=True,
)

_WITHIN = "Of a ceiling that goes per this: for this one only."


@app.command()
def grant(
    ceiling: Annotated[str, typer.Argument(metavar="CEILING", help="As the policy file names it.")],
    *,
    limit: Annotated[
        str, typer.Option(metavar='"20 USD"', help='What may be spent: "20 USD", "500000 tokens".')
    ],
    length: Annotated[str, typer.Option("--for", metavar="2h", help="How long it holds.")],
    reason: Reason,
    by: By = None,
    tenant: Annotated[str | None, typer.Option(help=_WITHIN)] = None,
    workload: Annotated[str | None, typer.Option(help=_WITHIN)] = None,
    task: Annotated[str | None, typer.Option(help=_WITHIN)] = None,
    owner: Annotated[str | None, typer.Option(help=_WITHIN)] = None,
    model: Annotated[str | None, typer.Option(help=_WITHIN)] = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Let a scope spend more, or less, for a time.

    Example: switchgear override grant acme-day --limit "80 USD" --for 2h --reason "quarter's end"
    """
    from .. import overrides

    named = {"tenant": tenant, "workload": workload, "task": task, "owner": owner, "model": model}
    raise typer.Exit(
        overrides.grant(
            ceiling,
            limit=limit,
            length=length,
            reason=reason,
            by=by,
            named=named,
            policies=policies,
            api_key=api_key,
            as_json=as_json,
        )
    )


@app.command("list")
def list_(*, policies: PoliciesUrl = POLICIES, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Show the overrides that hold, with who gave them and why."""
    from .. import overrides

    raise typer.Exit(overrides.list_(policies, api_key, as_json=as_json))


@app.command()
def revoke(
    override: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.")],
    *,
    reason: Reason,
    by: By = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
) -> None:
    """End an override now, before its time is over.

    Example: switchgear override revoke o1f2e3d4c5b6 --reason "the quarter is closed"
    """
    from .. import overrides

    raise typer.Exit(overrides.revoke(override, reason=reason, by=by, policies=policies, api_key=api_key))
