"""Told: the parts of a weekly review as HTML and CSV, with the words and figures of its other kinds of file. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

from analytics.reviews.document import Cause, Forecast, Review
from analytics.reviews.proposing import NOTHING
from analytics.reviews.sections import Section, cells, sections
from analytics.reviews.tables import plain_cell
from analytics.reviews.tiles import WARM, tiles
from analytics.reviews.wording import digits, instant, money, percent
from dashboard.look import attribute, text, words

__all__ = [
    "OWNERS_ASIDE",
    "at_a_glance",
    "basis",
    "csv_of",
    "figures",
    "lead",
    "lines_of",
    "month",
    "notes",
    "owners",
    "parts",
    "quiet",
    "sheet",
    "stamp",
    "table",
]

_NUMBERS = frozenset({"money", "change", "count", "share"})
_STATUS = {"over": ("▲", "hot"), "watch": ("◧", "warm"), "on plan": ("●", "calm")}
_ELSEWHERE = frozenset({"owners", "last_actions", "actions"})
_FRONT = ("Actual", "Plan", "Variance", "Change", "Forecast")


# The document names the last month that is closed in words alone.
_CLOSED = re.compile(r"(\d{4}-\d{2}) is closed")
OWNERS_ASIDE = "variance: actual less plan; forecast: of the month in which the week ends"


def sheet() -> str:
    """The rules of this page beside those of all pages."""
    return f"<style>{_rules()}</style>"


@cache
def _rules() -> str:
    return files("dashboard.parts.review").joinpath("review.css").read_text(encoding="utf-8")


def basis(review: Review) -> str:
    """What its amounts rest on: closed where the months of all its days were closed when it was made."""
    closed = _CLOSED.match(review.cover.ledger_state)
    return "closed" if closed and f"{review.last_day:%Y-%m}" <= closed[1] else "estimated"


def notes(review: Review) -> str:
    """The rules in words."""
    lines = "".join(f"<li>{words(each)}</li>" for each in review.notes)
    return f'<ul class="sg sg-notes">{lines}</ul>'


def lead(review: Review) -> str:
    """The week in sentences, the first one large."""
    first, *others = review.headline.sentences
    more = f"<p>{' '.join(words(each) for each in others)}</p>" if others else ""
    return f'<div class="sg sg-lead"><p class="first">{words(first)}</p>{more}</div>'


def figures(review: Review) -> list[tuple[str, str, str]]:
    """The headline figures, for the strip; what wants attention is marked by a triangle too."""
    found = []
    for tile in tiles(review):
        mark = '<span class="sg-warm" title="wants attention">▲</span> ' if tile["warm"] else ""
        found.append((text(tile["label"]), f"{mark}{text(tile['value'])}", text(tile["aside"])))
    return found


def stamp(review: Review) -> str:
    """What the figures were made of."""
    cover = review.cover
    made = [
        f"Made {instant(cover.generated_at)}",
        f"all booked until {instant(cover.watermark)}",
        f"prices {', '.join(cover.price_versions) or '—'}",
        f"ledger: {cover.ledger_state}",
    ]
    return f'<div class="sg sg-stamp">{" · ".join(words(each) for each in made)}</div>'


def at_a_glance(review: Review) -> list[tuple[str, str, str]]:
    """What is missing from the picture and what stands out, for a strip under the headline."""

    def cash(amount: Decimal | None) -> str:
        return text(money(amount, review.currency, digits(review.total.actual)))

    def told(lines: Sequence[Any], amount: str, words: str) -> str:
        return words.format(cash(_sum(lines, amount))) if lines else ""

    cover = review.cover
    unpriced, incomplete = cover.unpriced_calls, cover.incomplete_calls
    unowned = cover.unowned if cover.unowned_calls else Decimal(0)
    return [
        ("Nobody's cost", cash(unowned), f"{_calls(cover.unowned_calls)} without an owner"),
        (
            "Cost not known",
            _small(unpriced + incomplete, "call"),
            f"{unpriced:,} unpriced, {incomplete:,} incomplete",
        ),
        (
            "Was unusual",
            _small(len(review.anomalies), "time"),
            told(review.anomalies, "impact", "{} beyond the usual"),
        ),
        ("Ran away", _small(len(review.loops), "task"), told(review.loops, "cost", "cost {}")),
        ("Retried together", _small(len(review.herds), "herd"), told(review.herds, "cost", "cost {}")),
        (
            "Breakers opened",
            _small(len(review.trips), "time"),
            told(review.trips, "avoided", "about {} avoided"),
        ),
    ]


def month(ahead: Forecast, currency: str) -> str:
    """The month so far, what it will have cost at its end with the band, and the plan, as one bar."""
    high = max(ahead.high, ahead.plan or Decimal(0), ahead.spent)
    whole = high * Decimal("1.04") or Decimal(1)

    def place(amount: Decimal) -> str:
        return f"{max(Decimal(0), 100 * amount / whole):.2f}%"

    said = f"spent {money(ahead.spent, currency)}, expected {money(ahead.expected, currency)}"
    said += f", between {money(ahead.low, currency)} and {money(ahead.high, currency)}"
    plan = ""
    if ahead.plan is not None:
        said += f", plan {money(ahead.plan, currency)}"
        plan = f'<span class="limit" style="left:{place(ahead.plan)}"></span>'
    tone = "hot" if ahead.status == "over" else "warm" if ahead.status in WARM else "calm"
    band = f"{money(ahead.low, currency)} to {money(ahead.high, currency)}"
    legend = f'<span><i class="solid"></i>so far {money(ahead.spent, currency)}</span>'
    legend += f'<span><i class="pale sg-{tone}"></i>80 % band {band}</span>'
    if ahead.plan is not None:
        legend += f'<span><i class="line"></i>plan {money(ahead.plan, currency)}</span>'
    return (
        '<div class="sg sg-month">'
        f'<div class="sg-track" role="img" aria-label="{attribute(said)}">'
        f'<i class="reach" style="left:{place(ahead.low)};width:{place(ahead.high - ahead.low)};'
        f'background:var(--sg-{tone})"></i>'
        f'<i style="width:{place(ahead.spent)};background:var(--sg-calm)"></i>'
        f'<span class="mark" style="left:{place(ahead.expected)};background:var(--sg-{tone})"></span>{plan}</div>'
        f'<div class="legend">{legend}</div>'
        f"<p>{words(_pacing(ahead, currency))}</p></div>"
    )


def owners(review: Review) -> str:
    """Who owns what: a line each with one next action, what nobody owns, and the total; as read, they add up."""
    full = next(each for each in sections(review) if each.key == "owners")
    places = digits(review.total.actual)
    labels = [column.label for column in full.columns]
    head = "".join(f'<th scope="col" class="n">{label}</th>' for label in _FRONT)
    rows = []
    for at, line in enumerate([*review.owners, review.total]):
        is_total = at == len(review.owners)
        row = full.total if is_total else full.rows[at]
        shown = dict(zip(labels, cells(full, row or (), places), strict=True)) if row else {}
        below = [] if is_total else [", ".join(line.cost_centres) or "no cost centre"]
        if unknown := line.unpriced_calls + line.incomplete_calls:
            below.append(f"{_calls(unknown)} without a cost")
        if line.trips:
            below.append("1 breaker opened" if line.trips == 1 else f"breakers opened {line.trips:,} times")
        numbers = "".join(
            f'<td class="n">{text(shown.get(label, "—"))}{_of_month(shown) if label == "Forecast" else ""}</td>'
            for label in _FRONT
        )
        tone = ' class="total"' if is_total else ' class="warm"' if at in full.warm else ""
        rows.append(
            f'<tr{tone}><th scope="row">{text(shown.get("Owner", "Total"))}<small>{text(" · ".join(below))}</small>'
            f"</th>{numbers}<td>{_state(shown.get('Status', ''))}</td>{_next(line.next_action)}</tr>"
        )
    return (
        '<div class="sg sg-table" tabindex="0" role="region" aria-label="Who owns what"><table>'
        f'<thead><tr><th scope="col">Owner</th>{head}<th scope="col">Month</th><th scope="col">Next action</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def parts(review: Review) -> list[Section]:
    """The sections that have something to tell, beside owners and actions."""
    return [each for each in sections(review) if each.rows and each.key not in _ELSEWHERE]


def quiet(review: Review) -> str:
    """The sections with nothing in them, each with what that means."""
    found = [each for each in sections(review) if not each.rows and each.key not in _ELSEWHERE]
    lines = "".join(f"<li><b>{text(each.title)}</b> {words(each.empty)}</li>" for each in found)
    return f'<ul class="sg sg-quiet">{lines}</ul>' if found else ""


def table(section: Section, places: int) -> str:
    """A section as a table; long texts wrap."""
    head = "".join(
        f'<th scope="col"{_side(column.kind)}>{text(column.label)}</th>' for column in section.columns
    )
    rows = []
    for at, row in enumerate(section.rows):
        shown = cells(section, row, places)
        inner = "".join(
            _cell(column.kind, column.weight, value)
            for column, value in zip(section.columns, shown, strict=True)
        )
        rows.append(f'<tr class="warm">{inner}</tr>' if at in section.warm else f"<tr>{inner}</tr>")
    return (
        f'<div class="sg sg-table" tabindex="0" role="region" aria-label="{text(section.title)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def lines_of(review: Review, key: str) -> Sequence[Struct]:
    """What a section's table is made of."""
    found: Sequence[Struct] = review.bridge.steps if key == "bridge" else getattr(review, key)
    return found


def csv_of(lines: Sequence[Struct]) -> bytes:
    """Parts of the document as CSV: every digit, unknown empty, text that looks like a formula guarded."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    names = lines[0].__struct_fields__ if lines else ()
    writer.writerow(names)
    for line in lines:
        writer.writerow(plain_cell(_flat(getattr(line, name))) for name in names)
    return buffer.getvalue().encode()


def _flat(value: Any) -> Any:
    if isinstance(value, tuple):
        each = [f"{one.name} {one.amount:f}" if isinstance(one, Cause) else str(one) for one in value]
        return "; ".join(each)
    return value.isoformat() if isinstance(value, date | datetime) else value


def _cell(kind: str, weight: int, value: str) -> str:
    if kind in _NUMBERS:
        return f'<td class="n">{text(value)}</td>'
    if kind == "text" and weight >= 5:
        return f'<td class="w">{words(value)}</td>'
    if kind in ("day", "instant"):
        return f'<td class="t">{text(value)}</td>'
    shown = f"<b>{text(value)}</b>" if kind == "name" else text(value)
    return f'<td title="{attribute(value)}">{shown}</td>'


def _side(kind: str) -> str:
    return ' class="n"' if kind in _NUMBERS else ""


def _next(action: str) -> str:
    return f'<td class="w{" none" if action == NOTHING else ""}">{words(action)}</td>'


def _state(word: str) -> str:
    glyph, colour = _STATUS.get(word, ("", ""))
    return f'<span class="sg-chip sg-{colour}"><i>{glyph}</i>{text(word)}</span>' if glyph else text(word)


def _of_month(shown: dict[str, str]) -> str:
    plan = shown.get("Month plan", "—")
    return "" if plan in ("", "—") else f"<small>plan {text(plan)}</small>"


def _pacing(ahead: Forecast, currency: str) -> str:
    about = f"{ahead.month} will cost about {money(ahead.expected, currency)}"
    of_plan = f" ({percent(ahead.expected, ahead.plan)} of plan)" if ahead.plan else ""
    return f"{about}{of_plan}: {ahead.pacing}. Reckoned {ahead.method}."


def _small(count: int, word: str) -> str:
    return f"{count:,} <small>{word}{'' if count == 1 else 's'}</small>"


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _sum(lines: Sequence[Any], name: str) -> Decimal | None:
    """What is known of it; None where nothing is."""
    known = [value for line in lines if (value := getattr(line, name)) is not None]
    return sum(known, Decimal(0)) if known else None
