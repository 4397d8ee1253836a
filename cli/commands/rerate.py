"""`switchgear rerate`."""

from enum import StrEnum
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["rerate"]


class Dimension(StrEnum):
    """What a line of the table is of."""

    OWNER = "owner"
    COST_CENTRE = "cost_centre"
    TENANT = "tenant"
    WORKLOAD = "workload"
    PROVIDER = "provider"
    MODEL = "model"


def rerate(
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="DATE", help="The calls that began at or after it (UTC),")
    ],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="and before it.")],
    book: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The price book that must be the loaded one, as prices quote names it. Default: whichever is.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[Dimension] | None,
        typer.Option(help="What a line is of; repeatable. Default: owner.", show_default=False),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's calls.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only calls to it.")] = None,
    model: Annotated[str | None, typer.Option(help="Only calls to it.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write what is shown, as adjustments.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why it is written; stays with it.")] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what booked calls would cost by the price book that is loaded, and write the difference as adjustments.

    What was booked never changes. Exit 0: no difference, or written; 1: differences. Takes a key with finance.

    Example: switchgear rerate --from 2026-11-01 --to 2026-12-01 --by owner --by model
    """
    from .. import rerate as verb

    raise typer.Exit(
        verb.run(
            verb.Question(
                start=start,
                end=end,
                book=book,
                by=[each.value for each in by or (Dimension.OWNER,)],
                tenant=tenant,
                provider=provider,
                model=model,
            ),
            reason=reason,
            write=write,
            collector=collector,
            api_key=api_key,
            as_json=as_json,
        )
    )
