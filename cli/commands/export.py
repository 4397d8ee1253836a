"""The group `switchgear export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import misuse
from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["app"]

app = typer.Typer(
    help="Hand what is charged to other tools, as FOCUS datasets (docs/focus.md).", no_args_is_help=True
)
_FILES = (".csv", ".csv.gz", ".parquet")


class Version(StrEnum):
    """Of FOCUS."""

    CURRENT = "1.4"
    BEFORE_1_3 = "1.2"


@app.command()
def focus(
    *,
    period: Annotated[
        str | None,
        typer.Option(metavar="MONTH", help="One month, such as 2026-10.", show_default=False),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="MONTH|DATE", help="The first month, or the first day,", show_default=False
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="MONTH|DATE",
            help="and the last, which is within. Default: the same.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR|FILE",
            help="A folder for all datasets, or FILE.csv, .csv.gz or .parquet for Cost and Usage alone.",
        ),
    ] = Path("focus"),
    version: Annotated[
        Version, typer.Option("--focus-version", help="1.2 is Cost and Usage alone, with its older columns.")
    ] = Version.CURRENT,
    datasets: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="By commas: cost-and-usage, billing-period, invoice-detail, contract-commitment.",
        ),
    ] = "all",
    account: Annotated[
        str, typer.Option(metavar="ID", help="BillingAccountId: who is billed.")
    ] = "switchgear",
    account_name: Annotated[
        str,
        typer.Option(metavar="NAME", help="BillingAccountName; also who issues what no provider charges."),
    ] = "Internal chargeback",
    check_it: Annotated[
        bool, typer.Option("--check", help="Check the file that was written, as export check does.")
    ] = False,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write what is charged as FOCUS 1.4: a row for each line of the ledger and kind of token.

    Takes a key with finance for every tenant. A closed month is what was posted; an open one is estimated, and says so
    in x_CostSource. Exit 1 where --check finds something.

    Example: switchgear export focus --period 2026-10 --out focus-2026-10 --check
    """
    from .. import export as verb
    from ..collectors import Asked

    if (period is None) == (start is None) or (period is not None and end is not None):
        raise typer.Exit(
            misuse("export focus: name one: --period 2026-10, or --from and --to with two months or two days")
        )
    first = period or start or ""
    is_file = out.name.endswith(_FILES)
    alone = is_file or version is Version.BEFORE_1_3
    named = [each.strip() for each in datasets.split(",") if each.strip()]
    if named == ["all"]:
        named = [verb.DATASETS[0]] if alone else list(verb.DATASETS)
    for each in named:
        if each not in verb.DATASETS:
            raise typer.Exit(
                misuse(f"export focus: {each!r} is no dataset; there are: all, {', '.join(verb.DATASETS)}")
            )
    if alone and named != [verb.DATASETS[0]]:
        what = f"{out} is one file" if is_file else "FOCUS 1.2 has no other"
        raise typer.Exit(misuse(f"export focus: {what}: it takes --datasets cost-and-usage alone"))
    wanted = verb.Wanted(
        start=first,
        end=end or first,
        out=out,
        version=version.value,
        datasets=named,
        account=account,
        account_name=account_name,
        checked=check_it,
    )
    raise typer.Exit(verb.focus(Asked("export focus", collector, api_key, as_json), wanted))


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Of FOCUS Cost and Usage: CSV, gzipped or not, or Parquet.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Check a file of FOCUS Cost and Usage against our rule table (docs/focus.md). Exit 1 where a rule is broken.

    It is a lint: that nothing is found does not say that the file conforms in all.

    Example: switchgear export check focus/cost-and-usage.csv
    """
    from .. import export as verb

    raise typer.Exit(verb.check(file, as_json=as_json))
