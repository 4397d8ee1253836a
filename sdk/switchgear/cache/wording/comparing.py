"""Compares two readings with the same values: what forbids that they mean the same, and what speaks for it."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

from .lexicon import Lexicon, lexicon
from .reading import Reading, Token, Wording
from .signs import CONFLICTS, STRICT

__all__ = [
    "FEATURES",
    "edit",
    "features",
    "opposed",
    "places_differ",
    "placing",
    "slips",
    "unmatched",
    "veto",
]

FEATURES = ("cosine", "substituted")
_VOWELS, _KEYS = frozenset("aeiouy"), "qwertyuiop asdfghjkl zxcvbnm"
_LONGEST_EDIT = 200
"""In words: to find it takes the square of that, for each of the nearest entries."""
# Words before a value that say the same of it, or nothing.
_ROLES = {"into": "to", "onto": "to", "toward": "to", "towards": "to"} | dict.fromkeys(
    ("in", "for", "a", "the", "and", "or"), ""
)


def veto(one: Wording, other: Wording) -> str | None:
    """Why two wordings cannot mean the same; None where nothing forbids it.

    `negation`; `sign`: a limit that only one of them has, or two that exclude each other; `turned`: two words stand in
    each other's places; `opposite`: a word of one is the opposite of a word of the other.
    """
    if one.negations % 2 != other.negations % 2:
        return "negation"
    if (one.signs ^ other.signs) & STRICT or any(
        _exclude(row & one.signs, row & other.signs) for row in CONFLICTS
    ):
        return "sign"
    if _turned(one, other):
        return "turned"
    return "opposite" if opposed(one, other) else None


def _turned(one: Wording, other: Wording) -> bool:
    """Whether two words of content are exchanged, and nothing else is: "did Ann pay Bob" in small letters.

    Not those side by side, or with "and" or "or" between them: of these the order says nothing.
    """
    ours, theirs = ([each.plain for each in of.tokens] for of in (one, other))
    at = [number for number, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
    if len(ours) != len(theirs) or len(at) != 2 or not set(at) <= _content(one):
        return False
    first, last = at
    between = ours[first + 1 : last]
    return (ours[first], ours[last]) == (theirs[last], theirs[first]) and between not in ([], ["and"], ["or"])


def _content(of: Wording) -> set[int]:
    content = set(of.content)
    return {number for number, each in enumerate(of.tokens) if each in content}


def opposed(one: Wording, other: Wording) -> bool:
    """Whether a word of one is the opposite of a word of the other."""
    known = lexicon()
    ours, theirs = ({word for each in of for word in each} for of in unmatched(one, other))
    return known.opposed(ours, theirs)


def places_differ(one: Reading, other: Reading) -> bool:
    """Whether values of one kind stand in each other's places: "from A to B", "from B to A"."""
    for kind in {kind for kind, *_ in one.places}:
        ours, theirs = _roles(one, kind), _roles(other, kind)
        if len(ours) < 2:
            continue
        kept = {value for value in ours if ours[value] and ours[value] == theirs.get(value)}
        left = (
            [value for value in ours if value not in kept],
            [value for value in theirs if value not in kept],
        )
        crossed = any(
            ours[value] and ours[value] == theirs[than]
            for value in left[0]
            for than in left[1]
            if than != value
        )
        if crossed or left[0] != left[1]:
            return True
    return False


def placing(one: Reading, other: Reading) -> str:
    """How the other's values of each kind stand by the order of the first's; "" where they stand as there.

    Wordings are without values: by this it is told apart whether "from [x] to [y]" was compared with itself, or turned.
    """
    turned = []
    for kind in sorted({kind for kind, *_ in one.places}):
        ours, theirs = (list(_roles(each, kind)) for each in (one, other))
        all_ours, all_theirs = (
            [value for own, value, *_ in each.places if own == kind] for each in (one, other)
        )
        # One that says a value twice, and one that does once, may say the same; of as many, each has its place.
        if len(all_ours) == len(all_theirs):
            theirs, same = all_theirs, all_ours == all_theirs
        else:
            same = ours == theirs
        if not same:
            turned.append(f"{kind}:{','.join(str(ours.index(value)) for value in theirs if value in ours)}")
    return " ".join(turned)


def features(one: Wording, other: Wording) -> list[float]:
    """What speaks for and against two wordings meaning the same, in the order of `FEATURES` after the cosine."""
    return [float(_substituted(lexicon(), one, other))]


@lru_cache(maxsize=65_536)
def edit(one: Wording, other: Wording) -> str:
    """In what two wordings differ, whichever is which: the words that are left out and put in, in their order.

    Words of content that both have are told by their number: "a hard quiz" and "a quiz that is hard" differ as "an easy
    quiz" and "a quiz that is easy" do. "" where they do not differ, and of texts so long that no others differ alike.
    """
    if max(len(one.tokens), len(other.tokens)) > _LONGEST_EDIT:
        return ""
    return min(_edit(one, other), _edit(other, one))


def _edit(one: Wording, other: Wording) -> str:
    ours, theirs = ([each.plain for each in of.tokens] for of in (one, other))
    shared = {each.plain for each in one.content} & {each.plain for each in other.content}
    numbers: dict[str, str] = {}

    def told(words: list[str]) -> str:
        return " ".join(
            numbers.setdefault(word, f"*{len(numbers)}") if word in shared else word for word in words
        )

    parts = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    return "|".join(f"{told(ours[a:b])}>{told(theirs[c:d])}" for kind, a, b, c, d in parts if kind != "equal")


def slips(one: Wording, other: Wording) -> bool:
    """Whether the wordings have the same words in the same order, but for slips of the hand in some of them."""
    pairs = list(zip(one.tokens, other.tokens, strict=False))
    return len(one.tokens) == len(other.tokens) and all(
        a.word == b.word or _slip(a.word, b.word) for a, b in pairs
    )


def _slip(one: str, other: str) -> bool:
    """Whether one of two words is known and the other is not, but a letter away from it, or two letters turned.

    Of two that are not known nobody can tell which is the slip: they may be names, or of another language.
    """
    known = lexicon()
    # Short words have too many neighbours: names above all.
    if min(len(one), len(other)) < 6 or not one.isascii() or not other.isascii():
        return False
    if known.known(known.plain(one)) == known.known(known.plain(other)):
        return False
    if len(one) == len(other):
        wrong = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(wrong) == 1:
            return _beside(one[wrong[0]], other[wrong[0]])
        return (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and one[wrong[0]] == other[wrong[1]]
            and one[wrong[1]] == other[wrong[0]]
        )
    shorter, longer = sorted((one, other), key=len)
    if longer[:-1] == shorter != longer and longer[-1] != shorter[-1] and known.known(known.plain(shorter)):
        # Programs are called so: "systemd", "containerd".
        return False
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


def _beside(one: str, other: str) -> bool:
    """Whether one of two letters is taken for the other: vowels, and those side by side on a keyboard.

    Of others, two names have one more often than a slip: "martin", "marvin".
    """
    return {one, other} <= _VOWELS or one + other in _KEYS or other + one in _KEYS


def unmatched(one: Wording, other: Wording) -> tuple[list[Token], list[Token]]:
    """The words of each that have no counterpart in the other: none that is the same, or means the same."""
    known = lexicon()
    ours, theirs = list(one.content), list(other.content)
    for same in (_equal, known.same):
        left = []
        for each in ours:
            found = next((than for than in theirs if same(each.plain, than.plain)), None)
            if found is None:
                left.append(each)
            else:
                theirs.remove(found)
        ours = left
    return ours, theirs


def _equal(one: str, other: str) -> bool:
    return one == other


def _exclude(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return bool(ours and theirs) and ours != theirs


def _roles(of: Reading, kind: str) -> dict[str, str]:
    """The values of a kind in their order, each with the word that it stands behind; of a number: before."""
    found: dict[str, str] = {}
    role = ""
    for own, value, before, behind in of.places:
        if own != kind:
            continue
        # The next word of the same name stands where the name does.
        role = behind if kind == "number" else role if before == kind else _ROLES.get(before, before)
        found.setdefault(value, role)
    return found


def _substituted(known: Lexicon, one: Wording, other: Wording) -> int:
    """How many words of one have another in their place, between the same neighbours, that does not mean the same."""
    around = {(before, after): word for before, word, after in _neighbours(other)}
    return sum(
        1
        for before, word, after in _neighbours(one)
        if (there := around.get((before, after))) is not None
        and there != word
        and not known.same(word, there)
    )


def _neighbours(of: Wording) -> list[tuple[str, str, str]]:
    words = [each.plain for each in of.tokens]
    return list(zip(["", *words], words, [*words[1:], ""], strict=False))
