"""The group `breakers`."""

from typing import Annotated

import typer

from ..options import POLICIES, ApiKey, By, Json, PoliciesUrl, Reason

__all__ = ["app"]

app = typer.Typer(
    help="How the breakers of a running engine stand, and moving them by hand.\n\n"
    "What is done by hand reaches every connected agent within 2 s, ends by itself, and stands in the engine's log "
    "with who did it and why (docs/incident.md).",
    no_args_is_help=True,
)

Ceilings = Annotated[
    list[str] | None, typer.Argument(metavar="CEILING...", help="Ceilings, as the policy file names them.")
]
Every = Annotated[bool, typer.Option("--all", help="Every ceiling that the key reaches.")]
For = Annotated[
    str, typer.Option("--for", metavar="1h", help="How long, up to 30d; the engine then decides again.")
]


@app.command("list")
def list_(
    ceiling: Ceilings = None,
    *,
    transitions: Annotated[
        int, typer.Option(min=0, max=200, metavar="N", help="How many of the last transitions to show.")
    ] = 10,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show each breaker's state, what is spent of its limit, and why it is where it is.

    Example: switchgear breakers list acme-hour --transitions 20
    """
    from .. import breakers

    raise typer.Exit(
        breakers.list_(policies, api_key, ceilings=ceiling or (), transitions=transitions, as_json=as_json)
    )


@app.command("open")
def open_(
    ceiling: Ceilings = None,
    *,
    every: Every = False,
    reason: Reason,
    length: For = "1h",
    by: By = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Refuse every call that these ceilings count, for a time.

    Example: switchgear breakers open acme-hour --reason "leaked key" --for 2h
    """
    _move("open", ceiling, every, reason, length, by, policies, api_key, as_json)


@app.command()
def disable(
    ceiling: Ceilings = None,
    *,
    every: Every = False,
    reason: Reason,
    length: For = "1h",
    by: By = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Let everything pass that these ceilings would stop, for a time. They go on counting.

    Example: switchgear breakers disable --all --reason "wrong prices since 14:00" --for 1h
    """
    _move("disable", ceiling, every, reason, length, by, policies, api_key, as_json)


@app.command()
def close(
    ceiling: Ceilings = None,
    *,
    every: Every = False,
    reason: Reason,
    by: By = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Give breakers that were opened or disabled by hand back to the engine, before their time is over.

    Example: switchgear breakers close --all --reason "prices are right again"
    """
    _move("restore", ceiling, every, reason, None, by, policies, api_key, as_json)


def _move(
    do: str,
    ceilings: list[str] | None,
    every: bool,  # noqa: FBT001 - as the verbs have it
    reason: str,
    length: str | None,
    by: str | None,
    policies: str,
    api_key: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    from .. import breakers

    code = breakers.move(
        do,
        ceilings or (),
        every=every,
        reason=reason,
        length=length,
        by=by,
        policies=policies,
        api_key=api_key,
        as_json=as_json,
    )
    raise typer.Exit(code)
