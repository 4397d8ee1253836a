"""The groups `registry`, `plan` and `revenue`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["plan", "registry", "revenue"]

_EVERY_KIND = ("workloads", "cost_centres", "plans", "revenue")

registry = typer.Typer(
    help="Who answers for a workload and who pays for it, since when.\n\n"
    "What finance imports stands beside what the policy file says, and counts where both speak of a workload. "
    "A file is CSV; its header says what it holds: tenant,workload,owner,cost_centre,from,to - or "
    "cost_centre,approver,from,to - or cost_centre,month,amount,currency (plans) - or tenant,month,amount,currency "
    "(revenue). A line holds from a day, until and without `to`.",
    no_args_is_help=True,
)
plan = typer.Typer(
    help="What a cost centre means to spend in a month: cost_centre,month,amount,currency.",
    no_args_is_help=True,
)
revenue = typer.Typer(
    help="What a tenant brings in in a month: tenant,month,amount,currency. With it reports know the margin.",
    no_args_is_help=True,
)

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace", help="Of the kinds that the files hold, nothing stays that was imported before."
    ),
]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Where to write. Default: stdout.", show_default=False)
]


@registry.command("import")
def import_(
    files: Files,
    *,
    dry_run: DryRun = False,
    replace: Replace = False,
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="The time zone of all days, such as Europe/Berlin. Default: as before, at first UTC.",
            show_default=False,
        ),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Take lines from CSV files; show what moves, begins and ends by it. All or nothing.

    A line takes the place of the imported one that begins on the same day; others end where it begins. Takes a key with
    finance for every tenant. Exit 2: a line is wrong, and nothing was taken.

    Example: switchgear registry import owners.csv --dry-run
    """
    _import("registry import", files, _EVERY_KIND, collector, api_key, replace, zone, dry_run, as_json)


@registry.command("export")
def export(
    *,
    out: Out = None,
    unowned: Annotated[
        bool,
        typer.Option(
            "--unowned",
            help="A line for each workload with calls and no owner, to fill in and import; with its last 30 days.",
        ),
    ] = False,
    cost_centres: Annotated[
        bool, typer.Option("--cost-centres", help="Who approves for which cost centre, instead.")
    ] = False,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write who answers for which workload, as CSV that `registry import` takes.

    Example: switchgear registry export --unowned --out unowned.csv
    """
    from .. import registry as verb

    if unowned and cost_centres:
        from ..console import misuse

        raise typer.Exit(misuse("registry export: one of --unowned and --cost-centres"))
    service = verb.Service("registry export", collector, api_key)
    if unowned:
        raise typer.Exit(verb.template(service, out=out, as_json=as_json))
    kind = "cost_centres" if cost_centres else "workloads"
    raise typer.Exit(verb.export(service, kind, out=out, as_json=as_json))


@plan.command("import")
def import_plan(
    files: Files,
    *,
    dry_run: DryRun = False,
    replace: Replace = False,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Take what is planned from CSV files. A line takes the place of that of the same cost centre and month.

    Example: switchgear plan import plan-2027.csv
    """
    _import("plan import", files, ("plans",), collector, api_key, replace, None, dry_run, as_json)


@plan.command("export")
def export_plan(
    *, out: Out = None, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Write what is planned, as CSV that `plan import` takes."""
    _export("plan export", "plans", out, collector, api_key, as_json)


@revenue.command("import")
def import_revenue(
    files: Files,
    *,
    dry_run: DryRun = False,
    replace: Replace = False,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Take what tenants brought in from CSV files. A line takes the place of that of the same tenant and month.

    Example: switchgear revenue import revenue-2026-11.csv
    """
    _import("revenue import", files, ("revenue",), collector, api_key, replace, None, dry_run, as_json)


@revenue.command("export")
def export_revenue(
    *, out: Out = None, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Write what tenants brought in, as CSV that `revenue import` takes. Takes a key with finance."""
    _export("revenue export", "revenue", out, collector, api_key, as_json)


def _import(
    verb: str,
    files: list[Path],
    kinds: tuple[str, ...],
    collector: str,
    api_key: str | None,
    whole: bool,  # noqa: FBT001 - these are the options of three verbs, in one order
    zone: str | None,
    dry_run: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    from .. import registry as run

    service = run.Service(verb, collector, api_key)
    raise typer.Exit(
        run.import_(service, files, kinds, whole=whole, zone=zone, dry_run=dry_run, as_json=as_json)
    )


def _export(
    verb: str,
    kind: str,
    out: Path | None,
    collector: str,
    api_key: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    from .. import registry as run

    raise typer.Exit(run.export(run.Service(verb, collector, api_key), kind, out=out, as_json=as_json))
