"""Values of a text: what stands for something in particular, and must be equal for two texts to mean the same.

Ids, numbers, amounts, dates, names, quotations, code, addresses. A value is told in one canonical way however it was
written: "1,200.00", "1200" and "1.2k" are one number, "March 3, 2026" and "2026-03-03" one date. What is written in a
way that could mean two things ("03/04/2026") stays as it was written: then only the same writing is equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from . import forms
from .words import INITIALS, ORDINALS

__all__ = ["Found", "values"]


class Found(NamedTuple):
    """A value: where it stands in the text, of which kind it is, and its canonical form.

    Of the kind `mark` it is none: its form are words of the wording.
    """

    start: int
    end: int
    kind: str
    value: str


def _quotation(found: re.Match[str]) -> str | None:
    """What is within; a quoted id, number or date is what it is without the marks. Nothing and a space are told, too."""
    inner = found[0][1:-1].strip()
    if not inner:
        return found[0][1:-1]
    bare = list(inner)
    for each in values(inner):
        bare[each.start : each.end] = " " * (each.end - each.start)
    return inner if "".join(bare).strip() else None


_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE if folded else 0), canonical)
    for kind, pattern, folded, canonical in (
        ("code", r"```.*?```|`[^`\n]+`", False, forms.as_written),
        ("mark", rf'"?\b(?:{forms.STEPS})"?\s*[:=]\s*"?[a-z]+(?:[_-][a-z]+)+(?![\w@:/\\-]|\.\w)"?|"[A-Za-z][A-Za-z_]{{0,40}}"(?=\s*:)'
         r"|(?<![\w./@-])[a-z]+(?:_[a-z]+)+(?=\s*[:=])", False, forms.label),
        ("quote", r'"[^"\n]{0,400}"|“[^”\n]{0,400}”|«[^»\n]{0,400}»|(?<![A-Za-z0-9])\'[^\'\n]{0,200}\'(?![A-Za-z0-9])|‘[^’\n]{0,200}’(?!\w)', False,
         _quotation),
        ("symbol", r"(?<=\d)['\"\N{PRIME}\N{DOUBLE PRIME}](?![\w'\"])", False, forms.prime),
        ("data", r"\{[^{}]*\}|\[[^\[\]]*\]|<[^\s<>][^<>\n]*>|\[[^\[\](){}\n]{1,60}\)|\([^\[\](){}\n]{1,60}\]", False, forms.as_written),
        ("data", rf"(?<!\S)(?=[^\n]{{0,40}}\*)(?:{forms.CRON} +){{4,5}}{forms.CRON}(?!\S)", False, forms.as_written),
        ("address", r"\b[a-z][a-z0-9+.-]{0,30}://[^\s,;)\"']*[^\s,;:)\"'.?!]|\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", True, forms.address),
        ("path", r"(?<![\w/])(?:~|\.{1,2})?(?:/[\w.@%+*-]+)+/?|(?<![\w/.])(?<!\w-)\w[\w.-]*(?:/[\w.@-]+)*/[\w@-][\w.@-]*\.[A-Za-z]\w{0,5}\b|\b[A-Za-z]:\\[\w\\.-]+|(?<![\w.-])[A-Za-z][\w-]*(?:\.[\w-]+)*\.[A-Za-z]{2,}/[\w.@%+*/-]*", False, lambda f: f[0].rstrip("/.")),
        # Options of a command, and what a pattern escapes: "-l" is not "-L".
        ("name", r"(?<![^\s(\[{,=\"'])-[A-Za-z]\w*(?![\w-])|(?<!\\)\\+\w+", False, forms.as_written),
        ("date", rf"\b{forms.YEAR}[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?P<time>T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?\b", True, forms.date),
        ("date", rf"\b{forms.DAY}(?:(?:\s+of)?\s+|[-/]){forms.MONTH}(?:(?:,?\s+|[-/]){forms.YEAR}|(?P<y2>))\b", True, forms.date),
        ("date", rf"\b{forms.MONTH}\s+(?:the\s+)?{forms.DAY}(?!\d)(?:,?\s+{forms.YEAR}|(?P<y2>))\b", True, forms.date),
        ("month", rf"\b{forms.MONTH}(?:\s+of)?,?\s+{forms.YEAR}\b", True, forms.month),
        ("month", rf"\b{forms.YEAR}[-/](?P<month>\d\d)\b(?![-/\d])", True, forms.numbered_month),
        ("month", rf"\b(?P<month>\d\d)/{forms.YEAR}\b", True, forms.numbered_month),
        ("quarter", rf"\b{forms.YEAR}[- ]?Q(?P<number>[1-4])(?P<named>)\b", True, forms.quarter),
        ("quarter", rf"\b(?<!\w-)Q(?P<number>[1-4])(?P<named>)(?:(?:\s+(?:of\s+)?|[-/]?){forms.YEAR}|(?P<y2>))\b", True, forms.quarter),
        ("quarter", rf"\b(?P<number>)(?P<named>first|second|third|fourth|1st|2nd|3rd|4th)\s+quarter(?:\s+(?:of\s+)?{forms.YEAR}|(?P<y2>))\b", True, forms.quarter),
        ("month", rf"\b{forms.MONTH}(?![\w.])", True, forms.month_alone),
        ("weekday", rf"\b(?:{forms.WEEKDAYS})s?\b", True, lambda f: f[0].lower().rstrip("s")),
        ("time", r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d\d))(?P<second>:\d\d(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\b\.?)?", True, forms.time),
        ("time", r"(?<![\w.,:])(?P<hour>\d{1,2})(?:\.(?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?)", True, forms.time),
        ("version", r"\bv?\d+\.\d+(?:\.\d+)+(?:[-+][\w.]+)?\b|\bv\d+(?:\.\d+)*\b", True, lambda f: f[0].lower().lstrip("v")),
        ("number", r"(?<![\w.])\d{1,3}!(?!=)", False, forms.as_written),
        ("symbol", r"(?<![\w\0)])[-\N{MINUS SIGN}\N{EN DASH}](?=[$€£¥]\d)", False, lambda _: "-"),
        ("mark", r"->|=>|→|⇒|>>+|\|+|•|[<>!]=|[*/%:]=(?!=)|==?|[<>≤≥≠]|(?<![\w!?.])!(?=[A-Za-z_(])|(?<![\w\0)])\+(?=[$€£¥]?\d)", False, forms.mark),
        ("percentile", r"\b(?:p(?P<number>\d\d(?:\.\d+)?)|(?P<named>\d\d?(?:\.\d+)?)(?:st|nd|rd|th)?[\s-]percentile)\b", True,
         lambda f: f["number"] or f["named"]),
        ("duration", rf"(?<![\w.])(?<![A-Za-z]-){forms.SIGN}(?!(?:19|20)\d\d\s)(?P<number>\d+(?:\.\d+)?(?:(?=(?-i:[sdw])\b)|[\s-]?(?=\w\w|(?-i:h)\b))|(?:\ban(?=\shour)|\bone|\b{forms.FEW_IN_WORDS})[\s-])(?P<unit>{'|'.join(forms.UNITS.values())})\b", True, forms.duration),
        ("id", rf"(?<![\w.-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z_])(?!\d{{1,3}}(?:st|nd|rd|th)\b)(?!\d+(?:\.\d+)?(?:k|m|mn|bn|(?i:{forms.MEASURES}))\b)(?!(?:x\d+|\d+x)\b)[A-Za-z0-9][\w-]*(?:[./:#][\w-]+)*", False,
         lambda f: f[0].upper()),
        ("id", r"(?<![\w.-])\d+(?:-\d+)+(?![\w-])", False, forms.as_written),
        ("id", r"#[A-Za-z0-9][\w-]*", False, lambda f: f[0][1:].upper()),
        ("name", r"\b(?=\w*[^\W\d_])\w*_\w*\b|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b|\b[A-Za-z]\w*(?:::\w+)+|\b(?<!\w-)(?![A-Za-z](?:\.[A-Za-z])+\b)[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)+\b", False, forms.as_written),
        ("currency", rf"(?<![A-Za-z])(?:{'|'.join(forms.DOLLARS)})\$|[$€£¥]|\b(?:" + "|".join(name for name in forms.CURRENCIES if name.isalpha()) + r")\b", True, forms.currency),
        ("share", rf"(?<![\w.]){forms.SIGN}(?P<number>{forms.DIGITS})(?P<scale>)\s?(?:%|percent\b|per\s?cent\b|pct\b)", True, forms.number),
        ("number", rf"(?<![\w.]){forms.SIGN}(?P<number>{forms.DIGITS})(?:[\s-]?(?P<scale>k|m|mn|bn|thousand|million|billion))?(?!\w|\.\d)", True, forms.number),
        ("number", rf"(?<![\w.]){forms.SIGN}(?P<number>{forms.DIGITS})(?P<scale>)(?=(?:{forms.MEASURES})\b)", True, forms.number),
        ("number", r"(?<![\w.])(?:x\d+|\d+(?:\.\d+)?x)\b", False, forms.times),
        ("number", rf"\b{forms.IN_WORDS}\b", True, forms.in_words),
        ("ordinal", r"\b(?:" + "|".join(ORDINALS) + r")\b|\b\d{1,3}(?:st|nd|rd|th)\b", True, forms.ordinal),
        ("name", r"\b[a-z]+\d*(?:-[a-z0-9]+)+\b", False, forms.compound),
        ("name", r"(?<![\w'’])(?P<name>[A-Z]\w*(?:[-&'’][A-Z]\w*)*)(?!\w)", False, forms.capital),
        ("mark", rf"(?<![\w-])(?:{'|'.join(INITIALS).upper()})(?![\w-])", False, forms.initials),
        # What is left with a digit in it.
        ("id", r"(?<![\w.:/-])[\w.:/-]*\d[\w.:/-]*", False, forms.with_digits),
        ("mark", r"(?<=[\0)])\s?[/\N{EM DASH}\N{HORIZONTAL ELLIPSIS}\N{MIDDLE DOT}]\s?(?=[\0(])", False, lambda f: f[0].strip()),
        ("symbol", r"[²³¹¼-¾\u2070-\u209c\u2150-\u2189\u2460-\u24ff]+", False, forms.as_written),
        ("symbol", r"[^\w\s\0]+", False, forms.symbol),
        # Signs of reckoning and of programs between words: often no more than a dash, and so no value.
        ("mark", r"(?<=\S )(?:[*/&-]{1,2}|%|\N{EN DASH}|\.\.)(?= \S)|(?<=[\w\0)])\*{1,2}(?=[\w\0(])|(?<=\b[A-Za-z])[/-](?=[A-Za-z]\b|\0)"
         r"|(?<!\S)&(?=\w)|(?<=\s)\*(?=[\w.])|(?<=\w)\*(?!\S)|(?<=\w)--(?![\w-])|(?<=\w)\.\.(?=\w)"
         # What belongs together: "(a or b) and c", {"a": {...}, "b": ...}.
         r"|\)(?=\s+(?:and|or)\b)|(?:(?<=\band )|(?<=\bor )|(?<=\bnot ))\(|[}\]](?=\s*,)", True, forms.mark),
    )
)  # fmt: skip


def values(text: str) -> Iterator[Found]:
    """The values of a text, in no order; what one has taken, no later pattern sees."""
    left = list(text)
    for kind, pattern, canonical in _PATTERNS:
        rest = "".join(left)
        for found in pattern.finditer(rest):
            value = canonical(found)
            if value is None or "\0" in found[0]:
                continue
            start, end = (
                found.span("name") if kind == "name" and "name" in pattern.groupindex else found.span()
            )
            yield Found(start, end, kind, value)
            left[start:end] = "\0" * (end - start)
