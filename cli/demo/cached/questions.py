"""What the agents of this demo ask, in several wordings, and what is true. Pure; the seed fixes all of it.

Every tenant asks the same questions about orders of the same numbers, and to each of them something else is true: an
answer that crossed from one to another is known by its text. Beside each question there is one that means the opposite,
and others that differ in a number alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

__all__ = ["BOUND", "MODEL", "TENANTS", "WORKLOAD", "Question", "asked", "meaning", "truth"]

MODEL, WORKLOAD = "gpt-4o", "order-desk"
BOUND = Decimal("0.05")
"""How many of the answers that are served for their meaning may be wrong."""
TENANTS = ("northwind", "brightline", "civic")
_ORDERS = 12
_REQUESTS = 700
_ID = "A-10{:02}"
# What is asked of an order, in wordings that mean the same.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        "How many days may order {id} be returned?",
        "Within how many days may order {id} be returned?",
        "Order {id}: how many days may it be returned?",
    ),
    (
        "How many days may order {id} not be returned?",
        "Within how many days may order {id} not be returned?",
        "Order {id}: how many days may it not be returned?",
    ),
    (
        "How many parcels of order {id} have been shipped?",
        "How many parcels have been shipped of order {id}?",
        "Order {id}: how many parcels have been shipped?",
    ),
    (
        "How many parcels of order {id} have been received?",
        "How many parcels have been received of order {id}?",
        "Order {id}: how many parcels have been received?",
    ),
    (
        "How many customers are waiting for order {id}?",
        "Order {id}: how many customers are waiting for it?",
        "How many waiting customers are there for order {id}?",
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question in one of its wordings."""

    step: int
    order: int
    wording: int

    @property
    def prompt(self) -> str:
        """What the model is asked."""
        return _STEPS[self.step][self.wording].format(id=_ID.format(self.order))


_BY_PROMPT = {
    question.prompt: question
    for step, wordings in enumerate(_STEPS)
    for order in range(_ORDERS)
    for wording in range(len(wordings))
    for question in (Question(step, order, wording),)
}


def asked(tenant: str, *, seed: int, scale: float = 1.0) -> Iterator[Question]:
    """What the tenant's agents ask, one after the other: some orders often, most now and then."""
    draw = random.Random(f"{seed}/{tenant}")  # noqa: S311 - a workload, not a secret
    popular = [1 / (1 + place) for place in range(_ORDERS)]
    for _ in range(max(1, round(_REQUESTS * scale))):
        step = draw.randrange(len(_STEPS))
        (order,) = draw.choices(range(_ORDERS), popular)
        yield Question(step, order, draw.randrange(len(_STEPS[step])))


def meaning(prompt: str) -> Question | None:
    """The question that a prompt asks, by its first wording; None for what is none of them."""
    found = _BY_PROMPT.get(prompt)
    return None if found is None else Question(found.step, found.order, 0)


def truth(tenant: str, prompt: str) -> str | None:
    """The right answer, which names whose it is and what was asked; None for what is none of the questions."""
    found = meaning(prompt)
    if found is None:
        return None
    named = f"{tenant}/{found.step}/{found.order}"
    number = int.from_bytes(blake2b(named.encode(), digest_size=2).digest(), "little") % 90 + 10
    return f"{number} (desk {named})"
