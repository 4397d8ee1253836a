"""The group `switchgear review`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json, NoticeFile

__all__ = ["app"]

app = typer.Typer(
    help="The weekly cost-ownership review: who spent what, why, and what is to be done (docs/review.md).",
)
action = typer.Typer(help="What owners are to do, and what became of it.", no_args_is_help=True)
app.add_typer(action, name="action")
Week = Annotated[
    str | None,
    typer.Option(metavar="YYYY-Www", help="ISO week, such as 2026-W47. Default: the last one that is over."),
]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="What to remember of it.", show_default=False)]


class Became(StrEnum):
    """What became of an action."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@app.callback(invoke_without_command=True)
def review(
    context: typer.Context,
    *,
    week: Week = None,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("reviews"),
    only: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...",
            help="Of pdf, html, xlsx, csv, parquet, json. Default: all.",
            show_default=False,
        ),
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Keep it as it is now, to be signed.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="As of now, also where the week was published.")
    ] = False,
    schedule: Annotated[
        bool,
        typer.Option(
            "--schedule",
            help="Stay, publish and write the last week's every Monday, and remind (with --notices).",
        ),
    ] = False,
    at: Annotated[
        str, typer.Option(metavar="HH:MM", help="With --schedule: when on Mondays, in UTC.")
    ] = "06:00",
    notices: NoticeFile = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Write the week's review: PDF, HTML, XLSX, CSV, Parquet and JSON.

    Example: switchgear review --week 2026-W47 --publish
    """
    if context.invoked_subcommand is not None:
        return
    from datetime import UTC, datetime

    from analytics.reviews.files import KINDS

    from .. import review as verb

    kinds = tuple(only.split(",")) if only else KINDS
    ask = verb.asked("review", collector, api_key, as_json=as_json)
    if schedule:
        from .. import weekly

        raise typer.Exit(weekly.run(ask, out=out, kinds=kinds, at=at, notices=notices))
    chosen = week or verb.week_before(datetime.now(UTC))
    raise typer.Exit(verb.run(ask, chosen, out=out, kinds=kinds, publish=publish, fresh=fresh))


@app.command()
def sign(
    *,
    week: Annotated[str, typer.Option(metavar="YYYY-Www", help="The week that is signed.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Who signs.")],
    hash_: Annotated[
        str, typer.Option("--hash", metavar="HEX", help="Of the document that was read: 12 digits or more.")
    ],
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="For whose cost.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="For all of it: this seals the week.")] = False,
    note: Note = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Sign a published review, for the cost of one owner or for all of it.

    Example: switchgear review sign --week 2026-W47 --name "Ann Lee" --owner ann --hash 3f9a0c2d77b1
    """
    from .. import signing
    from ..console import misuse
    from ..review import asked

    if (owner is None) is not everything:
        raise typer.Exit(misuse("review sign: for whose cost? Name --owner NAME, or --all, and one of them"))
    ask = asked("review sign", collector, api_key, as_json=as_json)
    raise typer.Exit(signing.sign(ask, week, owner=owner or "", name=name, hash_=hash_, note=note))


@app.command()
def status(*, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Show which weeks are published, who has signed, and who has not. Exit 1 where a week is not sealed."""
    from .. import signing
    from ..review import asked

    raise typer.Exit(signing.status(asked("review status", collector, api_key, as_json=as_json)))


@app.command()
def remind(
    *,
    notices: NoticeFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print whom it would remind, and tell nobody.")
    ] = False,
    after: Annotated[
        int, typer.Option(metavar="DAYS", min=0, help="Of a review that was published so many days ago.")
    ] = 2,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Remind owners of reviews that they have not signed and of actions that are overdue (docs/notifications.md)."""
    from .. import reminding
    from ..review import asked

    ask = asked("review remind", collector, api_key, as_json=as_json)
    raise typer.Exit(reminding.run(ask, notices, dry_run=dry_run, after_days=after))


@action.command("list")
def listed(
    *, week: Week = None, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False
) -> None:
    """Show what was decided in a week, and what of earlier weeks is open. Exit 1 where something is overdue."""
    from datetime import UTC, datetime

    from .. import signing
    from ..review import asked, week_before

    ask = asked("review action list", collector, api_key, as_json=as_json)
    raise typer.Exit(signing.actions(ask, week or week_before(datetime.now(UTC))))


@action.command()
def add(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be done.")],
    *,
    owner: Annotated[str, typer.Option(metavar="NAME", help="By whom.")],
    due: Annotated[str, typer.Option(metavar="DATE", help="Until when, such as 2026-11-30.")],
    week: Week = None,
    saving: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What it should save in a week.", show_default=False)
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Note what an owner is to do; it stands in the week's review, and in the next ones until it is done."""
    from datetime import UTC, datetime

    from .. import signing
    from ..review import asked, week_before

    ask = asked("review action add", collector, api_key, as_json=as_json)
    chosen = week or week_before(datetime.now(UTC))
    raise typer.Exit(signing.decide(ask, chosen, owner=owner, text=text, due=due, saving=saving))


@action.command("set")
def set_(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.")],
    state: Annotated[Became, typer.Argument(help="What became of it.")],
    *,
    note: Note = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Say what became of an action."""
    from .. import signing
    from ..review import asked

    ask = asked("review action set", collector, api_key, as_json=as_json)
    raise typer.Exit(signing.change(ask, id_, state.value, note))
