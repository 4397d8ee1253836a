"""`switchgear reconcile`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["reconcile"]


def reconcile(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...", help="Statements, in any shape of docs/reconcile.md.", show_default=False
        ),
    ] = None,
    *,
    month: Annotated[str, typer.Option(metavar="PERIOD", help="Such as 2026-10.")],
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Whose statement it is, where a table does not say.", show_default=False
        ),
    ] = None,
    fetch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER",
            help="Ask the provider itself, openai or anthropic, with OPENAI_ADMIN_KEY or ANTHROPIC_ADMIN_KEY.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep what was fetched there, as it came.", show_default=False),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which account of the provider it is of.", show_default=False),
    ] = None,
    book: Annotated[bool, typer.Option("--book", help="Book the difference into the open month.")] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who does it; stands in the log.", show_default=False),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Compare a month of the ledger with what providers bill, name what each difference is made of, and book it.

    Files are kept: without any, those that were given before count. Exit 0: within tolerance, or booked; 1: outside.

    Example: switchgear reconcile costs.json usage.json --month 2026-10
    Example: switchgear reconcile --fetch openai --fetch anthropic --month 2026-10 --keep statements
    """
    from .. import reconcile as verb

    raise typer.Exit(
        verb.run(
            files or [],
            month=month,
            fetch=fetch or [],
            keep=keep,
            provider=provider,
            account=account,
            book=book,
            by=by,
            collector=collector,
            api_key=api_key,
            as_json=as_json,
        )
    )
