"""The group `task`."""

from typing import Annotated

import typer

from ..options import POLICIES, ApiKey, By, Json, PoliciesUrl, Reason

__all__ = ["app"]

app = typer.Typer(help="What is done to one task by hand.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group also with one verb in it."""


@app.command()
def stop(
    task: Annotated[str, typer.Argument(metavar="ID", help="The task's id: the root of its tree.")],
    *,
    tenant: Annotated[str, typer.Option(help="For whom it runs.")],
    reason: Reason,
    by: By = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Refuse every further call of a task and of those that it started.

    Calls under way end, and are booked. Example: switchgear task stop run-8812 --tenant acme --reason "loops"
    """
    from .. import tasks

    raise typer.Exit(
        tasks.stop(
            task, tenant=tenant, reason=reason, by=by, policies=policies, api_key=api_key, as_json=as_json
        )
    )
