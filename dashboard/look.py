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

__all__ = [
    "STATES",
    "Palette",
    "State",
    "ago",
    "clock",
    "count",
    "dark",
    "label",
    "light",
    "money",
    "percent",
    "sheet",
    "span",
    "text",
    "tidy",
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


# Hues that stay apart for colour-blind readers: vermilion, amber, violet, blue, grey.
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
    hot="#b8391a",
    off="#6a7583",
    series=("#2f6296", "#c98a1b", "#4f9d94", "#8a63b8", "#c2613f", "#6f8f3a", "#a8577e", "#5a6f86"),
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
    hot="#f2825c",
    off="#8f9baa",
    series=("#6ea0d6", "#e2ab4f", "#63b9ae", "#b394e0", "#e58a68", "#9cbb62", "#d486ac", "#8ea3ba"),
    rest="#4a5563",
)


def text(name: object) -> str:
    """Foreign text for HTML and for Plotly labels: inert, on one line, at most 60 characters."""
    return html.escape(tidy(str(name)), quote=True)


def label(name: object) -> str:
    """Foreign text for a widget's label, which is markdown: every mark is escaped, so it reads as it is."""
    return "".join(f"\\{mark}" if mark in string.punctuation else mark for mark in tidy(str(name)))


def tidy(name: str) -> str:
    """The name on one line without what a terminal or a text direction would obey, shortened in the middle."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    if len(line) <= _NAME_LENGTH:
        return line
    head, tail = _NAME_LENGTH * 2 // 3, _NAME_LENGTH // 3 - 1
    return f"{line[:head]}…{line[-tail:]}"


def money(amount: Decimal | None, currency: str | None = "USD") -> str:
    """An amount with as many decimals as it needs: $1,234.56, $12.40, $0.0312; an em dash where it is unknown."""
    if amount is None:
        return "—"
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
    """Part of whole; an em dash where there is no whole."""
    return f"{100 * (part or Decimal(0)) / whole:,.1f} %" if whole else "—"


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
    return f"<style>:root{{{variables}}}{_RULES}</style>"


_RULES = """
[data-testid="stMainBlockContainer"]{padding:4.2rem 2rem 3rem;max-width:1680px}
[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"]{gap:.75rem}
[data-stale="true"]{opacity:1!important}
.sg{color:var(--sg-ink);font-size:14px;line-height:1.4;font-variant-numeric:tabular-nums}
.sg *{box-sizing:border-box}
.sg-head{display:flex;align-items:baseline;gap:14px;flex-wrap:wrap}
.sg-head h1{font-size:25px;font-weight:650;letter-spacing:-.01em;margin:0;padding:0;line-height:1.25}
.sg-head .grow{flex:1}
.sg-soft{color:var(--sg-soft)}
.sg-badge{font-size:12.5px;color:var(--sg-soft);border:1px solid var(--sg-line);border-radius:20px;padding:3px 11px;white-space:nowrap}
.sg-badge b{font-weight:550;color:var(--sg-ink)}
.sg-badge.bad{border-color:var(--sg-hot);color:var(--sg-hot)} .sg-badge.bad b{color:var(--sg-hot)}
.sg-banner{border:1px solid var(--sg-line);border-left:4px solid var(--sg-hot);background:var(--sg-panel);border-radius:6px;padding:10px 14px;font-size:14px;margin-bottom:6px;overflow-wrap:anywhere}
.sg-banner.mild{border-left-color:var(--sg-warm)}
.sg-banner b{font-weight:620}
.sg-figures{display:grid;grid-template-columns:repeat(6,1fr);border:1px solid var(--sg-line);border-radius:8px;overflow:hidden}
.sg-figures>div{padding:11px 16px 10px;border-left:1px solid var(--sg-line);min-width:0}
.sg-figures>div:first-child{border-left:0}
.sg-figures .l{font-size:12.5px;color:var(--sg-soft)}
.sg-figures .v{font-size:25px;font-weight:620;line-height:1.3;letter-spacing:-.015em;white-space:nowrap}
.sg-figures .v small{font-size:15px;font-weight:450;color:var(--sg-soft);letter-spacing:0}
.sg-figures .a{font-size:12.5px;color:var(--sg-soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.sg-h{font-size:15px;font-weight:630;margin:14px 0 6px;display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}
.sg-h small{font-weight:400;font-size:12.5px;color:var(--sg-soft)}
.sg-h .key{margin-left:auto;display:flex;gap:14px;font-weight:400;font-size:12px;color:var(--sg-soft)}
.sg-h .key i{display:inline-block;width:14px;height:8px;margin-right:5px;border-radius:1px;vertical-align:1px}
.sg-hot{color:var(--sg-hot)} .sg-warm{color:var(--sg-warm)} .sg-trial{color:var(--sg-trial)} .sg-calm{color:var(--sg-calm)} .sg-off{color:var(--sg-off)}
.sg-chip{font-size:13px;font-weight:600;white-space:nowrap} .sg-chip i{font-style:normal;font-size:11px;margin-right:6px}
.sg-grid{border-top:1px solid var(--sg-line)}
.sg-row{display:grid;grid-template-columns:118px minmax(150px,1.1fr) minmax(180px,1.6fr) 88px 92px 96px 74px;gap:0 16px;align-items:center;padding:7px 0 7px 10px;border-bottom:1px solid var(--sg-line);border-left:3px solid transparent}
.sg-row.head{font-size:12px;color:var(--sg-soft);padding-top:5px;padding-bottom:5px}
.sg-row.hot{border-left-color:var(--sg-hot);background:color-mix(in srgb,var(--sg-hot) 7%,transparent)}
.sg-row.warm{border-left-color:var(--sg-warm)} .sg-row.trial{border-left-color:var(--sg-trial)}
.sg-row.shadow .sg-chip{opacity:.75}
.sg-row .n{text-align:right;white-space:nowrap} .sg-row .n small,.sg-row .t small{display:block;font-size:12px;color:var(--sg-soft)}
.sg-row .t{min-width:0} .sg-row .t b{font-weight:600;display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.sg-row .t small{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.sg-why{font-size:12px;color:var(--sg-soft);overflow:hidden;text-overflow:ellipsis;white-space:nowrap;margin-top:3px}
.sg-track{position:relative;height:14px;background:var(--sg-track);border-radius:2px}
.sg-track i{position:absolute;top:0;bottom:0;left:0;border-radius:2px 0 0 2px}
.sg-track .held{opacity:.38}
.sg-track .band{top:5px;bottom:5px;opacity:.55;border-radius:0}
.sg-track .mark{position:absolute;top:-2px;bottom:-2px;width:3px;margin-left:-1.5px;border-radius:1px}
.sg-track .limit{position:absolute;top:-4px;bottom:-4px;width:2px;margin-left:-1px;background:var(--sg-ink)}
.sg-track .past{position:absolute;right:-12px;top:-3px;font-size:13px;font-weight:700}
.sg-card{border:1px solid var(--sg-line);border-radius:8px;padding:11px 14px 12px;margin-bottom:9px}
.sg-card .top{display:flex;justify-content:space-between;gap:10px;font-weight:600;margin-bottom:6px}
.sg-meter{display:grid;grid-template-columns:66px 1fr 116px;gap:10px;align-items:center;font-size:12.5px;margin:4px 0}
.sg-meter .sg-track{height:9px} .sg-meter .n{text-align:right;color:var(--sg-soft);white-space:nowrap}
.sg-queue{display:grid;grid-template-columns:repeat(3,1fr);gap:8px;margin-top:9px;border-top:1px solid var(--sg-line);padding-top:8px;font-size:12.5px;color:var(--sg-soft)}
.sg-queue b{display:block;font-size:17px;font-weight:600;color:var(--sg-ink);line-height:1.25} .sg-queue .none b{color:var(--sg-off);font-weight:450}
.sg-event{display:grid;grid-template-columns:64px 1fr;gap:10px;padding:7px 0;border-bottom:1px solid var(--sg-line);font-size:13px}
.sg-event time{color:var(--sg-soft)} .sg-event .w{min-width:0;overflow-wrap:anywhere}
.sg-event .w small{display:block;font-size:12px;color:var(--sg-soft)}
.sg-empty{border:1px dashed var(--sg-line);border-radius:8px;padding:22px 18px;color:var(--sg-soft);text-align:center}
.sg-empty b{display:block;color:var(--sg-ink);font-weight:600;margin-bottom:2px}
@media(max-width:1100px){.sg-figures{grid-template-columns:repeat(3,1fr)}.sg-figures>div:nth-child(4){border-left:0}.sg-figures>div:nth-child(n+4){border-top:1px solid var(--sg-line)}
.sg-row{grid-template-columns:104px minmax(110px,1fr) minmax(100px,1.2fr) 76px 80px}.sg-row>.opt{display:none}}
"""
