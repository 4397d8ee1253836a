"""The verb that looks at spend: `query`."""

from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["query"]


def query(
    question: Annotated[
        str, typer.Argument(metavar="SQL|REPORT", help="One SELECT, or the name of a report.")
    ],
    *,
    given: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME=VALUE", help="A parameter of a report; repeatable."),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Ask the collector: read-only SQL over the view `calls`, or a named report."""
    from .. import query as verb

    raise typer.Exit(
        verb.run(question, given=given or (), collector=collector, api_key=api_key, as_json=as_json)
    )
