"""The group `contracts`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json, PriceFile

__all__ = ["app"]

app = typer.Typer(help="Work with contracts: what was negotiated over list prices.", no_args_is_help=True)

ContractsFile = Annotated[Path, typer.Argument(metavar="FILE", help="A contracts file.")]


@app.command()
def check(file: ContractsFile, *, as_json: Json = False) -> None:
    """Validate a contracts file: every error with its line, or the version of each contract."""
    from .. import contracts

    raise typer.Exit(contracts.check(file, as_json=as_json))


@app.command()
def explain(
    file: ContractsFile,
    *,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month, in each contract's zone.")],
    usage: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="What was used, as CSV or JSON: at, provider, model, tenant, counts, and list_cost where known.",
        ),
    ],
    price_file: PriceFile = None,
    as_json: Json = False,
) -> None:
    """Charge a month's usage by the contracts: each charge with how it came about."""
    from .. import contracts

    raise typer.Exit(contracts.explain(file, month, usage, price_file, as_json=as_json))
