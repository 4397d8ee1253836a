"""The group `audit`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, ApiKey, CollectorUrl, Json

__all__ = ["app"]

app = typer.Typer(help="What to mend, per tenant and workload, with the evidence.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group also with one audit in it."""


Start = Annotated[
    str | None, typer.Option("--from", metavar="RFC3339", help="Begin of the range; or give --week.")
]
End = Annotated[str | None, typer.Option("--to", metavar="RFC3339", help="Its end, which is not in it.")]
Week = Annotated[
    str | None, typer.Option(metavar="2026-W47", help="An ISO week in UTC, instead of --from and --to.")
]
Tenant = Annotated[str | None, typer.Option(help="What is of this tenant only.")]
Workload = Annotated[str | None, typer.Option(help="What is of this workload only.")]
Owner = Annotated[str | None, typer.Option(help="What is of this owner's workloads only.")]
Top = Annotated[int, typer.Option(min=1, max=1000, help="So many rows of each kind.")]


def _given(**names: str | None) -> dict[str, str]:
    return {name: text for name, text in names.items() if text is not None}


@app.command()
def retries(
    *,
    start: Start = None,
    end: End = None,
    week: Week = None,
    tenant: Tenant = None,
    workload: Workload = None,
    owner: Owner = None,
    top: Top = 20,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what is retried, what that may cost, and the herds: tasks that retried together. Exit 1 with a finding.

    A herd shows tasks, workloads and tenants, the chance that retries which know nothing of each other fall together
    so, and which setting to change (docs/audits.md). Example: switchgear audit retries --week 2026-W47
    """
    from ..audit import retries as verb
    from ..audit.reporting import Question

    names = _given(tenant=tenant, workload=workload, owner=owner)
    asked = Question(start=start, end=end, week=week, names=names, top=top)
    raise typer.Exit(verb.run(asked, collector=collector, api_key=api_key, as_json=as_json))


@app.command()
def fanout(
    *,
    start: Start = None,
    end: End = None,
    week: Week = None,
    tenant: Tenant = None,
    workload: Workload = None,
    owner: Owner = None,
    top: Top = 20,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show how tasks fan out: calls, agents, depth and cost of a task; and those in a loop. Exit 1 with a loop.

    A loop makes the same call over and over, as its sizes tell, where tasks of its workload do not (docs/audits.md).
    Example: switchgear audit fanout --week 2026-W47 --tenant acme
    """
    from ..audit import fanout as verb
    from ..audit.reporting import Question

    names = _given(tenant=tenant, workload=workload, owner=owner)
    asked = Question(start=start, end=end, week=week, names=names, top=top)
    raise typer.Exit(verb.run(asked, collector=collector, api_key=api_key, as_json=as_json))


Currency = Annotated[
    str | None, typer.Option(metavar="USD", help="Where the range holds several: the calls in this one.")
]
Weeks = Annotated[
    str | None, typer.Option(metavar="N", help="So many weeks before the range are its history. Default: 8.")
]


@app.command("top-workloads")
def top_workloads(
    *,
    start: Start = None,
    end: End = None,
    week: Week = None,
    tenant: Tenant = None,
    workload: Workload = None,
    owner: Owner = None,
    currency: Currency = None,
    top: Top = 3,
    weeks: Weeks = None,
    margin: Annotated[
        str | None,
        typer.Option(metavar="1.5", help="A task's cap is so many times what nearly all tasks cost."),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show the workloads to cap, the cap that history suggests, and what it would have refused. Exit 1 if anything.

    Prints the lines for the policy file, in shadow at first (docs/audits-savings.md).
    Example: switchgear audit top-workloads --week 2026-W47
    """
    from ..audit import top_workloads as verb
    from ..audit.reporting import Question

    names = _given(
        tenant=tenant, workload=workload, owner=owner, currency=currency, weeks=weeks, margin=margin
    )
    asked = Question(start=start, end=end, week=week, names=names, top=top)
    raise typer.Exit(verb.run(asked, collector=collector, api_key=api_key, as_json=as_json))


@app.command()
def anomalies(
    *,
    start: Start = None,
    end: End = None,
    week: Week = None,
    tenant: Tenant = None,
    workload: Workload = None,
    owner: Owner = None,
    currency: Currency = None,
    top: Top = 20,
    weeks: Weeks = None,
    min_impact: Annotated[
        str | None, typer.Option(metavar="2.50", help="Leave out what cost less than this too much.")
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show hours that cost far more than usual, what stopped and what is new, with the cause. Exit 1 with more cost.

    Usual is the median of the same hour of the week, with a band that follows each workload (docs/audits-savings.md).
    Example: switchgear audit anomalies --week 2026-W47 --min-impact 5
    """
    from ..audit import anomalies as verb
    from ..audit.reporting import Question

    names = _given(
        tenant=tenant, workload=workload, owner=owner, currency=currency, weeks=weeks, min_impact=min_impact
    )
    asked = Question(start=start, end=end, week=week, names=names, top=top)
    raise typer.Exit(verb.run(asked, collector=collector, api_key=api_key, as_json=as_json))


@app.command()
def savings(
    *,
    start: Start = None,
    end: End = None,
    week: Week = None,
    tenant: Tenant = None,
    workload: Workload = None,
    owner: Owner = None,
    currency: Currency = None,
    top: Top = 20,
    within: Annotated[
        str | None,
        typer.Option(metavar="24", help="Equal calls are repeats within so many hours. Default: 24."),
    ] = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show what could cost less: cheaper models, repeats, prompt caches, batches. Exit 1 with a candidate.

    Each has its assumption and next step, and a total without overlap (docs/audits-savings.md).
    Example: switchgear audit savings --week 2026-W47 --tenant acme
    """
    from ..audit import savings as verb
    from ..audit.reporting import Question

    names = _given(tenant=tenant, workload=workload, owner=owner, currency=currency, within=within)
    asked = Question(start=start, end=end, week=week, names=names, top=top)
    raise typer.Exit(verb.run(asked, collector=collector, api_key=api_key, as_json=as_json))


class By(StrEnum):
    """By what an overage is divided."""

    PROPORTIONAL = "proportional"
    EVEN = "even"
    FIXED = "fixed"
    MARGINAL = "marginal"


class Measure(StrEnum):
    """What a peak is a peak of."""

    TOKENS = "tokens"
    CALLS = "calls"
    COST = "cost"


@app.command()
def bursts(
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="RFC3339", help="Begin of the range. Needed unless --calls is given."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="RFC3339", help="Its end, which is not in it.")
    ] = None,
    calls: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Calls from a CSV, Parquet or JSON lines file (docs/bursts.md) instead of a collector.",
        ),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Calls of this provider only: a committed rate is one provider's.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Show this tenant only; all are read, since all make the burst.")
    ] = None,
    committed_tpm: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Tokens a minute at the base price. Without: peaks only."),
    ] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AT:TIMES",
            help="From AT times the committed rate on, tokens cost TIMES the base price: 1.0:1.5; repeatable.",
        ),
    ] = None,
    contract: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the terms from a contracts file instead.")
    ] = None,
    burst: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which burst terms of the file, where it has several."),
    ] = None,
    method: Annotated[By, typer.Option(help="By what each minute's overage is divided.")] = By.PROPORTIONAL,
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TENANT=WEIGHT",
            help="A tenant's part of the committed rate beside the others'. Default: 1 each; repeatable.",
        ),
    ] = None,
    max_delay: Annotated[
        str, typer.Option(metavar="10m", help="How long background calls may wait, to see what that saves.")
    ] = "10m",
    measure: Annotated[Measure, typer.Option(help="What the table of peaks shows.")] = Measure.TOKENS,
    top: Annotated[int, typer.Option(min=1, help="So many minutes and tasks are printed.")] = 10,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Show who bursts, what the minutes above the committed rate cost, and who pays. Exit 1 with such a minute.

    Example: switchgear audit bursts --from 2026-11-16 --to 2026-11-23 --committed-tpm 2000000 --band 1.0:1.5
    """
    from ..audit import bursts as verb

    raise typer.Exit(
        verb.run(
            verb.Question(
                start=start,
                end=end,
                calls=calls,
                provider=provider,
                tenant=tenant,
                committed_tpm=committed_tpm,
                bands=tuple(band or ()),
                contract=contract,
                burst=burst,
                method=method.value,
                shares=tuple(share or ()),
                max_delay=max_delay,
                measure=measure.value,
                top=top,
            ),
            collector=collector,
            api_key=api_key,
            as_json=as_json,
        )
    )
