"""Forms: the one canonical way in which a value is told, however it was written; None where what was found is none."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from unicodedata import category

from .lexicon import lexicon
from .words import NUMBERS, ORDINALS, ORDINARY, PREFIXES, SYSTEM_PARTS

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
MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
YEAR = r"(?P<year>(?:19|20)\d\d)"
WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
DOLLARS = {
    "us": "USD", "ca": "CAD", "c": "CAD", "au": "AUD", "a": "AUD", "nz": "NZD", "hk": "HKD", "sg": "SGD", "s": "SGD",
    "mx": "MXN",
}  # fmt: skip
# "Try" and "all" are currencies, too, and more often words.
_CODES = (
    "usd eur gbp jpy chf cad aud nzd hkd sgd mxn inr sek nok dkk brl cny krw pln czk huf zar aed sar ils thb"
)
CURRENCIES = {f"{name}$": code for name, code in DOLLARS.items()} | {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR",
    "pound": "GBP", "pounds": "GBP", "sterling": "GBP", "yen": "JPY",
} | {code: code.upper() for code in _CODES.split()}  # fmt: skip
# Of these times as many make another: "60 minutes" is "an hour". No number of days makes every month.
_SECONDS = {
    unit: Decimal(seconds)
    for unit, seconds in {
        "ms": "0.001",
        "s": "1",
        "min": "60",
        "h": "3600",
        "d": "86400",
        "w": "604800",
    }.items()
}
UNITS = {
    "ms": "ms|milliseconds?", "s": "s|secs?|seconds?", "min": "mins?|minutes?", "h": "h|hrs?|hours?", "d": "d|days?",
    "w": "w|wks?|weeks?", "month": "months?", "year": "yrs?|years?",
}  # fmt: skip
# Behind a number without a space: elsewhere letters and digits are an id.
MEASURES = "kg|mg|g|km|cm|mm|ml|[kmgtp]i?b|[kmg]?wh|[km]w|[kmg]?hz|[kmg]?bps|px|rpm|lbs?|oz|ft|pp|usd|eur|gbp"
_SCALES = {"k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "bn": 9, "billion": 9}
# By themselves, small letters make no month of these, nor of any that is shortened.
_WORDS_TOO = ("may", "march", "august")
# Signs that tell something only where values or brackets are on both sides: elsewhere they are lists and emphasis.
_OPERATORS = frozenset("*/%\\-\N{MINUS SIGN}\N{EN DASH}")
# No punctuation, though Unicode says so.
_TELLING = frozenset("%\N{PER MILLE SIGN}\N{PER TEN THOUSAND SIGN}")
# No digit is rounded away, whatever the program that asks has set for its own reckoning.
_EXACT = Context(prec=5_000)
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}


def date(found: re.Match[str]) -> str | None:
    day, year = found["day"], found["year"]
    month = found["month"].lower()
    number = _MONTHS.get(month) or int(month)
    if not 1 <= number <= 12 or not 1 <= int(day) <= 31:
        return None
    time = found.groupdict().get("time") or ""
    return f"{year or ''}-{number:02d}-{int(day):02d}{time.upper()}"


def month(found: re.Match[str]) -> str:
    return f"{found['year'] or ''}-{_MONTHS[found['month'].lower()]:02d}"


def month_alone(found: re.Match[str]) -> str | None:
    # "may" and "march" are words, too; as months they have a capital.
    name = found["month"]
    if name == "May" and any(may.match(found.string, found.end()) for may in _MAY):
        return None
    is_month = name[0].isupper() or (len(name) > 4 and name.lower() not in _WORDS_TOO)
    return f"-{_MONTHS[name.lower()]:02d}" if is_month or name in ("june", "july") else None


def numbered_month(found: re.Match[str]) -> str | None:
    return f"{found['year']}-{int(found['month']):02d}" if 1 <= int(found["month"]) <= 12 else None


def quarter(found: re.Match[str]) -> str:
    named = found["number"] or found["named"]
    number = _QUARTERS.get(named.lower()) or int(named)
    return f"{found['year'] or ''}-q{number}"


def time(found: re.Match[str]) -> str | None:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    half = (found["half"] or "").lower().replace(".", "")
    if half and hour > 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    second = found.groupdict().get("second") or ""
    return f"{hour:02d}:{minute:02d}{second}" if hour < 24 and minute < 60 else None


def duration(found: re.Match[str]) -> str | None:
    """In seconds, or in months."""
    said = found["number"].lower().rstrip(" -\t\n")
    if not said[0].isdigit():
        said = "1" if said in ("an", "one") else _reckoned(said)
    if " " in said:
        # "Two three hours": nobody can tell how many.
        return None
    sign = "-" if found["sign"] else ""
    unit = next(name for name, names in UNITS.items() if re.fullmatch(names, found["unit"].lower()))
    if unit in _SECONDS:
        return f"{sign}{_plain(_EXACT.multiply(Decimal(said), _SECONDS[unit]))}"
    return f"{sign}{_plain(_EXACT.multiply(Decimal(said), Decimal(12 if unit == 'year' else 1)))} months"


def _plain(number: Decimal) -> str:
    return f"{number.normalize(_EXACT):f}"


def number(found: re.Match[str]) -> str | None:
    digits, scale = found["number"].replace(",", ""), found["scale"] or ""
    if digits[0] == ".":
        digits = f"0{digits}"
    # What begins with a 0 is a code, and "5m" may be minutes. Section 2.10 is not 2.1, but 12.00 is 12.
    if (digits[0] == "0" and digits[1:2].isdigit()) or scale == "m":
        plain = f"{digits}{scale}"
    elif scale:
        plain = _plain(Decimal(digits).scaleb(_SCALES[scale.lower()], _EXACT))
    else:
        plain = digits.removesuffix(".00")
    return f"{'-' if found['sign'] else ''}{plain}"


def times(found: re.Match[str]) -> str:
    """So many of what follows; a factor where nothing does: "scale it 2x" is not to 2."""
    number = found[0].strip("x")
    return number if found[0][0] == "x" or _FOLLOWED.match(found.string, found.end()) else f"x{number}"


def in_words(found: re.Match[str]) -> str:
    return _reckoned(found[0].lower())


def _reckoned(words: str) -> str:
    numbers = [NUMBERS[word] for word in re.split(r"[\s-]+", words)]
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


def ordinal(found: re.Match[str]) -> str:
    word = found[0].lower()
    return str(ORDINALS.get(word) or int(re.sub(r"\D", "", word)))


def currency(found: re.Match[str]) -> str:
    return CURRENCIES[found[0].lower()]


def as_written(found: re.Match[str]) -> str:
    return found[0]


def mark(found: re.Match[str]) -> str | None:
    """In words, where a wording would have words for it: "> 5" is above 5. Of a star that ends emphasis, none."""
    if found[0] == "*" and found.string.count("*") % 2 == 0 and not found.string[found.start() - 1].isspace():
        return None
    return _MARKS.get(found[0], found[0])


def prime(found: re.Match[str]) -> str | None:
    """Feet, inches and minutes; where such a mark has begun something before, it is the end of that."""
    return None if re.search(rf"(?<!\w){found[0]}", found.string[: found.start()]) else found[0]


def initials(found: re.Match[str]) -> str | None:
    """ "US" is not "us", where not all is in capitals."""
    return found[0] if any(map(str.islower, found.string)) else None


def label(found: re.Match[str]) -> str:
    """What stands before a value to say which it is, or a step's own name, in its words."""
    return re.sub(r"[\W_]+", " ", found[0]).strip().lower()


def with_digits(found: re.Match[str]) -> str:
    """Whatever has a digit: it says something in particular, however it is written."""
    return found[0].lstrip(".,:;/").rstrip(".,:;/-").upper()


def address(found: re.Match[str]) -> str:
    """Hosts and mail addresses are the same in small letters; paths are not."""
    host = re.match(r"[^/]*://[^/?#]*", found[0])
    end = host.end() if host else len(found[0])
    return found[0][:end].lower() + found[0][end:]


def symbol(found: re.Match[str]) -> str | None:
    """Signs that are no punctuation: of reckoning, of programs, pictures."""
    run = found[0]
    if any(category(each).startswith("S") for each in run):
        return run.strip(".,;:?()[]{}\"'") or None
    before, behind = (
        found.string[: found.start()].rstrip(" ")[-1:],
        found.string[found.end() :].lstrip(" ")[:1],
    )
    beside = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    if (run == "#" and beside[0].isalpha()) or (run[0] in _TELLING and not beside[1].isalnum()):
        return run
    # "BBB-" is no "BBB".
    if run[0] in "-\N{MINUS SIGN}" and beside[0].isupper() and not beside[1].strip():
        return "-"
    # Brackets that say what is reckoned first.
    if (run[0] == ")" and _RECKONED.match(found.string, found.start() + 1)) or (
        run[-1] == "(" and _RECKONING.search(found.string, max(0, found.start() - 4), found.end() - 1)
    ):
        return run
    between = before in ("\0", ")") and behind in ("\0", "(")
    return run if between and set(run) <= _OPERATORS else None


def compound(found: re.Match[str]) -> str | None:
    """A name like "payments-api"; compounds of everyday words ("follow-up", "past-due") are wording."""
    name = found[0].lower()
    parts = name.split("-")
    known = lexicon().known
    if parts[-1] in SYSTEM_PARTS:
        return name
    ordinary = all(part in ORDINARY or part in NUMBERS or known(lexicon().plain(part)) for part in parts)
    return None if ordinary or parts[0] in PREFIXES else name


def capital(found: re.Match[str]) -> str | None:
    """A name, unless it is an ordinary word with the capital of a sentence's beginning, or an abbreviation."""
    name = found["name"]
    plain = name.lower()
    if name.isupper() or (len(name) > 2 and name[:-1].isupper() and name[-1] == "s"):
        # "SQL", "APIs", and "I": wording. What two abbreviations have to do with each other, nobody can tell.
        return None
    if plain in ORDINARY:
        return None
    before = found.string[: found.start()].rstrip(" \t\"'(*_-")
    if before.endswith(":") and _ALL_OF_IT.match(found.string, found.end()):
        return plain
    if not (before[-1:] in (".", "!", "?", ":", ";", "\n", ">") or _OPENING.fullmatch(before)):
        return plain
    known = lexicon()
    # "Oat Milk Launch" is a name where a sentence begins, too; "Convert Parquet" is not.
    named = _NAME_GOES_ON.match(found.string, found.end()) is not None and not known.verb(known.plain(plain))
    return plain if named or not (known.known(known.plain(plain)) or _derived(plain)) else None


def _derived(word: str) -> bool:
    """Whether it is a verb with a first part: "deregister", "unmatch"."""
    known = lexicon()
    return any(
        word.startswith(first) and len(word) > len(first) + 3 and known.verb(known.plain(word[len(first) :]))
        for first in PREFIXES
    )


# What a sentence may begin behind: who is spoken to, a mark, a value.
_OPENING = re.compile(
    r"[\W\0]*(?:(?:hi|hey|hello|dear \w+|good (?:morning|afternoon|evening)|please|thanks|thank you|ok|okay|@\w+)\b"
    r"[\W\0]*)*",
    re.IGNORECASE,
)
_NAME_GOES_ON = re.compile(r"\s+[A-Z]\w*[a-z]")
# "May Ann leave early?", "May unused days be kept?"
_MAY = (
    re.compile(
        r"\s+(?:i|we|you|he|she|it|they|the|an?|our|my|your|their|this|these|one|any|some|[A-Z]\w*)\b"
    ),
    re.compile(r"\s+[a-z][^.?!\n]*\?"),
)
_FOLLOWED = re.compile(r"\s+[\w\0]")
_RECKONED = re.compile(r"\s?[-+*/^%\N{MULTIPLICATION SIGN}÷\N{MINUS SIGN}]\s?[\w\0(]")
_RECKONING = re.compile(r"[\w\0)]\s?[-+*/^%\N{MULTIPLICATION SIGN}÷\N{MINUS SIGN}]\s?\Z")
# A label's whole value: "from: Basic; to: Plus".
_ALL_OF_IT = re.compile(r"\s*(?:[;,}\n\"]|\Z)")
_MARKS = {"<": "below", ">": "above", "<=": "at most", "≤": "at most", ">=": "at least", "≥": "at least",
          "!=": "not", "≠": "not", "!": "not", "+": "plus"}  # fmt: skip
SIGN = "(?P<sign>(?<!\\w)[-\N{MINUS SIGN}\N{EN DASH}](?=\\.?\\d))?"
DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
# A field of a schedule: "*/5", "1-5", "MON".
CRON = r"(?:[*\d][\d*/,-]*|[A-Z]{3}(?:[-,][A-Z]{3})*)"
# Behind these stands what a step of an agent is called.
STEPS = "task|action|tool|function|intent|operation|step|skill"
RELATIONS = {word: word for word in ("below", "above", "at most", "at least", "not", "=")} | {"==": "="}
"""What marks say of values, of which one is never another. "==" says what "=" does, but is told from it."""
_WORDS = "|".join(sorted(NUMBERS, key=len, reverse=True))
IN_WORDS = rf"(?:{_WORDS})(?:[\s-]+(?:{_WORDS}))*"
FEW_IN_WORDS = rf"(?:{_WORDS})(?:[\s-]+(?:{_WORDS})){{0,6}}"
"""Where more may stand behind: it is looked for from each word on."""
