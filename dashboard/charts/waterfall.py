"""Waterfall: the tasks of a tree over time as SVG, a bar from the first call of each to the end of its last. Pure.

It is as wide as the page lets it be: bars stand in percent of the width, between the names and what they cost.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..look import attribute, count, span, text
from .branching import Branch, Kind, in_order

__all__ = ["waterfall"]

_ROW, _TOP = 26, 30
# Where the plot begins and how wide it is, in percent of the width; and pixels for a name, as on a narrow page.
_BEGINS, _WIDE, _NAMES = 31.0, 52.0, 214
_INDENT, _DEEPEST = 14, 8
_LETTER = 6.8
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MARKS = 5


def waterfall(root: Branch, *, chosen: str | None = None) -> str:
    """The picture. Each task's bar is from its own or its branches' first call to the last end; `chosen` is marked."""
    shown = [(branch, level) for branch, level in in_order(root) if branch.kind is not Kind.CALLS]
    shown = [(branch, level) for branch, level in shown if branch.first_at is not None]
    start = min(branch.first_at for branch, _ in shown if branch.first_at)
    stop = max(branch.last_at for branch, _ in shown if branch.last_at)
    length_s = max((stop - start).total_seconds(), 0.001)
    down = _TOP + _ROW * len(shown) + 6
    drawn = _axis(start, length_s, down)
    for place, (branch, level) in enumerate(shown):
        drawn += _bar(branch, level, _TOP + place * _ROW, start, length_s, chosen)
    label = f"Tasks of {text(root.name)} over time: {text(span(length_s))}"
    return (
        f'<svg class="waterfall" role="group" aria-label="{label}" width="100%" height="{down}">{drawn}</svg>'
    )


def _axis(start: datetime, length_s: float, down: int) -> str:
    days = max(1, round(length_s / 86400 / _MARKS))
    step_s = next((step for step in _STEPS_S if length_s / step <= _MARKS), 86400 * days)
    marks = ""
    at_s = -start.timestamp() % step_s
    while at_s <= length_s:
        x = f"{_BEGINS + _WIDE * at_s / length_s:.2f}%"
        at = start + timedelta(seconds=at_s)
        words = f"{at:%-d %b}" if step_s >= 86400 else f"{at:%H:%M}" if step_s >= 60 else f"{at:%H:%M:%S}"
        marks += (
            f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{down}"/>'
            f'<text class="sums" x="{x}" y="14" text-anchor="middle">{words}</text>'
        )
        at_s += step_s
    return f'<text class="sums" x="4" y="14">Task, {start:%-d %b %Y}, UTC</text>{marks}'


def _bar(branch: Branch, level: int, y: int, start: datetime, length_s: float, chosen: str | None) -> str:
    assert branch.first_at is not None  # noqa: S101 - those without a time are not drawn
    last_at = branch.last_at or branch.first_at
    took_s = (last_at - branch.first_at).total_seconds()
    left = _BEGINS + _WIDE * (branch.first_at - start).total_seconds() / length_s
    # A call of no length is seen, too.
    right = max(left + 0.3, left + _WIDE * took_s / length_s)
    indent = 4 + min(level, _DEEPEST) * _INDENT
    letters = int((_NAMES - indent) / _LETTER)
    name = branch.name if len(branch.name) <= letters else f"…{branch.name[1 - letters :]}"
    sums = f"{text(branch.cost_words())} · {count(branch.calls)}"
    told = text(f"{branch.name}: {branch.sum_words()}, {span(took_s)} from {branch.first_at:%H:%M:%S} UTC")
    kind = f"node {branch.kind}{' dearest' if branch.is_dearest else ''}"
    body = (
        f"<title>{told}</title>"
        f'<rect x="1" y="{y}" width="{_BEGINS - 1}%" height="{_ROW - 2}" rx="4"/>'
        f'<text x="{indent}" y="{y + 16}">{text(name)}</text>'
        f'<line class="bar" x1="{left:.3f}%" x2="{right:.3f}%" y1="{y + 12}" y2="{y + 12}"/>'
        f'<text class="sums" x="{right:.3f}%" dx="8" y="{y + 16}">{sums}</text>'
    )
    if branch.kind is not Kind.TASK or branch.task is None:
        return f'<g class="{kind}" role="img" aria-label="{told}">{body}</g>'
    pressed = "true" if branch.task == chosen else "false"
    return (
        f'<g class="{kind}" role="button" tabindex="0" aria-pressed="{pressed}" '
        f'data-task="{attribute(branch.task)}" aria-label="{told}">{body}</g>'
    )
