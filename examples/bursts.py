"""Two tenants share a committed rate and a third floods it: makes the calls, and draws who pays (docs/bursts.md).

    python examples/bursts.py azure2023_code.csv --calls calls.csv --chart docs/bursts.svg

The trace is AzureLLMInferenceTrace_code.csv of Azure/AzurePublicDataset (CC-BY-4.0): 8,819 requests of code completion
in 57 minutes. Its odd and even requests are two tenants; the flood is ten minutes of a third tenant's nightly job.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl

from analytics.bursts import Call, Method, attributed, charges
from analytics.contracts.terms import Band, Burst, Measure
from cli.audit.bursts import as_calls
from cli.calls import from_file
from dashboard.look import Palette, dark, light

COMMITTED_TPM = 2_000_000
BURST = Burst("committed rate", ("*",), Measure.MINUTE, (Band(Decimal(COMMITTED_TPM), Decimal("0.5")),))
# Dollars per million tokens of input and output.
INPUT, OUTPUT = Decimal("2.50"), Decimal(10)
TENANTS = ("acme", "globex", "hooli")
FLOOD_AFTER, FLOOD_FOR, FLOOD_EVERY = (
    timedelta(minutes=20),
    timedelta(minutes=10),
    timedelta(milliseconds=100),
)
FLOOD_TOKENS = (4_900, 100)

METHODS = (Method.PROPORTIONAL, Method.MARGINAL, Method.EVEN)
WIDTH, LEFT, PLOT = 860, 92, 744
TOP, HEIGHT = 66, 200
BARS, BAR = 346, 24


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trace", type=Path, help="AzureLLMInferenceTrace_code.csv")
    parser.add_argument("--calls", type=Path, default=Path("calls.csv"), help="the calls to write")
    parser.add_argument("--chart", type=Path, help="the SVG to write")
    asked = parser.parse_args()
    table(asked.trace).write_csv(asked.calls)
    print(f"{asked.calls}: three tenants; now: switchgear audit bursts --calls {asked.calls} ...")
    if asked.chart:
        asked.chart.write_text(chart(as_calls(from_file(asked.calls), BURST)), encoding="utf-8")
        print(asked.chart)


def table(trace: Path) -> pl.DataFrame:
    """The calls of all three tenants, as `switchgear audit bursts --calls` reads them."""
    requests = pl.read_csv(trace, try_parse_dates=True)
    rows = [
        _row(at, TENANTS[place % 2], "completion", "interactive", given, made)
        for place, (at, given, made) in enumerate(requests.iter_rows())
    ]
    begin = requests[requests.columns[0]][0] + FLOOD_AFTER
    rows += [
        _row(begin + place * FLOOD_EVERY, TENANTS[2], "nightly-index", "background", *FLOOD_TOKENS)
        for place in range(FLOOD_FOR // FLOOD_EVERY)
    ]
    return pl.DataFrame(rows).sort("started_at")


def _row(at: datetime, tenant: str, workload: str, tier: str, given: int, made: int) -> dict[str, object]:
    cost = (given * INPUT + made * OUTPUT) / 1_000_000
    return {
        "started_at": f"{at.isoformat()}Z",
        "tenant": tenant,
        "workload": workload,
        "task_id": f"{workload}-{at:%H%M}",
        "tier": tier,
        "input_uncached": given,
        "output": made,
        "cost": f"{cost:f}",
        "currency": "USD",
    }


def chart(calls: Sequence[Call]) -> str:
    """An SVG: tokens by minute and tenant over the committed rate, and what each tenant pays by method."""
    style = f"{_style(light)}@media(prefers-color-scheme:dark){{{_style(dark)}}}"
    parts = [*_legend(), *_minutes(calls), *_payers(calls)]
    size = f'viewBox="0 0 {WIDTH} 470" width="{WIDTH}" height="470"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="13">'
    )
    title = (
        "<title>Tokens per minute of three tenants, and who pays for those above the committed rate</title>"
    )
    ground = '<rect class="ground" width="100%" height="100%"/>'
    return "\n".join([head, title, f"<style>{style}</style>", ground, *parts, "</svg>\n"])


def _style(palette: Palette) -> str:
    tenants = "".join(f".t{place}{{fill:{palette.series[place]}}}" for place in range(len(TENANTS)))
    return (
        f".ground{{fill:{palette.ground}}}text{{fill:{palette.ink}}}.soft{{fill:{palette.soft}}}"
        f".on{{fill:{palette.ground}}}"
        f".line{{stroke:{palette.line}}}.limit{{stroke:{palette.ink};stroke-dasharray:6 4;stroke-width:1.5}}{tenants}"
    )


def _legend() -> Iterator[str]:
    for place, tenant in enumerate(TENANTS):
        x = LEFT + 110 * place
        yield f'<rect class="t{place}" x="{x}" y="14" width="13" height="13"/>{_text(x + 19, 25, tenant)}'


def _minutes(calls: Sequence[Call]) -> Iterator[str]:
    first = calls[0].at_us // 60_000_000
    used: dict[int, list[int]] = {}
    for call in calls:
        used.setdefault(call.at_us // 60_000_000 - first, [0] * len(TENANTS))[TENANTS.index(call.tenant)] += (
            int(call.tokens or 0)
        )
    top = 4_000_000
    step = PLOT / (max(used) + 1)
    yield _text(LEFT, TOP - 14, "tokens per minute, millions", kind="soft")
    for millions in range(5):
        y = TOP + HEIGHT - HEIGHT * millions * 1_000_000 / top
        yield f'<line class="line" x1="{LEFT}" x2="{LEFT + PLOT}" y1="{y:g}" y2="{y:g}"/>'
        yield _text(LEFT - 8, y + 4, str(millions), kind="soft", anchor="end")
    for minute, tokens in sorted(used.items()):
        y = float(TOP + HEIGHT)
        for place, amount in enumerate(tokens):
            tall = HEIGHT * amount / top
            y -= tall
            yield _bar(place, LEFT + minute * step, y, step - 1.5, tall)
    limit = TOP + HEIGHT - HEIGHT * COMMITTED_TPM / top
    yield f'<line class="limit" x1="{LEFT}" x2="{LEFT + PLOT}" y1="{limit:g}" y2="{limit:g}"/>'
    yield _text(LEFT + PLOT, limit - 7, "committed: 2 million", anchor="end")
    for minute in range(0, max(used) + 1, 10):
        yield _text(LEFT + minute * step, TOP + HEIGHT + 18, str(minute), kind="soft")
    yield _text(LEFT + PLOT, TOP + HEIGHT + 36, "minute of the trace", kind="soft", anchor="end")


def _payers(calls: Sequence[Call]) -> Iterator[str]:
    charged = charges(calls, BURST)
    total = sum((charge for charge in charged.values() if charge is not None), Decimal(0))
    yield _text(LEFT, BARS - 14, f"who pays the overage of {total:.2f} USD, in USD, by method", kind="soft")
    for row, method in enumerate(METHODS):
        paid = dict.fromkeys(TENANTS, Decimal(0))
        for minute in attributed(calls, charged, committed_tpm=COMMITTED_TPM, weights={}, method=method):
            for line in minute.lines:
                paid[line.tenant] += line.amount
        x, y = float(LEFT), BARS + row * (BAR + 12)
        yield _text(LEFT - 8, y + 16, method.value, anchor="end")
        for place, tenant in enumerate(TENANTS):
            wide = float(paid[tenant] / total) * PLOT
            if wide:
                yield _bar(place, x, y, wide - 1.5, BAR)
                yield f'<text class="on" x="{x + 6:.2f}" y="{y + 16}">{paid[tenant]:.2f}</text>'
            x += wide


def _bar(place: int, x: float, y: float, wide: float, tall: float) -> str:
    return f'<rect class="t{place}" x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{tall:.2f}"/>'


def _text(x: float, y: float, said: str, *, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{said}</text>'


if __name__ == "__main__":
    main()
