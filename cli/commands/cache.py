"""The group `cache`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import CACHE, ApiKey, CacheUrl, Json

__all__ = ["app"]

app = typer.Typer(
    help="The answer cache: how it stands, and an end to what it keeps.\n\n"
    "--cache names a service (switchgear serve cache), or the folder of processes that keep answers by themselves. "
    "What it may do for whom the policy file says (docs/semantic-cache-service.md).",
    no_args_is_help=True,
)

Whose = Annotated[str | None, typer.Option(help="Of this tenant.")]
Which = Annotated[str | None, typer.Option(help="Of this workload.")]


@app.command()
def status(
    *,
    tenant: Whose = None,
    workload: Which = None,
    cache: CacheUrl = CACHE,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show for each workload whether answers are served for their meaning, or what is still missing for that.

    A line for each certificate: one for wordings of which something was seen before, one for new ones. In shadow the
    labels count: pairs of the answer that would have been served and the one that the model gave. Then: how many
    requests were served, and which part of what is served for its meaning is wrong, as far as the audits can tell.
    """
    from .. import caching

    raise typer.Exit(caching.status(cache, api_key, tenant, workload, as_json=as_json))


@app.command()
def forget(
    *,
    tenant: Annotated[
        str | None, typer.Option(help="All of this tenant's, or what else is named of it.")
    ] = None,
    workload: Annotated[str | None, typer.Option(help="This workload's.")] = None,
    tag: Annotated[
        str | None, typer.Option(help="What code or policy tagged so; without a tenant: of every one.")
    ] = None,
    entry: Annotated[int | None, typer.Option(metavar="N", help="One answer, by its number.")] = None,
    cache: CacheUrl = CACHE,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """End what is kept: a tenant's answers and their key, a workload's, those with a tag, or one.

    With a tenant or its workload goes what was learned of its wordings: what was certified is measured anew.

    Example: switchgear cache forget --tenant acme --tag price-list-2026-11
    """
    from .. import caching

    what = {"tenant": tenant, "workload": workload, "tag": tag, "entry": entry}
    raise typer.Exit(caching.forget(cache, api_key, what, as_json=as_json))


@app.command()
def label(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Pairs, one JSON object a line; - is stdin.")],
    *,
    tenant: Annotated[str | None, typer.Option(help="Whose workloads they are; a service needs it.")] = None,
    cache: CacheUrl = CACHE,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Say of pairs of answers whether they are the same, so that the judge's own errors are known.

    The cache judges by itself whether a kept answer and a fresh one say the same. How often it errs enters what can be
    certified: without labels nothing may be. Each line of the file is one pair that a person has read:

    {"workload": "support-agent", "kept": "57 m", "fresh": "It is 57 m tall.", "same": true}

    Nothing of the answers is kept. Example: switchgear cache label labels.jsonl --tenant acme
    """
    from .. import caching

    raise typer.Exit(caching.label(file, tenant=tenant, cache=cache, api_key=api_key, as_json=as_json))
