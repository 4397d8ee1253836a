"""Values of a text: what stands for something in particular, and must be equal for two texts to mean the same.

Ids, numbers, amounts, dates, names, quotations, code, addresses. A value is told in one canonical way however it was
written: "1,200.00", "1200" and "1.2k" are one number, "March 3, 2026" and "2026-03-03" one date. What is written in a
way that could mean two things ("03/04/2026") stays as it was written: then only the same writing is equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple
from unicodedata import category

from .lexicon import lexicon
from .words import NUMBERS, ORDINALS, ORDINARY, PREFIXES, SYSTEM_PARTS

__all__ = ["Found", "values"]


class Found(NamedTuple):
    """A value: where it stands in the text, of which kind it is, and its canonical form."""

    start: int
    end: int
    kind: str
    value: str


_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ],
        1,
    )
    for name in names.split()
}
_MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_CURRENCIES = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR",
    "pound": "GBP", "pounds": "GBP", "sterling": "GBP", "yen": "JPY", "usd": "USD", "eur": "EUR", "gbp": "GBP",
    "jpy": "JPY", "chf": "CHF", "cad": "CAD", "aud": "AUD", "inr": "INR", "sek": "SEK", "nok": "NOK", "dkk": "DKK",
}  # fmt: skip
_SCALES = {"k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "bn": 9, "billion": 9}
# By themselves, small letters make no month of these, nor of any that is shortened.
_WORDS_TOO = ("may", "march", "august")
# Signs that tell something only where values or brackets are on both sides: elsewhere they are lists and emphasis.
_OPERATORS = frozenset("*/%\\-\N{MINUS SIGN}")
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}


def _date(found: re.Match[str]) -> str | None:
    day, year = found["day"], found["year"]
    month = found["month"].lower()
    number = _MONTHS.get(month) or int(month)
    if not 1 <= number <= 12 or not 1 <= int(day) <= 31:
        return None
    time = found.groupdict().get("time") or ""
    return f"{year or ''}-{number:02d}-{int(day):02d}{time.upper()}"


def _month(found: re.Match[str]) -> str:
    return f"{found['year'] or ''}-{_MONTHS[found['month'].lower()]:02d}"


def _month_alone(found: re.Match[str]) -> str | None:
    # "may" and "march" are words, too; as months they have a capital.
    name = found["month"]
    is_month = name[0].isupper() or (len(name) > 4 and name.lower() not in _WORDS_TOO)
    return f"-{_MONTHS[name.lower()]:02d}" if is_month or name in ("june", "july") else None


def _numbered_month(found: re.Match[str]) -> str | None:
    return f"{found['year']}-{int(found['month']):02d}" if 1 <= int(found["month"]) <= 12 else None


def _quarter(found: re.Match[str]) -> str:
    named = found["number"] or found["named"]
    number = _QUARTERS.get(named.lower()) or int(named)
    return f"{found['year'] or ''}-q{number}"


def _time(found: re.Match[str]) -> str | None:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    half = (found["half"] or "").lower().replace(".", "")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    second = found.groupdict().get("second") or ""
    return f"{hour:02d}:{minute:02d}{second}" if hour < 24 and minute < 60 else None


def _number(found: re.Match[str]) -> str | None:
    digits, scale = found["number"].replace(",", ""), found["scale"] or ""
    # What begins with a 0 is a code, and "5m" may be minutes. Section 2.10 is not 2.1, but 12.00 is 12.
    if (digits[0] == "0" and digits[1:2].isdigit()) or scale == "m":
        plain = f"{digits}{scale}"
    elif scale:
        plain = f"{Decimal(digits).scaleb(_SCALES[scale.lower()]).normalize():f}"
    else:
        plain = digits.removesuffix(".00")
    return f"{'-' if found['sign'] else ''}{plain}"


def _in_words(found: re.Match[str]) -> str:
    numbers = [NUMBERS[word] for word in re.split(r"[\s-]+", found[0].lower())]
    total = group = 0
    for each in numbers:
        if each == 1000 and not total:
            total, group = (group or 1) * 1000, 0
        elif each == 100 and group < 100:
            group = (group or 1) * 100
        elif each < 100 and (group % 100 == 0 or (each < 10 and group % 10 == 0 and group % 100 >= 20)):
            group += each
        else:
            # "Two three four": a row of numbers, and none that is their sum.
            return " ".join(map(str, numbers))
    return str(total + group)


def _ordinal(found: re.Match[str]) -> str:
    word = found[0].lower()
    return str(ORDINALS.get(word) or int(re.sub(r"\D", "", word)))


def _currency(found: re.Match[str]) -> str:
    return _CURRENCIES[found[0].lower()]


def _as_written(found: re.Match[str]) -> str:
    return found[0]


def _address(found: re.Match[str]) -> str:
    """Hosts and mail addresses are the same in small letters; paths are not."""
    host = re.match(r"[^/]*://[^/?#]*", found[0])
    end = host.end() if host else len(found[0])
    return found[0][:end].lower() + found[0][end:]


def _symbol(found: re.Match[str]) -> str | None:
    """Signs that are no punctuation: of reckoning, of programs, pictures."""
    run = found[0]
    if any(category(each).startswith("S") for each in run):
        return run.strip(".,;:?()[]{}\"'") or None
    before, behind = (
        found.string[: found.start()].rstrip(" ")[-1:],
        found.string[found.end() :].lstrip(" ")[:1],
    )
    if run == "#" and found.string[found.start() - 1 : found.start()].isalpha():
        return run
    between = before in ("\0", ")") and behind in ("\0", "(")
    return run if between and set(run) <= _OPERATORS else None


def _compound(found: re.Match[str]) -> str | None:
    """A name like "payments-api"; compounds of everyday words ("follow-up", "past-due") are wording."""
    name = found[0].lower()
    parts = name.split("-")
    known = lexicon().known
    if parts[-1] in SYSTEM_PARTS:
        return name
    ordinary = all(part in ORDINARY or part in NUMBERS or known(lexicon().plain(part)) for part in parts)
    return None if ordinary or parts[0] in PREFIXES else name


def _capital(found: re.Match[str]) -> str | None:
    """A name, unless it is an ordinary word with the capital of a sentence's beginning, or an abbreviation."""
    name = found["name"]
    plain = name.lower()
    if name.isupper() or (len(name) > 2 and name[:-1].isupper() and name[-1] == "s"):
        # "SQL", "APIs", and "I": wording. What two abbreviations have to do with each other, nobody can tell.
        return None
    if plain in ORDINARY:
        return None
    before = found.string[: found.start()].rstrip(" \t\"'(*_-")
    if not (before[-1:] in (".", "!", "?", ":", ";", "\n", ">") or _OPENING.fullmatch(before)):
        return plain
    known = lexicon()
    # "Oat Milk Launch" is a name where a sentence begins, too; "Convert Parquet" is not.
    named = _NAME_GOES_ON.match(found.string, found.end()) is not None and not known.verb(known.plain(plain))
    return plain if named or not known.known(known.plain(plain)) else None


# What a sentence may begin behind: who is spoken to, a mark, a value.
_OPENING = re.compile(
    r"[\W\0]*(?:(?:hi|hey|hello|dear \w+|good (?:morning|afternoon|evening)|please|thanks|thank you|ok|okay|@\w+)\b[\W\0]*)*",
    re.IGNORECASE,
)
_NAME_GOES_ON = re.compile(r"\s+[A-Z]\w*[a-z]")
_WORDS = "|".join(sorted(NUMBERS, key=len, reverse=True))
_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE if folded else 0), canonical)
    for kind, pattern, folded, canonical in (
        ("code", r"```.*?```|`[^`\n]+`", False, _as_written),
        ("quote", r'"[^"\n]{1,400}"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|(?<![A-Za-z0-9])\'[^\'\n]{2,200}\'(?![A-Za-z0-9])', False,
         lambda found: found[0][1:-1].strip()),
        ("data", r"\{[^{}]*\}|\[[^\[\]]*\]|<[^<>\n]+>", False, _as_written),
        ("address", r"\b[a-z][a-z0-9+.-]{0,30}://[^\s,;)\"']*[^\s,;:)\"'.?!]|\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", True, _address),
        ("path", r"(?<![\w/])(?:~|\.{1,2})?(?:/[\w.@%+*-]+)+/?|\b[A-Za-z]:\\[\w\\.-]+", False, lambda f: f[0].rstrip("/.")),
        ("date", rf"\b{_YEAR}[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?P<time>T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?\b", True, _date),
        ("date", rf"\b{_DAY}(?:\s+of)?\s+{_MONTH}(?:,?\s+{_YEAR}|(?P<y2>))\b", True, _date),
        ("date", rf"\b{_MONTH}\s+(?:the\s+)?{_DAY}(?!\d)(?:,?\s+{_YEAR}|(?P<y2>))\b", True, _date),
        ("month", rf"\b{_MONTH}(?:\s+of)?,?\s+{_YEAR}\b", True, _month),
        ("month", rf"\b{_YEAR}[-/](?P<month>\d\d)\b(?![-/\d])", True, _numbered_month),
        ("month", rf"\b(?P<month>\d\d)/{_YEAR}\b", True, _numbered_month),
        ("quarter", rf"\b{_YEAR}[- ]?Q(?P<number>[1-4])(?P<named>)\b", True, _quarter),
        ("quarter", rf"\bQ(?P<number>[1-4])(?P<named>)(?:\s+(?:of\s+)?|[-/ ]?)(?:{_YEAR}|(?P<y2>))\b", True, _quarter),
        ("quarter", rf"\b(?P<number>)(?P<named>first|second|third|fourth|1st|2nd|3rd|4th)\s+quarter(?:\s+(?:of\s+)?{_YEAR}|(?P<y2>))\b", True, _quarter),
        ("month", rf"\b{_MONTH}(?![\w.])", True, _month_alone),
        ("weekday", rf"\b(?:{_WEEKDAYS})s?\b", True, lambda f: f[0].lower().rstrip("s")),
        ("time", r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d\d))(?P<second>:\d\d(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\b\.?)?", True, _time),
        ("time", r"\b(?P<hour>\d{1,2})(?P<minute>)\s*(?P<half>[ap]\.?m\b\.?)", True, _time),
        ("version", r"\bv?\d+\.\d+(?:\.\d+)+(?:[-+][\w.]+)?\b|\bv\d+(?:\.\d+)*\b", True, lambda f: f[0].lower().lstrip("v")),
        ("id", r"(?<![\w.-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z_])(?!\d{1,3}(?:st|nd|rd|th)\b)(?!\d+(?:\.\d+)?(?:k|m|mn|bn)\b)[A-Za-z0-9][\w-]*(?:[./:#][\w-]+)*", False,
         lambda f: f[0].upper()),
        ("id", r"(?<![\w.-])\d+(?:-\d+)+(?![\w-])", False, _as_written),
        ("id", r"#[A-Za-z0-9][\w-]*", False, lambda f: f[0][1:].upper()),
        ("name", r"\b[A-Za-z]\w*_\w+\b|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b|\b(?!(?:i\.e|e\.g|a\.m|p\.m)\b)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b(?!\.$)", False, _as_written),
        ("currency", r"[$€£¥]|\b(?:" + "|".join(name for name in _CURRENCIES if name.isalpha()) + r")\b", True, _currency),
        ("share", r"(?<![\w.])(?P<sign>[-−–])?(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)(?P<scale>)\s?(?:%|percent\b|per\s?cent\b|pct\b)", True, _number),
        ("number", r"(?<![\w.])(?P<sign>(?<!\w)[-−–](?=\d))?(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)(?:[\s-]?(?P<scale>k|m|mn|bn|thousand|million|billion))?(?![\w])", True, _number),
        ("number", rf"\b(?:{_WORDS})(?:[\s-]+(?:{_WORDS}))*\b", True, _in_words),
        ("ordinal", r"\b(?:" + "|".join(ORDINALS) + r")\b|\b\d{1,3}(?:st|nd|rd|th)\b", True, _ordinal),
        ("name", r"\b[a-z]+\d*(?:-[a-z0-9]+)+\b", False, _compound),
        ("name", r"(?<![\w'’])(?P<name>[A-Z]\w*(?:[-&][A-Z]\w*)*)(?!\w)", False, _capital),
        ("mark", r"->|=>|→|⇒|>>+|\|+|•|(?<=[a-z])=(?!=)", False, _as_written),
        ("symbol", r"[²³¹¼-¾\u2070-\u209c\u2150-\u2189\u2460-\u24ff]+", False, _as_written),
        ("symbol", r"[^\w\s\0]+", False, _symbol),
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
