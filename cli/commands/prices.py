"""The group `prices`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, PriceFile

__all__ = ["app"]

app = typer.Typer(help="What usage costs, and at which rates.", no_args_is_help=True)


At = Annotated[str | None, typer.Option(metavar="RFC3339", help="When the call was made. Default: now.")]
ServiceTier = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="batch, flex, priority, or another with rates of its own."),
]


@app.command()
def quote(
    *,
    provider: Annotated[str, typer.Option(help="openai, anthropic, ...")],
    model: Annotated[str, typer.Option(help="The model, as the provider names it.")],
    usage: Annotated[
        str,
        typer.Option(
            metavar="JSON",
            help="Counts: input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning; and what is "
            "billed apart: input_audio, web_searches, ... (docs/prices.md).",
        ),
    ],
    at: At = None,
    service_tier: ServiceTier = None,
    prices: PriceFile = None,
    as_json: Json = False,
) -> None:
    """Price one usage as of a date; an unknown model is unpriced, never 0."""
    from .. import prices as verb

    raise typer.Exit(verb.quote(provider, model, usage, at, service_tier, prices, as_json=as_json))


@app.command("list")
def list_(
    *,
    provider: Annotated[str | None, typer.Option(help="Of this provider only.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Models of this name, or like gpt-5*.")
    ] = None,
    at: At = None,
    service_tier: ServiceTier = None,
    prices: PriceFile = None,
    as_json: Json = False,
) -> None:
    """Show the rates of models as of a date."""
    from .. import prices as verb

    raise typer.Exit(verb.list_(provider, model, at, service_tier, prices, as_json=as_json))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A price file.")], *, as_json: Json = False
) -> None:
    """Validate a price file: every error with its line, or one line that it is fine."""
    from .. import prices as verb

    raise typer.Exit(verb.check(file, as_json=as_json))
