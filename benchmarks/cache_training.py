"""Trains the first guess of the cache's score on bank `a`, and writes `weights.json`.

Pairs are those that a stream's partition has: two wordings of a family with the same values (the same intent, or its
twin), popular intents among each other, and the bank's own pairs; vetoed ones are left out, as the veto decides them.
A logistic regression whose weights may only have the sign that they have by nature: what differs never speaks for
"the same". Run it where the features, the lexicon or the bank change:

    .venv/bin/python benchmarks/cache_training.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
from cache_bank import Bank, bank, drawn, filled
from cache_play import Remembering

from switchgear.cache.embedding import mini_lm
from switchgear.cache.wording import score
from switchgear.cache.wording.comparing import FEATURES, features, places_differ, veto
from switchgear.cache.wording.reading import Reading, read

_FILE = Path(score.__file__).with_name("weights.json")
# The cosine may only speak for it, what was substituted only against it.
_SIGNS = np.array([1.0, -1.0])
_ROUNDS, _STEP, _SHRINK = 4000, 0.5, 1e-4
_LEAST_COSINE = 0.45
"""Nearer ones are always there: what is farther is never compared."""


def main() -> None:
    embedder = Remembering(mini_lm())
    pairs = list(_comparable(bank("a")))
    embedder(sorted({each.wording.masked for one, other, _ in pairs for each in (one, other)}, key=len))
    rows, same = [], []
    for one, other, label in pairs:
        cosine = float(np.dot(*embedder([one.wording.masked, other.wording.masked])))
        if cosine >= _LEAST_COSINE:
            rows.append([cosine, *features(one.wording, other.wording)])
            same.append(label)
    intercept, weights = _fitted(np.array(rows), np.array(same))
    rounded = [round(float(each), 4) for each in weights]
    document = {
        "features": list(FEATURES),
        "intercept": round(intercept, 4),
        "weights": rounded,
    }
    _FILE.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(
        f"{len(rows)} pairs, {sum(same)} of them the same:",
        dict(zip(FEATURES, rounded, strict=True)),
    )


def _comparable(source: Bank) -> Iterator[tuple[Reading, Reading, bool]]:
    for one, other, same in _pairs(source, Random(0)):
        left, right = read(one), read(other)
        if left is None or right is None or left.slots != right.slots:
            continue
        if not places_differ(left, right) and veto(left.wording, right.wording) is None:
            yield left, right, same


def _pairs(source: Bank, random: Random) -> Iterator[tuple[str, str, bool]]:
    families: dict[str, list[tuple[str, tuple[str, ...], tuple[str, ...]]]] = {}
    for each in source.steps:
        families.setdefault(each.family, []).append((each.id, each.wordings, each.slots))
    families["popular"] = [(each.id, each.wordings, ()) for each in source.popular]
    for intents in families.values():
        values = {slot: drawn(slot, random) for _, _, slots in intents for slot in slots}
        texts = [
            (id_, filled(wording, values, random)) for id_, wordings, _ in intents for wording in wordings
        ]
        for (id_, one), (than, other) in combinations(texts, 2):
            yield one, other, id_ == than
    yield from ((each.one, each.other, each.same) for each in source.pairs)


def _fitted(rows: np.ndarray, same: np.ndarray) -> tuple[float, np.ndarray]:
    """Intercept and weights of the likeliest logistic curve of these signs, by projected gradients."""
    centre, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    scaled = (rows - centre) / spread
    weights, intercept = np.zeros(rows.shape[1]), 0.0
    for _ in range(_ROUNDS):
        wrong = 1 / (1 + np.exp(-(scaled @ weights + intercept))) - same
        weights = weights - _STEP * (scaled.T @ wrong / len(rows) + _SHRINK * weights)
        weights = np.where(weights * _SIGNS < 0, 0.0, weights)
        intercept -= _STEP * float(wrong.mean())
    weights = weights / spread
    return intercept - float(weights @ centre), weights


if __name__ == "__main__":
    main()
