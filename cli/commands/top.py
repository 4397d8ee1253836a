"""The verb `top`."""

from typing import Annotated

import typer

from ..options import COLLECTOR, POLICIES, ApiKey, CollectorUrl, Json, PoliciesUrl

__all__ = ["top"]


def top(
    *,
    window: Annotated[str, typer.Option(metavar="5m", help="Over how long the burn is measured.")] = "5m",
    every: Annotated[str, typer.Option(metavar="2s", help="How often it is asked anew.")] = "2s",
    rows: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many tasks.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    collector: CollectorUrl = COLLECTOR,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show the tasks that burn most money now, live, each with the ceilings of its own.

    A task is its whole tree. With --json each look is one line. Example: switchgear top --once --window 1m
    """
    from .. import top as verb

    raise typer.Exit(
        verb.run(
            window=window,
            every=every,
            rows=rows,
            once=once,
            collector=collector,
            policies=policies,
            api_key=api_key,
            as_json=as_json,
        )
    )
