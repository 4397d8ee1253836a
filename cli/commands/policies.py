"""The group `policies`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import COLLECTOR, POLICIES, ApiKey, CollectorUrl, Json, PoliciesUrl, PriceFile

__all__ = ["app"]

app = typer.Typer(
    help="Write policy files, and know what they do before they act (docs/policy-tools.md).",
    no_args_is_help=True,
)

PolicyArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]
Begin = Annotated[
    str | None,
    typer.Option("--from", metavar="RFC3339", help="Begin of the range. Needed unless --calls is given."),
]
End = Annotated[str | None, typer.Option("--to", metavar="RFC3339", help="Its end, which is not in it.")]
Calls = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Calls from a CSV, Parquet or JSON lines file (docs/bursts.md) instead of a collector.",
    ),
]


@app.command()
def check(file: PolicyArgument, *, as_json: Json = False) -> None:
    """Validate a policy file: every error with its line, or one line that it is fine."""
    from .. import policies

    raise typer.Exit(policies.check(file, as_json=as_json))


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files: what an editor completes and checks a file against.

    Example: switchgear policies schema > policies.schema.json
    """
    from .. import policies

    raise typer.Exit(policies.schema())


@app.command("test")
def cases(
    file: PolicyArgument,
    case_files: Annotated[
        list[Path],
        typer.Argument(metavar="CASES...", help="Case files: steps in virtual time, and what is expected."),
    ],
    *,
    only: Annotated[
        str | None, typer.Option("--case", metavar="TEXT", help="Only cases with this in their name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run case files against a policy file: a line each, and exit 1 where one is not as expected.

    Example: switchgear policies test policies.yaml policies.cases.yaml
    """
    from .. import cases as verb

    raise typer.Exit(verb.test(file, case_files, only=only, as_json=as_json))


@app.command()
def explain(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A policy file. Without: the running engine.")
    ] = None,
    *,
    tenant: Annotated[str | None, typer.Option(help="Whose calls.")] = None,
    workload: Annotated[str | None, typer.Option(help="Of which agent.")] = None,
    tier: Annotated[str | None, typer.Option(help="Default: the workload's own.")] = None,
    task: Annotated[str | None, typer.Option(help="Of which task: the root's id.")] = None,
    provider: Annotated[str | None, typer.Option(help="To which provider.")] = None,
    model: Annotated[str | None, typer.Option(help="To which model.")] = None,
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="A decision that the running engine made lately.")
    ] = None,
    policies: PoliciesUrl = POLICIES,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Say which ceilings apply to a call and why; of a running engine also what each says, and whose word counts.

    Example: switchgear policies explain policies.yaml --tenant acme --workload nightly --model gpt-4o
    """
    from .. import explain as verb

    named = {
        "tenant": tenant,
        "workload": workload,
        "tier": tier,
        "task": task,
        "provider": provider,
        "model": model,
    }
    if file is not None:
        raise typer.Exit(verb.by_file(file, named, decision, as_json=as_json))
    raise typer.Exit(verb.by_engine(named, decision, policies=policies, api_key=api_key, as_json=as_json))


@app.command()
def backtest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE [OTHER]", help="A policy file, or two to compare.")
    ],
    *,
    start: Begin = None,
    end: End = None,
    calls: Calls = None,
    prices: PriceFile = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Replay recorded calls through the engine: trips, how early and how often rightly, what is refused and saved.

    Nothing acts on anyone. Example: switchgear policies backtest policies.yaml new.yaml --from 2026-11-01 --to
    2026-11-08
    """
    from .. import backtest as verb
    from ..recordings import Wanted

    wanted = Wanted(start, end, calls, prices, collector, api_key)
    raise typer.Exit(verb.run(files, wanted, as_json=as_json))


@app.command("shadow-report")
def shadow_report(
    file: PolicyArgument,
    *,
    start: Begin = None,
    end: End = None,
    calls: Calls = None,
    prices: PriceFile = None,
    collector: CollectorUrl = COLLECTOR,
    api_key: ApiKey = None,
    as_json: Json = False,
) -> None:
    """Say what ceilings in shadow would have done if they were enforced, and what to change to enforce them.

    Exit 1 where it would have changed anything. Example: switchgear policies shadow-report policies.yaml --from
    2026-11-01 --to 2026-11-08
    """
    from .. import shadows as verb
    from ..recordings import Wanted

    wanted = Wanted(start, end, calls, prices, collector, api_key)
    raise typer.Exit(verb.run(file, wanted, as_json=as_json))
