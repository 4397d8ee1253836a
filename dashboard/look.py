"""The look: palette, style sheet, and how numbers, times, states and foreign text are written. Pure.

Names of tenants, workloads and models are chosen by others. They reach a page only through `text` (HTML and Plotly
labels), `label` (widgets that read markdown) or a cell of a data grid.
"""

from __future__ import annotations

import html
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files

__all__ = [
    "STATES",
    "Palette",
    "State",
    "ago",
    "attribute",
    "change",
    "clock",
    "count",
    "dark",
    "label",
    "light",
    "money",
    "percent",
    "period",
    "sheet",
    "span",
    "text",
    "tidy",
    "words",
]

_NAME_LENGTH = 60
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True, slots=True)
class State:
    """How a breaker's state is shown: never by colour alone. A lower `rank` is more urgent."""

    word: str
    glyph: str
    colour: str
    rank: int


# Hues that stay apart for colour-blind readers (tests/dashboard/test_palette.py): crimson, amber, violet, blue, grey.
STATES: Mapping[str, State] = {
    "open": State("open", "■", "hot", 0),
    "forced_open": State("forced open", "■", "hot", 0),
    "half_open": State("half-open", "◧", "trial", 1),
    "throttled": State("throttled", "▲", "warm", 2),
    "closed": State("closed", "●", "calm", 4),
    "disabled": State("disabled", "○", "off", 5),
}


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme, as CSS hex. `series` are told apart in this order; the last grey is for the rest."""

    ground: str
    panel: str
    ink: str
    soft: str
    line: str
    track: str
    calm: str
    warm: str
    trial: str
    hot: str
    off: str
    series: tuple[str, ...]
    rest: str


light = Palette(
    ground="#ffffff",
    panel="#f4f6f8",
    ink="#16202c",
    soft="#55616f",
    line="#dfe3e8",
    track="#e9edf2",
    calm="#2f6296",
    warm="#96600a",
    trial="#7048a8",
    hot="#aa1345",
    off="#616c7a",
    series=("#2f6296", "#99496e", "#5c7728", "#7550a8", "#ad4f2c", "#2f7d74", "#9a6a10", "#5a6f86"),
    rest="#b6bec8",
)
dark = Palette(
    ground="#11161d",
    panel="#1a212b",
    ink="#e5eaf0",
    soft="#a3afbc",
    line="#2b3440",
    track="#263040",
    calm="#6ea0d6",
    warm="#e2ab4f",
    trial="#b394e0",
    hot="#f76e85",
    off="#8f9baa",
    series=("#6ea0d6", "#d486ac", "#9cbb62", "#b394e0", "#e58a68", "#63b9ae", "#e2ab4f", "#8ea3ba"),
    rest="#4a5563",
)


def text(name: object) -> str:
    """Foreign text for HTML and for Plotly labels: inert, on one line, at most 60 characters."""
    return html.escape(tidy(str(name)), quote=True)


def words(said: object, most: int = 400) -> str:
    """What a service says, for HTML: inert, on one line, longer than a name may be."""
    line = _printable(" ".join(str(said).split()))
    return html.escape(line if len(line) <= most else f"{line[: most - 1]}…", quote=True)


def attribute(value: str) -> str:
    """Foreign text as an attribute's value, whole."""
    return html.escape(value, quote=True)


def label(name: object) -> str:
    """Foreign text for a widget's label, which is markdown: every mark is escaped, so it reads as it is."""
    return "".join(f"\\{mark}" if mark in string.punctuation else mark for mark in tidy(str(name)))


def tidy(name: str) -> str:
    """The name on one line without what a terminal or a text direction would obey, shortened in the middle."""
    line = _printable(name)
    if len(line) <= _NAME_LENGTH:
        return line
    head, tail = _NAME_LENGTH * 2 // 3, _NAME_LENGTH // 3 - 1
    return f"{line[:head]}…{line[-tail:]}"


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def money(amount: Decimal | None, currency: str | None = "USD") -> str:
    """An amount with as many decimals as it needs: $1,234.56, $12.40, $0.0312; an em dash where it is unknown.

    Ceilings may count tokens in place of a currency: 12,304 tokens.
    """
    if amount is None:
        return "—"
    if currency == "tokens":
        return f"{count(round(amount))} tokens"
    size = abs(amount)
    digits = 2 if size >= 1 or size == 0 else 4 if size >= Decimal("0.01") else 6
    number = f"{size:,.{digits}f}"
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    symbol = _SYMBOLS.get(currency or "")
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency or ''}".rstrip()


def count(number: int) -> str:
    """A whole number with thousands apart; from a million on, shortened: 12,304 and 4.21 M."""
    if abs(number) >= 1_000_000_000:
        return f"{number / 1e9:,.2f} G"
    return f"{number:,}" if abs(number) < 1_000_000 else f"{number / 1e6:,.2f} M"


def percent(part: Decimal | None, whole: Decimal | None) -> str:
    """Part of whole; an em dash where there is no whole. What is little is not written as nothing: under 0.1 %."""
    if not whole:
        return "—"
    share = 100 * (part or Decimal(0)) / whole
    return "under 0.1 %" if 0 < share < Decimal("0.05") else f"{share:,.1f} %"


def change(now: Decimal | int | None, before: Decimal | int | None) -> str:
    """What became of an amount since the range before, in words: +12.4 %. More is never shown as good."""
    if now is None or before is None:
        return "not known for both ranges"
    if not before:
        return "nothing in the range before" if now else "nothing, as before"
    share = 100 * (Decimal(now) - before) / before
    if share >= 1000:
        return "more than ten times the range before"
    sign = "+" if share > 0 else "\N{MINUS SIGN}" if share < 0 else ""
    return f"{sign}{abs(share):,.1f} % on the range before"


def span(seconds: float) -> str:
    """A length of time: 8 s, 3 min 20 s, 4 h 05 min, 3 d 2 h."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def period(seconds: float) -> str:
    """The length of a window, in its largest whole unit: 60 s is "1 min", 5400 s is "90 min"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def ago(then: datetime, now: datetime) -> str:
    """How long ago: "12 s ago"; "just now" within a second."""
    seconds = (now - then).total_seconds()
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def clock(at: datetime) -> str:
    """The time of day in UTC, to the second."""
    return f"{at:%H:%M:%S}"


def sheet(palette: Palette) -> str:
    """The style sheet of every page, in one <style>."""
    names = ("ground", "panel", "ink", "soft", "line", "track", "calm", "warm", "trial", "hot", "off")
    variables = ";".join(f"--sg-{name}:{getattr(palette, name)}" for name in names)
    return f"<style>:root{{{variables}}}{_rules()}</style>"


@cache
def _rules() -> str:
    return files("dashboard").joinpath("look.css").read_text(encoding="utf-8")
