"""The verbs that take trace files: `import` and `inspect`."""

from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json, PriceFile, TraceFiles

__all__ = ["import_", "inspect"]


def import_(
    files: TraceFiles,
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
    from .. import import_ as verb

    raise typer.Exit(verb.run(files, collector=collector, api_key=api_key, history=history, as_json=as_json))


def inspect(
    files: TraceFiles,
    *,
    prices: PriceFile = None,
    as_json: Json = False,
) -> None:
    """Show the calls that trace files would book, and each span that they would not, with the reason."""
    from .. import inspect as verb

    raise typer.Exit(verb.run(files, prices, as_json=as_json))
