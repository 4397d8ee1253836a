"""The group `audit`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["app"]

app = typer.Typer(help="What to mend, per tenant and workload, with the evidence.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group also with one audit in it."""


class By(StrEnum):
    """By what an overage is divided."""

    PROPORTIONAL = "proportional"
    EVEN = "even"
    FIXED = "fixed"
    MARGINAL = "marginal"


class Measure(StrEnum):
    """What a peak is a peak of."""

    TOKENS = "tokens"
    CALLS = "calls"
    COST = "cost"


@app.command()
def bursts(
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="RFC3339", help="Begin of the range. Needed unless --calls is given."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="RFC3339", help="Its end, which is not in it.")
    ] = None,
    calls: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Calls from a CSV, Parquet or JSON lines file (docs/bursts.md) instead of a collector.",
        ),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Calls of this provider only: a committed rate is one provider's.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Show this tenant only; all are read, since all make the burst.")
    ] = None,
    committed_tpm: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Tokens a minute at the base price. Without: peaks only."),
    ] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AT:TIMES",
            help="From AT times the committed rate on, tokens cost TIMES the base price: 1.0:1.5; repeatable.",
        ),
    ] = None,
    contract: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the terms from a contracts file instead.")
    ] = None,
    burst: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which burst terms of the file, where it has several."),
    ] = None,
    method: Annotated[By, typer.Option(help="By what each minute's overage is divided.")] = By.PROPORTIONAL,
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TENANT=WEIGHT",
            help="A tenant's part of the committed rate beside the others'. Default: 1 each; repeatable.",
        ),
    ] = None,
    max_delay: Annotated[
        str, typer.Option(metavar="10m", help="How long background calls may wait, to see what that saves.")
    ] = "10m",
    measure: Annotated[Measure, typer.Option(help="What the table of peaks shows.")] = Measure.TOKENS,
    top: Annotated[int, typer.Option(min=1, help="So many minutes and tasks are printed.")] = 10,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show who bursts, what the minutes above the committed rate cost, and who pays. Exit 1 with such a minute.

    Example: switchgear audit bursts --from 2026-11-16 --to 2026-11-23 --committed-tpm 2000000 --band 1.0:1.5
    """
    from ..audit import bursts as verb

    raise typer.Exit(
        verb.run(
            verb.Question(
                start=start,
                end=end,
                calls=calls,
                provider=provider,
                tenant=tenant,
                committed_tpm=committed_tpm,
                bands=tuple(band or ()),
                contract=contract,
                burst=burst,
                method=method.value,
                shares=tuple(share or ()),
                max_delay=max_delay,
                measure=measure.value,
                top=top,
            ),
            collector=collector,
            api_key=api_key,
            as_json=as_json,
        )
    )
