"""The group `switchgear ledger`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["app"]

app = typer.Typer(
    help="Close periods, correct them, book by hand, and verify that nothing was changed (docs/ledger.md).",
    no_args_is_help=True,
)
Period = Annotated[str, typer.Argument(metavar="PERIOD", help="A month, such as 2026-10.")]
Name = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who does it; stands beside the key.", show_default=False),
]
Anchors = Annotated[
    list[str] | None,
    typer.Option(
        "--anchor",
        metavar="SEQ:HASH",
        help="A head that you noted down, as status prints it; repeatable.",
        show_default=False,
    ),
]
Draft = Annotated[str, typer.Argument(metavar="ID", help="Of a draft, as drafts lists them.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 100.00.")]
Currency = Annotated[str, typer.Option(metavar="CODE", help="Such as USD.")]
Day = Annotated[str, typer.Option(metavar="DATE", help="The day that it is for, such as 2026-10-31.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the entry.")]
Centre = Annotated[
    str | None,
    typer.Option(
        "--cost-centre",
        metavar="NAME",
        help="Default: that of the workload in the registry.",
        show_default=False,
    ),
]
Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="For this tenant.", show_default=False)]
Workload = Annotated[str | None, typer.Option(metavar="NAME", help="For this workload.", show_default=False)]
Provider = Annotated[str | None, typer.Option(metavar="NAME", help="Of this provider.", show_default=False)]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="For this model.", show_default=False)]


class State(StrEnum):
    """What became of a draft."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@app.command()
def status(*, collector: CollectorUrl = COLLECTOR, api_key: ApiKey = None, as_json: Json = False) -> None:
    """Which periods are closed and with what, which one is open, and the head of the chain to note down."""
    from .. import ledger as verb

    raise typer.Exit(verb.status(verb.asked("status", collector, api_key, as_json=as_json)))


@app.command()
def close(
    period: Period,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what speaks against it.")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Close in spite of this; repeatable.", show_default=False),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Why it is accepted; stands in the manifest.", show_default=False),
    ] = None,
    by: Name = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Close a month: its cost is frozen as entries with totals, a root hash and files, for ever.

    What comes later is a correction in the next month. Exit 0: closed, also where it was before; 1: something speaks
    against it. Takes a key with finance, for every tenant.

    Example: switchgear ledger close 2026-10 --accept unpriced --reason "prices come with the contract"
    """
    from .. import ledger as verb

    ask = verb.asked("close", collector, api_key, as_json=as_json)
    if check:
        raise typer.Exit(verb.check(ask, period))
    raise typer.Exit(verb.close(ask, period, accept=accept or [], reason=reason, by=by))


@app.command()
def correct(
    *,
    write: Annotated[bool, typer.Option("--write", help="Post it into the period that is open.")] = False,
    by: Name = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what closed months cost now beyond what is posted: late calls, rerates, moved owners, better usage.

    The next close posts it in any case. Exit 0: nothing, or posted; 1: something is not posted.
    """
    from .. import ledger as verb

    raise typer.Exit(
        verb.correct(verb.asked("correct", collector, api_key, as_json=as_json), write=write, by=by)
    )


@app.command()
def verify(
    *,
    anchor: Anchors = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of a collector that is stopped, to read it here.", show_default=False),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Recompute the hash chain, the totals and the files of every closed month, and compare them with the anchors.

    It names each entry that was changed, taken out or cut off. Exit 0: nothing was; 1: something was.

    Example: switchgear ledger verify --anchor 1204:3f9a...
    """
    from .. import ledger as verb

    if data is not None:
        raise typer.Exit(verb.verify_folder(data, anchor or [], as_json=as_json))
    raise typer.Exit(verb.verify(verb.asked("verify", collector, api_key, as_json=as_json), anchor or []))


@app.command()
def entries(
    period: Annotated[
        str | None, typer.Argument(metavar="PERIOD", help="Default: all.", show_default=False)
    ] = None,
    *,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Print entries by their numbers; with --json one object a line, with all columns."""
    from .. import ledger as verb

    raise typer.Exit(verb.entries(verb.asked("entries", collector, api_key, as_json=as_json), period))


@app.command()
def journal(
    period: Period,
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: stdout.", show_default=False)
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
) -> None:
    """Print a closed month as balanced journal lines, a CSV that an ERP imports."""
    from .. import ledger as verb

    raise typer.Exit(verb.journal(verb.asked("journal", collector, api_key, as_json=False), period, out))


@app.command()
def statement(
    period: Period,
    *,
    cost_centre: Annotated[
        str | None, typer.Option(metavar="NAME", help="What it is charged.", show_default=False)
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="What serving it costs.", show_default=False)
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Print the statement of a cost centre or of a tenant, line by line.

    Example: switchgear ledger statement 2026-10 --cost-centre CC-1
    """
    from .. import ledger as verb

    ask = verb.asked("statement", collector, api_key, as_json=as_json)
    raise typer.Exit(verb.statement(ask, period, cost_centre=cost_centre, tenant=tenant))


@app.command()
def credit(
    amount: Amount,
    *,
    currency: Currency = "USD",
    day: Day,
    reason: Why,
    cost_centre: Centre = None,
    tenant: Tenant = None,
    workload: Workload = None,
    provider: Provider = None,
    model: Model = None,
    by: Name = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Prepare a credit: it takes AMOUNT off a cost centre once somebody else has approved it.

    Example: switchgear ledger credit 100.00 --day 2026-10-31 --cost-centre CC-1 --reason "outage of 12 October"
    """
    from .. import ledger as verb

    fields = {
        "currency": currency,
        "day": day,
        "reason": reason,
        "cost_centre": cost_centre,
        "tenant": tenant,
    }
    fields |= {"workload": workload, "provider": provider, "model": model, "by": by}
    ask = verb.asked("credit", collector, api_key, as_json=as_json)
    raise typer.Exit(verb.prepare(ask, "credit", amount, fields))


@app.command()
def adjust(
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="Such as 100.00, or -- -100.00 to take it off.")
    ],
    *,
    currency: Currency = "USD",
    day: Day,
    reason: Why,
    cost_centre: Centre = None,
    tenant: Tenant = None,
    workload: Workload = None,
    provider: Provider = None,
    model: Model = None,
    by: Name = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Prepare an adjustment: it charges AMOUNT to a cost centre once somebody else has approved it."""
    from .. import ledger as verb

    fields = {
        "currency": currency,
        "day": day,
        "reason": reason,
        "cost_centre": cost_centre,
        "tenant": tenant,
    }
    fields |= {"workload": workload, "provider": provider, "model": model, "by": by}
    ask = verb.asked("adjust", collector, api_key, as_json=as_json)
    raise typer.Exit(verb.prepare(ask, "adjustment", amount, fields))


@app.command()
def approve(
    draft: Draft,
    *,
    by: Name = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Approve a draft, which makes an entry of it. Whoever prepared it cannot: another key must.

    Where no keys are used, both are named with --by, and must differ.
    """
    from .. import ledger as verb

    raise typer.Exit(verb.decide(verb.asked("approve", collector, api_key, as_json=as_json), draft, by=by))


@app.command()
def refuse(
    draft: Draft,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands with the draft.")],
    by: Name = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Refuse a draft, or take back one's own: it is never booked."""
    from .. import ledger as verb

    ask = verb.asked("refuse", collector, api_key, as_json=as_json)
    raise typer.Exit(verb.decide(ask, draft, by=by, note_=reason))


@app.command()
def drafts(
    *,
    state: Annotated[State | None, typer.Option(help="Only those.", show_default=False)] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Print credits and adjustments by hand, who prepared them, and what became of them."""
    from .. import ledger as verb

    raise typer.Exit(verb.drafts(verb.asked("drafts", collector, api_key, as_json=as_json), state))
