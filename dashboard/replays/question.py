"""What is asked of a replay, and its answer: recorded calls and policy files in, what the files would have done out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from collector.pricing import PriceCall
from policies.files import parse
from policies.trials.documents import backtest_document
from policies.trials.effects import Recordings, effect, recordings
from policies.trials.recorded import recorded_call
from policies.trials.shadows import shadow_document, shadows

__all__ = ["Progress", "Question", "answer"]

Progress = Callable[[str, int, int], None]
"""Is told what is done, and how many of how many calls: of all replays together."""

_REPLAYS_OF_A_SET = 2
_DOING = {"as it was": "as they were", "acting": "as it would act"}


@dataclass(frozen=True, slots=True)
class Question:
    """A back-test of files, by name and text, beside each other; or what the shadows of one would have done."""

    kind: Literal["backtest", "shadows"]
    files: Sequence[tuple[str, str]]

    @classmethod
    def told(cls, document: Mapping[str, Any]) -> Question:
        """The question that `document` made this of."""
        return cls(document["kind"], [(name, text) for name, text in document["files"]])

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def answer(
    question: Question, pages: Sequence[pa.Table], quote: PriceCall, progress: Progress
) -> dict[str, Any]:
    """What the files would have done to the calls, which are one or more.

    Raises PolicyFileError, or MixedCurrenciesError where files and calls do not have one currency.
    """
    sets = [parse(text, name=name) for name, text in question.files]
    table = pa.concat_tables(pages).sort_by("started_at")
    calls = [
        recorded_call(row) for batch in table.to_batches(max_chunksize=10_000) for row in batch.to_pylist()
    ]
    currencies = [each for each in table["currency"].unique().to_pylist() if each is not None]
    held = recordings(calls, currencies, sets, quote)
    if question.kind == "shadows":
        told = _told(progress, question.files[0][0], 0, 1, held)
        return {"shadows": [shadow_document(each) for each in shadows(sets[0], held, None, told)]} | {
            "calls": len(calls),
            "currency": sets[0].currency,
        }
    tried = [
        (name, policies, effect(policies, held, _told(progress, name, place, len(sets), held)))
        for place, ((name, _), policies) in enumerate(zip(question.files, sets, strict=True))
    ]
    return backtest_document(held, tried)


def _told(
    progress: Progress, name: str, place: int, files: int, held: Recordings
) -> Callable[[str, int], None]:
    """Adds up what the replays of one file tell, among those of all files."""
    each = len(held.calls)
    before = {"as it was": _REPLAYS_OF_A_SET * place * each, "acting": (_REPLAYS_OF_A_SET * place + 1) * each}

    def tell(replay: str, done: int) -> None:
        progress(
            f"{name}: the calls {_DOING[replay]}", before[replay] + done, _REPLAYS_OF_A_SET * files * each
        )

    return tell
