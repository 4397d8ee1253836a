"""The command `switchgear`: which verbs there are, and under which heading its help shows them."""

# No `from __future__ import annotations`: typer reads the annotations when it builds the command.

import gc
from typing import Annotated

import typer

from collector.without import leave_out

from .commands import (
    audit,
    backup,
    breakers,
    cache,
    contracts,
    demo,
    export,
    keys,
    ledger,
    notices,
    override,
    policies,
    prices,
    reconcile,
    registry,
    rerate,
    review,
    services,
    spend,
    task,
    tenants,
    top,
    traces,
)

__all__ = ["app", "main"]

RUN, CHECK, LOOK, ACT = "Run it", "Check before you trust", "Look at spend", "In an incident"
CHARGE = "Charge it"

HELP = (
    "Meters, projects and cuts what AI agents spend on foundation models.\n\n"
    "Agents keep calling their provider directly: they ask switchgear what they may do, and OpenTelemetry "
    "tells switchgear what they did.\n\n"
    "Exit codes: 0 fine, 1 something was found or failed, 2 misuse."
)
EPILOG = (
    "[bold]Examples[/bold]\n\n"
    "  switchgear demo --no-serve --seed 7\n\n"
    "  switchgear up --data ./data --policy-file policies.yaml\n\n"
    '  switchgear query "select tenant, sum(cost) from calls group by all"\n\n'
    "  switchgear policies check policies.yaml"
)

app = typer.Typer(
    name="switchgear",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel=RUN)(services.up)
app.command(rich_help_panel=RUN)(demo.demo)
app.command("import", rich_help_panel=RUN)(traces.import_)
app.command(rich_help_panel=RUN)(backup.backup)
app.command(rich_help_panel=RUN)(backup.restore)
app.add_typer(services.app, name="serve", rich_help_panel=RUN)
app.add_typer(keys.app, name="keys", rich_help_panel=RUN)
app.add_typer(tenants.app, name="tenants", rich_help_panel=RUN)
app.command(rich_help_panel=CHECK)(traces.inspect)
app.add_typer(prices.app, name="prices", rich_help_panel=CHECK)
app.add_typer(policies.app, name="policies", rich_help_panel=CHECK)
app.add_typer(contracts.app, name="contracts", rich_help_panel=CHECK)
app.add_typer(notices.app, name="notices", rich_help_panel=CHECK)
app.command(rich_help_panel=LOOK)(spend.query)
app.add_typer(review.app, name="review", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(rerate.rerate)
app.add_typer(registry.registry, name="registry", rich_help_panel=LOOK)
app.add_typer(registry.plan, name="plan", rich_help_panel=LOOK)
app.add_typer(registry.revenue, name="revenue", rich_help_panel=LOOK)
app.add_typer(audit.app, name="audit", rich_help_panel=LOOK)
app.add_typer(cache.app, name="cache", rich_help_panel=LOOK)
app.add_typer(ledger.app, name="ledger", rich_help_panel=CHARGE)
app.add_typer(export.app, name="export", rich_help_panel=CHARGE)
app.command(rich_help_panel=CHARGE)(reconcile.reconcile)
app.command(rich_help_panel=ACT)(top.top)
app.add_typer(breakers.app, name="breakers", rich_help_panel=ACT)
app.add_typer(override.app, name="override", rich_help_panel=ACT)
app.add_typer(task.app, name="task", rich_help_panel=ACT)


def main() -> None:
    """Run the command line; ends the process with the verb's exit code.

    A service starts in four fifths of the time without what none but the dashboard needs. And what a process leaves at
    its end is not looked through for cycles once more, which took half a second of a service's stop.
    """
    leave_out("pandas", "trio")
    try:
        app()
    finally:
        gc.freeze()


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from importlib.metadata import version

        typer.echo(f"switchgear {version('switchgear-server')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before any verb."""
