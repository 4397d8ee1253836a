"""Tree: a task tree from left to right as SVG, branches as thick as what they cost. Pure; every name is escaped.

The dearest branch of each task goes on in its line, so the way along the top is the dearest, and is drawn in colour.
What can be chosen is a button that the keyboard reaches, named for who cannot see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..look import attribute, count, text
from .branching import Branch, Kind, in_order

__all__ = ["tree"]

_ROW, _TOP, _LEFT = 42, 8, 4
# How wide a level may be and must be, and the whole picture if it can; what has nothing on its right may be wider.
_WIDEST, _NARROWEST, _WHOLE, _LAST = 270, 110, 1340, 430
_TRUNK, _TURN = 26, 9
_THINNEST, _THICKEST = 1.25, 17.0
# Pixels a letter of a name, and of the line below it, as they are on average.
_LETTER, _SMALL = 6.8, 5.7


@dataclass(slots=True)
class _Placed:
    """A branch with its words, and where it stands."""

    branch: Branch
    level: int
    y: float
    parent: _Placed | None
    name: str
    sums: str
    marks: str
    x: float = 0.0

    @property
    def wide(self) -> float:
        """How far its words reach, about."""
        return max(len(self.name) * _LETTER, (len(self.sums) + len(self.marks)) * _SMALL) + 12


def tree(root: Branch, *, chosen: str | None = None, found: str | None = None) -> str:
    """The picture. `chosen` is the task whose calls are shown, `found` how the id that was looked for begins."""
    placed = _placed(root)
    across = int(max(node.x + node.wide for node in placed)) + 12
    down = int(max(node.y for node in placed) + _ROW - _TOP)
    whole = max(float(root.weight), 1e-12)
    # What is on the dearest way lies above the others.
    links = sorted((node for node in placed if node.parent), key=lambda node: node.branch.is_dearest)
    drawn = "".join(_link(node, whole) for node in links)
    drawn += "".join(_node(node, chosen, found) for node in placed)
    label = f"Task tree of {text(root.name)}: {_told(root)}"
    size = f'viewBox="0 0 {across} {down}" width="{across}" height="{down}"'
    return f'<svg class="tree" role="group" aria-label="{label}" {size}>{drawn}</svg>'


def _placed(root: Branch) -> list[_Placed]:
    """The first branch of a task stands in the task's own line, the others below; a level is as wide as its words."""
    deepest = max(level for _, level in in_order(root))
    widest = max(_NARROWEST, min(_WIDEST, (_WHOLE - _LAST) / max(1, deepest)))
    placed: list[_Placed] = []
    way: list[_Placed] = []
    line = 0
    for branch, level in in_order(root):
        del way[level:]
        parent = way[-1] if way else None
        if parent and parent.branch.children[0] is not branch:
            line += 1
        room = widest - _TRUNK - 20 if branch.children else _LAST
        marks = "" if branch.children else _marks(branch)
        name = _fitted(_short(branch, parent), room)
        node = _Placed(branch, level, _TOP + 18 + line * _ROW, parent, name, _sums(branch, room), marks)
        placed.append(node)
        way.append(node)
    starts = [float(_LEFT)]
    for level in range(deepest):
        inner = [node.wide for node in placed if node.level == level and node.branch.children]
        starts.append(starts[-1] + min(widest, max(_NARROWEST, max(inner) + _TRUNK + 16)))
    for node in placed:
        node.x = starts[node.level]
    return placed


def _link(node: _Placed, whole: float) -> str:
    """From the parent's words to the branch: along the line, or down a trunk and round a corner."""
    parent = node.parent
    assert parent is not None  # noqa: S101 - the root has no link
    thick = _THINNEST + (_THICKEST - _THINNEST) * min(1.0, float(node.branch.weight) / whole)
    trunk, stop = node.x - _TRUNK, node.x - 7
    if node.y == parent.y:
        path = f"M{min(trunk, parent.x + parent.wide):.1f} {node.y}H{stop:.1f}"
    else:
        corner = f"Q{trunk:.1f} {node.y} {trunk + _TURN:.1f} {node.y}"
        path = f"M{trunk:.1f} {parent.y}V{node.y - _TURN}{corner}H{stop:.1f}"
    kind = "way" if node.branch.is_dearest else "link"
    unknown = " unknown" if not node.branch.costs and node.branch.calls else ""
    return f'<path class="{kind}{unknown}" d="{path}" stroke-width="{thick:.2f}"/>'


def _node(node: _Placed, chosen: str | None, found: str | None) -> str:
    branch = node.branch
    is_task = branch.kind is Kind.TASK
    is_found = bool(found and is_task and node.parent and branch.name.startswith(found))
    kind = f"node {branch.kind}{' dearest' if branch.is_dearest else ''}{' found' if is_found else ''}"
    told = f"{text(branch.name)}: {_told(branch)}"
    note = f'<tspan class="mark">{text(node.marks)}</tspan>' if node.marks else ""
    body = (
        f"<title>{told}</title>"
        f'<rect x="{node.x - 3:.1f}" y="{node.y - 18}" width="{node.wide:.0f}" height="37" rx="5"/>'
        f'<circle cx="{node.x:.1f}" cy="{node.y}" r="3.5"/>'
        f'<text x="{node.x + 9:.1f}" y="{node.y - 3}">{text(node.name)}</text>'
        f'<text class="sums" x="{node.x + 9:.1f}" y="{node.y + 13}">{text(node.sums)}{note}</text>'
    )
    if not is_task or branch.task is None:
        return f'<g class="{kind}" role="img" aria-label="{told}">{body}</g>'
    pressed = "true" if branch.task == chosen else "false"
    return (
        f'<g class="{kind}" role="button" tabindex="0" aria-pressed="{pressed}" '
        f'data-task="{attribute(branch.task)}" aria-label="{told}">{body}</g>'
    )


def _sums(branch: Branch, room: float) -> str:
    """Cost, calls, and the model where that is one and there is room."""
    told = branch.sum_words()
    if branch.kind is Kind.TASK and not branch.children and branch.models:
        models = branch.models[0] if len(branch.models) == 1 else f"{len(branch.models)} models"
        told += f" · {models}"
    elif branch.kind is Kind.TASK and branch.children and branch.tasks > 1:
        longer = f"{told} · {count(branch.tasks)} tasks"
        told = longer if len(longer) * _SMALL <= room else told
    return told if len(told) * _SMALL <= room else branch.cost_words()


def _marks(branch: Branch) -> str:
    """What is odd about it: retries, and calls whose cost is not known."""
    marks = f"  ↻ {count(branch.retries)} retried" if branch.retries else ""
    return marks + (f"  ◌ {count(branch.unknown)} unknown" if branch.unknown else "")


def _told(branch: Branch) -> str:
    """The same in words, for titles and for who hears the picture; escaped."""
    parts = [branch.sum_words()]
    if branch.tasks > 1:
        parts.append(f"{count(branch.tasks)} tasks")
    if branch.models:
        parts.append(", ".join(branch.models[:3]))
    if branch.retries:
        parts.append(f"{count(branch.retries)} attempts beyond the first")
    if branch.unpriced:
        parts.append(f"{count(branch.unpriced)} unpriced")
    if branch.unknown > branch.unpriced:
        parts.append(f"{count(branch.unknown - branch.unpriced)} incomplete")
    if branch.is_dearest:
        parts.append("on the dearest path")
    return "; ".join(text(part) for part in parts)


def _short(branch: Branch, parent: _Placed | None) -> str:
    """The name, without what it repeats of the task that it hangs on."""
    above = parent.branch.name if parent else ""
    repeats = above and branch.name.startswith(above) and len(branch.name) > len(above)
    return f"…{branch.name[len(above) :]}" if repeats else branch.name


def _fitted(name: str, room: float) -> str:
    """The name, shortened in its middle to what fits: ids differ at both ends."""
    letters = max(6, int(room / _LETTER))
    if len(name) <= letters:
        return name
    tail = letters // 2 - 1
    return f"{name[: letters - tail - 1]}…{name[-tail:]}"
