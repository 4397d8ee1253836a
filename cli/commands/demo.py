"""`switchgear demo`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Json

__all__ = ["demo"]

_HISTORY = "With --history"


def demo(
    *,
    seed: Annotated[int, typer.Option(help="Fixes the workload.", min=0)] = 7,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End after the table; do not serve the dashboard.")
    ] = False,
    sabotage: Annotated[
        str | None,
        typer.Option(
            "--break",
            metavar="WHAT",
            help="Break ceiling, count or price on purpose, to see the demo's check fail.",
        ),
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache", help="Play agents that ask again, with the answer cache, instead.")
    ] = False,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Make up the calls of 30 tenants over so long (90d, 13w), book them in a collector and end.",
            rich_help_panel=_HISTORY,
        ),
    ] = None,
    data: Annotated[
        Path,
        typer.Option(
            help="Where they are booked; it must hold no other calls.",
            file_okay=False,
            rich_help_panel=_HISTORY,
        ),
    ] = Path("data"),
    calls: Annotated[
        int, typer.Option(help="How many calls there are.", min=1, rich_help_panel=_HISTORY)
    ] = 1_000_000,
    end: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Where the history ends.",
            show_default="the last Monday, so that the last week is whole",
            rich_help_panel=_HISTORY,
        ),
    ] = None,
    plant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Add what audits should find, and say where: herd (retries in lockstep), loop (a runaway) "
            "or move (another owner within a month); or all. Repeatable; the other calls stay the same.",
            rich_help_panel=_HISTORY,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play the 2 a.m. incident against a local fake provider, without and with switchgear.

    With --cache: agents of three tenants who ask again, in other words too; which calls and how much money that saves,
    net of audits and wrong answers, and that no answer went from one tenant to another.

    With --history: make up a company's calls over weeks instead, the same for the same seed, length and end, with who
    owns what, plans, revenue and invoices beside them (docs/demo-history.md). It ends once all are booked.
    """
    if history is not None:
        from ..demo.history import command

        raise typer.Exit(
            command.run(
                length=history,
                seed=seed,
                calls=calls,
                end=end,
                plant=tuple(plant or ()),
                data=data,
                as_json=as_json,
            )
        )
    if cache:
        from ..demo import cached

        raise typer.Exit(cached.run(seed=seed, as_json=as_json))
    from .. import demo as verb

    raise typer.Exit(verb.run(seed=seed, serve=not no_serve, sabotage=sabotage, as_json=as_json))
