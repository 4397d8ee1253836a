"""`switchgear demo`."""

from typing import Annotated

import typer

from ..options import Json

__all__ = ["demo"]


def demo(
    *,
    seed: Annotated[int, typer.Option(help="Fixes the workload.")] = 7,
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
    as_json: Json = False,
) -> None:
    """Play the 2 a.m. incident against a local fake provider, without and with switchgear."""
    from .. import demo as verb

    raise typer.Exit(verb.run(seed=seed, serve=not no_serve, sabotage=sabotage, as_json=as_json))
