"""Streams of requests with known truth, generated: agents' steps, popular intents, the long tail; or read from a file.

* **agent**: steps of a bank's families over several tenants; each tenant comes back to some tens of settings of a
  family's values, some more often than others, in any wording, its twins (negated, opposite, reversed, another thing
  asked) with the same values among them.
* **popular**: the bank's popular intents without values, some asked far more often than others, in any wording, with
  the manners, capitals and slips of people who type; a quarter are questions that nobody asks again.
* **longtail**: pairs that mean the same and pairs that only look so, each text once or twice, among unique ones.

Truth is the intent with its values, and the tenant where it is a step: two requests of one truth have one right
answer.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from cache_bank import Bank, Intent, Pair, drawn, filled, slots_of

__all__ = ["Request", "agent", "longtail", "pairs_file", "popular", "stream_file"]

_TENANTS = ("acme", "globex", "initech", "umbrella", "contoso", "hooli")
_UNASKED = (
    "Write a haiku about {city} in the {month} rain.",
    "Translate the sentence about {product} for {person} into {language}.",
    "Who won the match between {city_1} and {city_2} on {date}?",
    "Draft a note to {person} on order {order}.",
    "Summarise the page {url} for {customer}.",
    "What should {person} cook for {count} guests with {product}?",
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a stream."""

    tenant: str
    text: str
    truth: str
    """What it means: requests of one truth have one right answer."""
    template: str
    """Of which pattern it is: what is measured "on templates not seen before" is split by it."""


def agent(bank: Bank, random: Random, count: int, *, families: Sequence[str] | None = None) -> list[Request]:
    """Steps of agents of these families (all of the bank's), so many."""
    steps: dict[str, list[Intent]] = {}
    for each in bank.steps:
        if families is None or each.family in families:
            steps.setdefault(each.family, []).append(each)
    names = sorted(steps)
    weights = [1 / (rank + 3) for rank in range(len(names))]
    random.shuffle(weights)
    settings: dict[tuple[str, str], list[dict[str, tuple[str, ...]]]] = {}
    found: list[Request] = []
    while len(found) < count:
        family = random.choices(names, weights)[0]
        tenant = random.choice(_TENANTS)
        intents = steps[family]
        slots = {slot for each in intents for slot in each.slots}
        known = settings.setdefault((tenant, family), [])
        if not slots:
            values: dict[str, tuple[str, ...]] = {}
        elif known and random.random() < 0.75:
            values = known[min(int(random.expovariate(0.25)), len(known) - 1)]
        else:
            values = _apart(sorted(slots), random)
            known.append(values)
        intent = random.choice(intents)
        truth = f"{tenant}/{intent.id}/{sorted((slot, values[slot][0]) for slot in intent.slots)}"
        found.append(Request(tenant, filled(random.choice(intent.wordings), values, random), truth, family))
    return found


def popular(bank: Bank, random: Random, count: int, *, intents: Sequence[str] | None = None) -> list[Request]:
    """Popular intents (these, or all of the bank's), and in between what nobody asks again."""
    asked = [each for each in bank.popular if intents is None or each.id in intents]
    weights = [1 / (rank + 1) ** 0.8 for rank in range(len(asked))]
    random.shuffle(weights)
    found = []
    for number in range(count):
        if random.random() < 0.25:
            wording = random.choice(_UNASKED)
            values = {slot: drawn(slot, random) for slot in slots_of(wording)}
            text, name = f"{filled(wording, values, random)} ({number})", f"unique/{random.getrandbits(64):x}"
            found.append(Request("acme", text, name, name))
            continue
        intent = random.choices(asked, weights)[0]
        found.append(
            Request("acme", _typed(random.choice(intent.wordings), random), intent.id, intent.family)
        )
    return found


def longtail(pairs: Sequence[Pair], random: Random, count: int) -> list[Request]:
    """Texts of pairs, each once or twice, in any order; so many at most."""
    found: list[Request] = []
    for number, pair in enumerate(pairs):
        for side, text in enumerate((pair.one, pair.other)):
            truth = f"pair/{number}" if pair.same else f"pair/{number}/{side}"
            found += [Request("acme", text, truth, f"pair/{number}")] * (1 + (random.random() < 0.1))
    random.shuffle(found)
    return found[:count]


def stream_file(path: Path) -> list[Request]:
    """A stream of one's own: JSON lines, CSV or TSV, a request a row, in the order in which they came.

    Columns: the text (`text`, `prompt`, `question`, `query`, `input` or `wording`), its truth (`truth`, `intent`,
    `cluster`, `meaning`, `answer`, `label` or `answer_id`), and where there are any `tenant` and `template`. Raises
    ValueError that names the file, the row and what it lacks.
    """
    found = []
    for number, row in enumerate(_rows(path), 1):
        text = _of(row, ("text", "prompt", "question", "query", "input", "wording"))
        truth = _of(
            row,
            (
                "truth",
                "intent",
                "cluster",
                "meaning",
                "answer",
                "label",
                "answer_id",
                "cluster_id",
                "intent_id",
            ),
        )
        if text is None or truth is None:
            raise ValueError(f"{path}, row {number}: needs a text and its truth; has {', '.join(row)}")
        tenant = _of(row, ("tenant", "tenant_id", "namespace")) or "acme"
        template = _of(row, ("template", "template_id", "family", "pattern")) or truth
        found.append(Request(tenant, text, f"{tenant}/{truth}", template))
    if not found:
        raise ValueError(f"{path}: has no requests")
    return found


def pairs_file(path: Path) -> list[Pair]:
    """Pairs of one's own: two texts and whether they mean the same (1, true, yes, same, duplicate).

    Columns: `one`/`a`/`question1`/`text1`/`sentence1`, `other`/`b`/`question2`/..., and `same`/`is_duplicate`/`label`.
    """
    found = []
    for number, row in enumerate(_rows(path), 1):
        one = _of(row, ("one", "a", "question1", "text1", "sentence1", "prompt1", "q1", "left"))
        other = _of(row, ("other", "b", "question2", "text2", "sentence2", "prompt2", "q2", "right"))
        same = _of(row, ("same", "is_duplicate", "duplicate", "label", "equal", "match"))
        if one is None or other is None or same is None:
            raise ValueError(
                f"{path}, row {number}: needs two texts and whether they are the same; has {', '.join(row)}"
            )
        found.append(Pair(one, other, same.lower() in ("1", "true", "yes", "same", "duplicate", "1.0")))
    if not found:
        raise ValueError(f"{path}: has no pairs")
    return found


def _apart(slots: Sequence[str], random: Random) -> dict[str, tuple[str, ...]]:
    """Values for slots; two of one kind are never the same."""
    values: dict[str, tuple[str, ...]] = {}
    for slot in slots:
        value = drawn(slot, random)
        while any(
            value == values[other] for other in values if other.partition("_")[0] == slot.partition("_")[0]
        ):
            value = drawn(slot, random)
        values[slot] = value
    return values


def _typed(text: str, random: Random) -> str:
    """As people type it: in small letters, with a greeting, without the last mark, with a slip."""
    if random.random() < 0.3:
        text = text.lower()
    if random.random() < 0.2:
        text = random.choice(("hi, ", "please: ", "Hello! ", "quick question: ")) + text
    if random.random() < 0.3:
        text = text.rstrip("?.!") + random.choice(("", "", "??", " please", " thanks"))
    if random.random() < 0.15 and len(text) > 20:
        at = random.randrange(5, len(text) - 5)
        if text[at].isalpha() and text[at + 1].isalpha():
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix.lower() in (".csv", ".tsv"):
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError(f"{path}, line {number}: is no JSON object")
            yield row


def _of(row: dict[str, Any], names: Sequence[str]) -> str | None:
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            return str(value) if not isinstance(value, bool) else str(value).lower()
    return None
