"""Banks of prompts whose meanings are known, and the values that fill them.

A bank (`cache_streams/bank_*.yaml`) has families of intents that look alike and mean different things, each in several
wordings that mean the same, with slots; popular intents without slots; and pairs. Two banks were written apart from
each other and from the code that they measure: what is trained is trained on `a`, what is measured is measured on `b`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

__all__ = ["FOLDER", "Bank", "Intent", "Pair", "bank", "drawn", "filled", "slots_of"]

FOLDER = Path(__file__).parent / "cache_streams"
_SLOT = re.compile(r"\{(\w+)\}")
_FIRST = [
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Elena",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kemal",
    "Lena",
    "Marco",
    "Nadia",
    "Omar",
    "Petra",
]
_LAST = [
    "Müller",
    "Okafor",
    "Smith",
    "Tanaka",
    "Rossi",
    "Novak",
    "Kaya",
    "Dubois",
    "Larsen",
    "Silva",
    "Cohen",
    "Haddad",
    "Petrov",
    "Jansen",
]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_NAMED: Mapping[str, Sequence[str]] = {
    "customer": [
        "Acme Corp",
        "Globex",
        "Initech",
        "Umbrella Ltd",
        "Contoso",
        "Northwind",
        "ACME-1042",
        "Stark Industries",
        "Wayne Foods",
        "C-20931",
        "Hooli",
        "Vandelay GmbH",
        "Tyrell & Sons",
        "Soylent",
        "Wonka Confectionery",
    ],
    "city": [
        "Berlin",
        "Paris",
        "Madrid",
        "Oslo",
        "Lyon",
        "Chicago",
        "Austin",
        "Osaka",
        "Cairo",
        "Lima",
        "Porto",
        "New York",
        "Sao Paulo",
        "Cape Town",
    ],
    "country": [
        "Germany",
        "France",
        "Spain",
        "Norway",
        "Japan",
        "Brazil",
        "Kenya",
        "South Africa",
        "United States",
        "Canada",
        "India",
        "Chile",
    ],
    "product": [
        "Widget Pro",
        "AquaPump 300",
        "SolarMax",
        "UltraDesk",
        "Model T7",
        "Vento",
        "BrightLamp X",
        "EcoFilter",
    ],
    "table": [
        "orders",
        "customer_events",
        "invoice_lines",
        "user_sessions",
        "stock_moves",
        "payment_log",
        "tickets_2024",
    ],
    "column": ["customer_id", "created_at", "total_amount", "status", "region_code", "unit_price"],
    "path": [
        "/var/log/app.log",
        "/srv/data/export.csv",
        "/etc/nginx/nginx.conf",
        "src/main/app.py",
        "/home/deploy/run.sh",
    ],
    "service": [
        "payments-api",
        "checkout-web",
        "auth-service",
        "search-indexer",
        "billing-worker",
        "geo-lookup",
    ],
    "metric": ["p99 latency", "error rate", "cpu usage", "churn rate", "conversion rate", "throughput"],
    "currency": ["USD", "EUR", "GBP", "JPY", "CHF", "CAD"],
    "language": ["German", "French", "Spanish", "Japanese", "Turkish", "Polish", "Dutch"],
    "count": ["3", "5", "10", "12", "20", "50"],
    "days": ["7", "14", "30", "60", "90"],
}


@dataclass(frozen=True, slots=True)
class Intent:
    """What several wordings mean."""

    id: str
    family: str
    wordings: tuple[str, ...]

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of its slots: the same in each wording."""
        return slots_of(self.wordings[0])


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, and whether they mean the same."""

    one: str
    other: str
    same: bool


@dataclass(frozen=True, slots=True)
class Bank:
    """A file of prompts."""

    steps: tuple[Intent, ...]
    """Of agents, in families."""
    popular: tuple[Intent, ...]
    """That many users ask, without slots."""
    pairs: tuple[Pair, ...]


def bank(name: str) -> Bank:
    """The bank of that name."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"bank_{name}.yaml").read_text(encoding="utf-8"))
    steps = [
        Intent(f"{family['id']}/{intent['id']}", family["id"], tuple(intent["wordings"]))
        for family in document["families"]
        for intent in family["intents"]
    ]
    popular = [
        Intent(f"popular/{each['id']}", f"popular/{each['id']}", tuple(each["wordings"]))
        for each in document["faq"]
    ]
    pairs = [
        Pair(each["a"], each["b"], same)
        for kind, same in (("paraphrases", True), ("longtail", False))
        for each in document[kind]
    ]
    return Bank(tuple(steps), tuple(popular), tuple(pairs))


def slots_of(wording: str) -> tuple[str, ...]:
    """The names of a wording's slots."""
    return tuple(dict.fromkeys(_SLOT.findall(wording)))


def drawn(slot: str, random: Random) -> tuple[str, ...]:
    """A value for a slot: all the ways in which it may be written."""
    kind = slot.partition("_")[0]
    if kind in _NAMED:
        return (random.choice(_NAMED[kind]),)
    year, month, day = random.choice((2024, 2025, 2026)), random.randrange(12), random.randrange(1, 29)
    quarter, amount = random.randrange(1, 5), random.choice((120, 250, 999, 1200, 4500, 12000, 50000))
    share, number = random.choice((5, 10, 12, 15, 20, 35, 50)), random.randrange(1000, 99999)
    first, last = random.choice(_FIRST), random.choice(_LAST)
    version = f"{random.randrange(1, 9)}.{random.randrange(20)}.{random.randrange(10)}"
    return {
        "person": (f"{first} {last}",),
        "email": (f"{first.lower()}.{last.lower().replace('ü', 'u')}@example.com",),
        "date": (
            f"{year}-{month + 1:02d}-{day:02d}",
            f"{_MONTHS[month]} {day}, {year}",
            f"{day} {_MONTHS[month]} {year}",
        ),
        "month": (f"{_MONTHS[month]} {year}", f"{year}-{month + 1:02d}", f"{_MONTHS[month][:3]} {year}"),
        "quarter": (f"Q{quarter} {year}", f"{year}-Q{quarter}"),
        "year": (str(year),),
        "amount": (str(amount), f"{amount:,}", f"{amount:,}.00"),
        "percent": (f"{share}%", f"{share} percent"),
        "id": (f"{random.choice(('INV', 'REC', 'CLM'))}-{number}",),
        "ticket": (f"{random.choice(('T', 'SUP', 'HD'))}-{number}",),
        "order": (f"{random.choice(('ORD-', 'SO-', '#'))}{number}",),
        "version": (version, f"v{version}"),
        "url": (f"https://example.com/{random.choice(('docs', 'status', 'help'))}/{number}",),
    }[kind]


def filled(wording: str, values: Mapping[str, Sequence[str]], random: Random) -> str:
    """The wording with each slot's value, written in one of its ways."""
    return _SLOT.sub(lambda found: random.choice(values[found[1]]), wording)
