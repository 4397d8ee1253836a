"""The group `prices`."""

from enum import StrEnum
from typing import Annotated

import typer

from ..options import Json

__all__ = ["app"]

app = typer.Typer(help="What usage costs, and at which rates.", no_args_is_help=True)


class Priced(StrEnum):
    """The service tiers that have rates of their own."""

    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"


@app.command()
def quote(
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
    from .. import prices

    tier = service_tier.value if service_tier else None
    raise typer.Exit(prices.quote(provider, model, usage, at, tier, as_json=as_json))
