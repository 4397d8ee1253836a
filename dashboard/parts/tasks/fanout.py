"""Fan-out: one task tree: what it comes to, the tree as a picture or over time, and its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard import board, frame, look, session
from dashboard.charts.branching import Branch, grown
from dashboard.charts.tree import tree
from dashboard.charts.waterfall import waterfall
from dashboard.services import Answer
from dashboard.view import View

from .. import choosing, operating
from . import task_search, tree_calls
from .picture import picture

__all__ = ["show"]

_AGE_S = 5.0
_DRAWN = {"tree": "Tree", "time": "Over time"}
# How many tasks are drawn at first, and then.
_SHOWN = {"20": "20 tasks", "60": "60 tasks", "300": "300 tasks"}


def show(view: View, tenant: str, task: str) -> None:
    """The tree of a tenant under a root task, whole: neither the range nor filters hold."""
    branch, at = view.more.get("branch"), view.more.get("at")
    most = view.more.get("shown", "20")
    answers = _ask(tenant, task, branch, at, most if most in _SHOWN else "20")
    now = session.now()
    services = session.services()
    task_search.notice(
        session.away(services.collector, {name: answers[name] for name in ("tree", "calls", "found")}, now)
        + session.away(services.policies, {"budgets": answers["budgets"]}, now)
        + session.denied(answers["tree"], "read")
    )
    if answers["tree"].value is None:
        return
    root = grown(answers["tree"].value.to_pylist())
    found = next(
        (row for row in _rows(answers["found"]) if row["tenant"] == tenant and row["root_task_id"] == task),
        None,
    )
    _head(view, tenant, task, found)
    if root is None:
        st.html(
            board.empty(
                "No call of this task is kept.",
                "Calls are deleted after a time (docs/retention.md), or the link is of another tenant.",
            )
        )
        return
    st.html(
        board.figures(
            _figures(root, found, _budget(answers["budgets"], tenant, task), is_part=branch is not None)
        )
    )
    _drawing(view, root, branch, at)
    tree_calls.show(view, answers["calls"], at, root)


def _ask(tenant: str, task: str, branch: str | None, at: str | None, most: str) -> dict[str, Answer]:
    collector, policies = session.services().collector, session.services().policies
    asked = {**task_search.EVER, "tenant": tenant, "task": task}
    of_branch = {"under": branch} if branch else {}
    of_task = {"of": at} if at else {}
    found = {**task_search.EVER, "tenant": tenant, "find": task, "order": "recent"}
    topic = f"{tenant} {task}"
    with st.spinner("Reading the tree"):
        return session.services().together(
            {
                "tree": lambda: collector.report(
                    "task_tree",
                    {**asked, **of_branch, "top": most},
                    max_age_s=_AGE_S,
                    topic=f"tree {topic} {branch} {most}",
                ),
                "calls": lambda: collector.report(
                    "task_calls", {**asked, **of_task}, max_age_s=_AGE_S, topic=f"calls {topic} {at}"
                ),
                "found": lambda: collector.report(
                    "task_trees", found, max_age_s=_AGE_S, topic=f"found {topic}"
                ),
                "budgets": lambda: policies.document("/v1/budgets", max_age_s=_AGE_S),
            }
        )


def _head(view: View, tenant: str, task: str, found: Mapping[str, Any] | None) -> None:
    """Which tree it is, the way back, and the way to stop it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("All tasks", icon=":material/arrow_back:", type="tertiary", key="all-tasks"):
            task_search.opened(view, None, None)
        whose = [tenant]
        if found is not None:
            whose += [
                found["workload"] or "(no workload)",
                found["owner"] or "unowned",
                found["tier"] or "no tier",
            ]
        names = " · ".join(look.text(each) for each in whose)
        aside = f'<small class="sg-soft" style="font-weight:400;margin-left:8px">{names}</small>'
        st.html(f'<div class="sg sg-here">{look.text(task)} {aside}</div>')
        if operating.is_allowed() and st.button(
            "Stop this task …", icon=":material/cancel:", key="stop-task"
        ):
            operating.stop(tenant, task)


def _figures(
    root: Branch, found: Mapping[str, Any] | None, budget: Mapping[str, Any] | None, *, is_part: bool
) -> list[tuple[str, str, str]]:
    unknown = f"{look.count(root.unknown)} of {look.count(root.calls)} calls are not known"
    retried = f"{look.count(root.attempts)} attempts"
    fate = task_search.FATES.get((found or {}).get("fate") or "unknown", "")
    return [
        (
            "Cost of the branch" if is_part else "Cost of the tree",
            f'<span class="{"sg-warm" if root.unknown else ""}">{look.text(root.cost_words())}</span>',
            unknown if root.unknown else "estimated, all calls priced",
        ),
        (
            "Calls",
            look.count(root.calls),
            f'<span class="sg-warm">↻ {retried}</span>' if root.retries else retried,
        ),
        ("Tasks", look.count(root.tasks), _depth(found)),
        ("Took", _took(root.first_at, root.last_at), _began(root.first_at)),
        _left(budget),
        ("How it ended", f"<small>{look.text(fate)}</small>", _since(found)),
    ]


def _depth(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return "no sub-agents" if found["depth"] == 1 else f"{look.count(found['depth'])} levels deep"


def _took(first_at: datetime | None, last_at: datetime | None) -> str:
    if first_at is None or last_at is None:
        return "—"
    return look.span((last_at - first_at).total_seconds())


def _began(first_at: datetime | None) -> str:
    return "" if first_at is None else f"from {first_at:%-d %b %Y %H:%M:%S} UTC"


def _since(found: Mapping[str, Any] | None) -> str:
    return "" if found is None else f"last call {look.ago(found['last_at'], session.now())}"


def _left(budget: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """What the task may still spend by the ceiling that leaves it least."""
    if budget is None:
        return "Budget left", "—", "no ceiling counts this task now"
    limit, spent, held = (Decimal(budget[name]) for name in ("limit", "spent", "held"))
    currency = budget["currency"]
    left = max(Decimal(0), limit - spent - held)
    held_words = f", {look.money(held, currency)} held" if held else ""
    return (
        "Budget left",
        f'<span class="{"" if left else "sg-hot"}">{look.money(left, currency)}</span>',
        f"of {look.money(limit, currency)}{held_words}; {look.text(board.state_of(budget['state']).word)}",
    )


def _budget(answer: Answer, tenant: str, task: str) -> Mapping[str, Any] | None:
    """The task's ceiling with the least left, those that only watch last."""
    of_task = [
        each
        for each in (answer.value or {}).get("budgets", ())
        if each["scope"].get("task") == task and each["scope"].get("tenant") in (tenant, None)
    ]

    def left(budget: Mapping[str, Any]) -> tuple[bool, Decimal]:
        return bool(budget.get("shadow")), Decimal(budget["limit"]) - Decimal(budget["spent"])

    return min(of_task, key=left, default=None)


def _drawing(view: View, root: Branch, branch: str | None, at: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        drawn = choosing.one_of(view, "drawn", "Drawn as", _DRAWN)
        choosing.one_of(view, "shown", "At most", _SHOWN)
        if (
            at
            and at != branch
            and at != root.task
            and st.button("Only this branch", icon=":material/filter_center_focus:", key="only-branch")
        ):
            frame.go(view.but(branch=at))
        if branch and st.button("The whole tree", icon=":material/account_tree:", key="whole-tree"):
            frame.go(view.but(branch=None))
    st.html(board.heading(*_LEGENDS[drawn]))
    find = view.task if view.task and view.task != root.task else None
    svg = tree(root, chosen=at, found=find) if drawn == "tree" else waterfall(root, chosen=at)
    # It keeps its key, so that it is drawn again in its place, and whoever came by keyboard stays where they were.
    chosen = picture(svg, key=f"picture-{drawn}")
    if chosen is not None and chosen != at:
        frame.go(view.but(at=chosen))


_LEGENDS: Mapping[str, Sequence[str]] = {
    "tree": (
        "Fan-out",
        "the whole tree, whatever range and filters say; choose a task to see its calls",
        '<span><i style="background:var(--sg-calm);height:9px"></i>the dearest way, as thick as it costs</span>'
        '<span><i style="background:var(--sg-off);opacity:.5;height:4px"></i>other branches</span>'
        '<span><i style="border-top:2px dashed var(--sg-warm);height:0;width:24px"></i>unknown cost</span>',
    ),
    "time": (
        "Over time",
        "from a task's first call to the end of its last, its branches included",
        '<span><i style="background:var(--sg-calm);height:9px"></i>on the dearest way</span>',
    ),
}


def _rows(answer: Answer) -> list[dict[str, Any]]:
    return [] if answer.value is None else list(answer.value.to_pylist())
