"""Judges whether two answers say the same: what audits count as right or wrong.

The judge that comes with the package reads both: JSON is compared as values, anything else by its numbers, ids, dates
and names, by negations and opposites, and by how many of its words both have. It is quick and knows nothing of the
world; what it errs in is measured (`JudgeError`) and enters the bound. A model that is asked is a better judge of long
texts: hand over any callable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .bound import JudgeError
from .wording.comparing import places_differ, unmatched, veto
from .wording.reading import Reading, read

__all__ = ["Judge", "ModelJudge", "WordJudge"]

_SHORT = 12
"""Words up to which an answer is a phrase, of which each word counts."""
_MORE = 1
"""Words that the longer of two longer texts may have beside those of the other."""
_FENCE = re.compile(r"^\s*```\w*\s*\n(.*?)\n\s*```\s*$", re.DOTALL)
_MARKS = re.compile(r"\*\*|__|`|^\s*#+\s+", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:[-*•]|(?P<number>\d{1,3})[.)])\s+(?P<text>.+)$")
# What stands before a short answer and says nothing itself: "Category: billing", "The answer is billing."
_LEAD = re.compile(
    r"^(?:(?:the\s+|its\s+)?(?:final\s+)?(?:answer|balance|category|class|classification|conclusion|department|due|"
    r"formula|intent|label|language|level|limit|method|output|plan|priority|queue|result|risk\s+level|role|sentiment|"
    r"severity|state|status|tags?|team|tone|topic|total|type|verdict|version)(?:\s+(?:is|are|was|were)\b|\s*:)"
    r"|(?:it|this|that)(?:'s|\s+is|\s+was|\s+would\s+be)\b|use\b(?=\s))\s*",
    re.IGNORECASE,
)
_VERDICT = re.compile(r"^(?P<verdict>yes|no)\b\s*(?:[,.;:!\u2013\u2014-]+\s*|$)", re.IGNORECASE)
# Code, of which each mark counts: operators, brackets, calls and a command's options.
_CODE = re.compile(r"[=<>\\^|{}\[\]*;~]|\w\(|(?<!\S)--?[A-Za-z]")
_ABBREVIATION = re.compile(r"\b[A-Z]{2,5}\b(?!-)")
# A sequence is asked for, or one of several things that are named.
_ORDERED = re.compile(
    r"\b(?:order(?:ed)?\s+by|rank\w*|sort\w*|top|steps?|sequence|priorit\w+|first|procedure)\b", re.IGNORECASE
)
_CHOICE = re.compile(r"\b(?:or|which\s+of|between|versus|vs)\b|,", re.IGNORECASE)
# What makes a statement hold at times only.
_CONDITION = re.compile(
    r"\b(?:if|unless|except|only|provided|as long as|so long as|in case|once|when|while|until|apart from|depending)\b",
    re.IGNORECASE,
)
# What stands before a value and makes another of it. The words of a row say the same.
_LIMITS = tuple(
    re.compile(rf" (?:{words}) \[")
    for words in (
        "about|around|approximately|roughly|circa|some", "almost|nearly", "at least|from|minimum",
        "at most|up to|maximum", "more than|over|above", "less than|under|below", "before|until", "after|since",
        "not|except|without",
    )
)  # fmt: skip
_PLACED = re.compile(r"\b(?:at|for|in|on|the|to) (?=\[)")
_ASIDE = re.compile(
    r"\b(?:about|almost|barely|hardly|mostly|nearly|partly|probably|perhaps|maybe|possibly|yet|or|he|she)\b",
    re.IGNORECASE,
)


class Judge(Protocol):
    """Says of a request's kept and fresh answer whether they are the same; None where it cannot tell."""

    @property
    def name(self) -> str:
        """With its version: what was certified by one judge is not by another."""
        ...

    @property
    def error(self) -> JudgeError:
        """What is known of its errors from the start."""
        ...

    def __call__(self, wording: str, kept: str, fresh: str) -> bool | None: ...


class WordJudge:
    """Compares values and words. Errs towards "different": a kept answer that only reads otherwise counts as wrong.

    Its `error` holds what `benchmarks/cache_judge.py` found on the even questions of its sample: answers with one fact,
    all facts, the verdict, the entity or a condition changed, each of these classes as often as the others, and each
    question once. It called 1 of 230 the same. Of answers that mean the same it called one in seven different, but that
    is how the sample was reworded: a workload whose model rewords less would be granted wrong answers for it. So it is
    taken as never, until the same request is asked twice there. Pairs that a person labels (`switchgear cache label`)
    add to both.
    """

    name = "words-2"
    error = JudgeError(different=230, missed=1)

    def __call__(self, wording: str, kept: str, fresh: str) -> bool | None:
        ours, theirs = _unfenced(kept), _unfenced(fresh)
        if " ".join(ours.split()) == " ".join(theirs.split()):
            return True
        documents = _document(ours), _document(theirs)
        if None not in documents:
            return _equal(*documents)
        return _same(wording, _MARKS.sub("", ours).strip(), _MARKS.sub("", theirs).strip())


class ModelJudge:
    """Asks whoever is handed over, a model perhaps: `ask(wording, kept, fresh)` says whether both answers are the same.

    `error` is what a labelled sample said of it; as long as it says nothing, nothing is certified by it.
    """

    def __init__(self, name: str, ask: Callable[[str, str, str], bool | None], error: JudgeError) -> None:
        self.name = name
        self.error = error
        self._ask = ask

    def __call__(self, wording: str, kept: str, fresh: str) -> bool | None:
        return self._ask(wording, kept, fresh)


def _same(asked: str, one: str, other: str) -> bool:
    ours, theirs = _items(one), _items(other)
    if ours and theirs:
        return _same_items(asked, ours, theirs)
    if _CODE.search(one) or _CODE.search(other):
        return _bare(one) == _bare(other)
    return _same_statement(asked, one, other)


def _same_items(asked: str, ours: Sequence[tuple[bool, str]], theirs: Sequence[tuple[bool, str]]) -> bool:
    """Whether two lists have the same items; in the same order where they are numbered or that was asked for."""
    if len(ours) != len(theirs):
        return False
    if ours[0][0] or theirs[0][0] or _ORDERED.search(asked):
        return all(_same("", one, other) for (_, one), (_, other) in zip(ours, theirs, strict=True))
    left = [text for _, text in theirs]
    for _, one in ours:
        found = next((other for other in left if _bare(one) == _bare(other) or _same("", one, other)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _same_statement(asked: str, one: str, other: str) -> bool:
    (verdict, one), (than, other) = _verdict(one), _verdict(other)
    if verdict and than and verdict != than:
        return False
    if _bare(one).casefold() == _bare(other).casefold():
        return verdict == than or bool(_bare(one))
    ours, theirs = _read(one), _read(other)
    if ours is None or theirs is None or not _marked_alike(one, other):
        return False
    if not _bare(one) or not _bare(other):
        # "Yes", and "Yes, it was paid": what is said beside the verdict was in the question.
        said = ours if _bare(one) else theirs
        denies = "no" if said.wording.negations % 2 else "yes"
        agreed = verdict == than if verdict and than else denies in (verdict, than)
        return agreed and _nothing_new(asked, said, ())
    if (
        ours.wording.negations != theirs.wording.negations
        or veto(ours.wording, theirs.wording) is not None
        or places_differ(ours, theirs)
        or [bool(each.search(f" {ours.wording.text} ")) for each in _LIMITS]
        != [bool(each.search(f" {theirs.wording.text} ")) for each in _LIMITS]
    ):
        return False
    return _same_words(asked, ours, theirs)


def _same_words(asked: str, ours: Reading, theirs: Reading) -> bool:
    left = unmatched(ours.wording, theirs.wording)
    both = len(ours.wording.content) + len(theirs.wording.content)
    missing = len(left[0]) + len(left[1])
    if not both:
        # Of words that mean little by themselves each counts: "on", "off"; but for "on [weekday]", "in [name]".
        words = [sorted(_PLACED.sub("", each.wording.text).split()) for each in (ours, theirs)]
        return ours.slots == theirs.slots and words[0] == words[1]
    if both > 2 * _SHORT:
        # Either names its values as often, and no word is there in another's place.
        named = [sorted((kind, value) for kind, value, *_ in each.places) for each in (ours, theirs)]
        return named[0] == named[1] and not (left[0] and left[1]) and missing <= _MORE
    longer, shorter = (ours, theirs) if left[0] or len(ours.slots) > len(theirs.slots) else (theirs, ours)
    within = not (left[0] and left[1]) and set(shorter.slots) <= set(longer.slots)
    return within and _nothing_new(asked, longer, shorter.slots, [each.plain for each in left[0] + left[1]])


def _nothing_new(
    asked: str, said: Reading, besides: Sequence[tuple[str, str]], words: Sequence[str] | None = None
) -> bool:
    """Whether an answer's values but these, and its words (or these of them), were in a question.

    Of one that names a choice nothing is taken as known: what is chosen stands in it.
    """
    question = read(asked)
    if words is None:
        words = [each.plain for each in said.wording.content]
    slots = set(said.slots) - set(besides)
    if not words and not slots:
        return True
    if question is None or _CHOICE.search(asked):
        return False
    known = {each.plain for each in question.wording.tokens}
    return slots <= set(question.slots) and known.issuperset(words)


def _marked_alike(one: str, other: str) -> bool:
    """Whether both have as many conditions, the same doubts and the same abbreviations."""
    if len(_CONDITION.findall(one)) != len(_CONDITION.findall(other)):
        return False
    doubts = [sorted(each.lower() for each in _ASIDE.findall(text)) for text in (one, other)]
    abbreviations = [set(_ABBREVIATION.findall(text)) for text in (one, other) if not text.isupper()]
    return doubts[0] == doubts[1] and (len(abbreviations) < 2 or abbreviations[0] == abbreviations[1])


def _verdict(text: str) -> tuple[str, str]:
    """An answer's "yes" or "no", "" where it begins with neither, and what it says beside that."""
    text = _LEAD.sub("", text)
    found = _VERDICT.match(text)
    return (found["verdict"].lower(), text[found.end() :]) if found else ("", text)


def _bare(text: str) -> str:
    """Without what leads to it, without the mark at its end."""
    return " ".join(_LEAD.sub("", text).split()).rstrip(".;!")


def _read(text: str) -> Reading | None:
    # What stands behind a colon begins a sentence, and a value by itself is an answer.
    return read(f"answer: {text}")


def _items(text: str) -> list[tuple[bool, str]]:
    """The items of a list and whether they are numbered; of a text that is none, nothing."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].rstrip().endswith(":"):
        del lines[0]
    found = [match for line in lines if (match := _ITEM.match(line))]
    if len(found) == len(lines) and found:
        return [(match["number"] is not None, match["text"]) for match in found]
    parts = re.split(r",\s+(?:and\s+)?|\s+and\s+", _bare(text))
    short = len(lines) == 1 and len(parts) > 1 and all(0 < len(part.split()) <= 2 for part in parts)
    return [(False, part) for part in parts] if short and not _VERDICT.match(text) else []


def _unfenced(text: str) -> str:
    fenced = _FENCE.match(text)
    return (fenced[1] if fenced else text).strip()


def _document(text: str) -> Any:
    """The JSON document that a text is; None where it is none, or no more than a word."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _equal(one: Any, other: Any) -> bool:
    """Whether two JSON documents are: 1 is 1.0, and true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
