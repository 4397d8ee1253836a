"""Which running task has run away: one agent that does not stop, or agents that are born faster than they end.

    tree = TaskTree()                                # one for each root task that runs
    tree.called(agent, now)                          # each call of the tree as it begins; `agent` is its task id
    tree.seen(agent, now)                            # as it ends: the agent is at work still
    tree.ended(agent)                                # where that is told; silence tells it otherwise
    found = tree.runaway(past.thresholds())          # a Runaway that says why, or None
    past.finished(tree)                              # at its end; a PastTrees for each workload

Two signals, because neither sees what the other does: the calls that one agent makes, and the agents alive at once. A
task has run away once one of them has passed its threshold, and stays so: what a person or a policy does about it does
not change what it did. Thresholds are learned from the workload's past tasks, and nobody has to say which of these were
runaways (`PastTrees.thresholds`). A new workload has shipped ones.

One agent's calls are held against those of the other agents of its task: tasks differ in how long their agents live,
and a loop shows sooner beside short-lived ones. The life of the others is `(80 + their calls) / (8 + those of them that
are over)`: as if eight agents had made ten calls each before, so that it means something while few are over, and so
that an agent that is alone is held against a fixed ten.

`state()` and `restore()` carry both over a restart, as plain JSON values. Times are seconds since the epoch.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["PastTrees", "Runaway", "TaskTree", "Thresholds"]

KEPT = 2_000
SILENT_S = 300.0

# More agents than any threshold: beyond, those longest silent are given up.
_MOST_ALIVE = 4_096
_MOST_SILENT = 1_024

_BEFORE, _LIFE_BEFORE = 8, 10

# Of past tasks, all beyond four times what nine in ten stay within are taken for runaways; of the others, this share is
# above the thresholds. A share of all tasks would hang on how many runaways happen to be among them.
_USUAL, _OBVIOUS = 0.9, 4.0
_SHARE_ABOVE = 0.004
# No task has run away that is near what is usual.
_NEAREST = 1.5
# Below, a runaway or two could be the threshold.
_ENOUGH = 200
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A task has run away when one of its agents makes more than `calls` and more than `lives` times the life of the
    others, or when more than `agents` are alive at once."""

    calls: int
    lives: float
    agents: int
    learned_from: int = 0
    """Past tasks of the workload; 0 where they are the shipped ones alone."""


SHIPPED = Thresholds(calls=120, lives=8.0, agents=20)
# No workload is so regular that less than this is a runaway.
_LEAST_CALLS, _LEAST_LIVES, _LEAST_AGENTS = 20, 2.0, 5


@dataclass(frozen=True, slots=True)
class Runaway:
    """Which signal passed which threshold; `str()` of it is a sentence."""

    signal: str
    value: int
    threshold: int
    agent: str | None
    """Whose calls they are; None where it is not one agent."""
    others: float | None
    """The life of the task's other agents that they are held against, in calls; None where it is not one agent's."""
    learned_from: int

    def __str__(self) -> str:
        who = f" ({self.agent})" if self.agent is not None else ""
        life = f" against a life of {self.others:.1f}" if self.others is not None else ""
        source = f"learned from {self.learned_from} past tasks" if self.learned_from else "shipped"
        return f"{self.signal}{who}: {self.value}{life}, more than {self.threshold} ({source})"


class TaskTree:
    """The agents of one running task. Memory: one entry for each agent alive, 4,096 at most, and for each of the last
    1,024 that fell silent. Not thread-safe.

    An agent is alive from its first call until it is said to have ended, or was silent for `silent_s`; it keeps its
    count of calls when it comes back.
    """

    __slots__ = (
        "_alive", "_over", "_silent", "born", "calls", "longest", "longest_calls", "most_alive", "most_calls",
        "most_lives", "silent_s",
    )  # fmt: skip

    def __init__(self, silent_s: float = SILENT_S) -> None:
        self.silent_s = silent_s
        self.calls = 0
        self.born = 0
        self.most_alive = 0
        self.most_calls = 0
        """Of one agent."""
        self.most_lives = 0.0
        """Of one agent: its calls, in lives of the others as they were then."""
        self.longest: str | None = None
        """Which agent that was, and with how many calls."""
        self.longest_calls = 0
        # Agents that have ended or are silent.
        self._over = 0
        # Calls and when last seen, the longest silent first.
        self._alive: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._silent: OrderedDict[str, int] = OrderedDict()

    def called(self, agent: str, now: float) -> None:
        """A call of `agent` begins: O(1)."""
        self.calls += 1
        made = self._at_work(agent, 1, now)
        if made > self.most_calls:
            self.most_calls = made
        lives = made * (_BEFORE + self._over) / (_BEFORE * _LIFE_BEFORE + self.calls - made)
        if lives > self.most_lives:
            self.most_lives, self.longest, self.longest_calls = lives, agent, made

    def seen(self, agent: str, now: float) -> None:
        """`agent` is at work, as when a call of it ends. One that never called is not an agent yet."""
        if agent in self._alive or agent in self._silent:
            self._at_work(agent, 0, now)

    def ended(self, agent: str) -> None:
        """`agent` makes no more calls; if it does, it is another one."""
        if self._alive.pop(agent, None) is not None:
            self._over += 1
        self._silent.pop(agent, None)

    def alive(self, now: float) -> int:
        """How many agents are alive."""
        alive = self._alive
        while alive:
            agent = next(iter(alive))
            calls, at = alive[agent]
            if now - at < self.silent_s:
                break
            self._fell_silent(agent, calls)
        return len(alive)

    def runaway(self, thresholds: Thresholds) -> Runaway | None:
        """The signal that has passed its threshold, calls before agents; None while neither has."""
        if self.most_lives > thresholds.lives and self.longest_calls > thresholds.calls:
            others = self.longest_calls / self.most_lives
            allowed = max(thresholds.calls, int(thresholds.lives * others))
            return Runaway(
                "calls by one agent",
                self.longest_calls,
                allowed,
                self.longest,
                others,
                thresholds.learned_from,
            )
        if self.most_alive > thresholds.agents:
            return Runaway(
                "agents alive at once",
                self.most_alive,
                thresholds.agents,
                None,
                None,
                thresholds.learned_from,
            )
        return None

    def state(self) -> dict[str, Any]:
        """The tree, as plain JSON values."""
        return {
            "version": _VERSION,
            "silent_s": self.silent_s,
            "calls": self.calls,
            "born": self.born,
            "over": self._over,
            "most": [self.most_alive, self.most_calls, self.most_lives],
            "longest": [self.longest, self.longest_calls],
            "alive": [[agent, calls, at] for agent, (calls, at) in self._alive.items()],
            "silent": [[agent, calls] for agent, calls in self._silent.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave. Raises ValueError where it is of another version."""
        _check(state)
        self.silent_s = float(state["silent_s"])
        self.calls, self.born = int(state["calls"]), int(state["born"])
        self._over = int(state["over"])
        self.most_alive, self.most_calls, self.most_lives = state["most"]
        self.longest, self.longest_calls = state["longest"]
        self._alive = OrderedDict((agent, (int(calls), float(at))) for agent, calls, at in state["alive"])
        self._silent = OrderedDict((agent, int(calls)) for agent, calls in state["silent"])

    def _at_work(self, agent: str, calls: int, now: float) -> int:
        """Count calls of an agent; all that it has made."""
        known = self._alive.get(agent)
        if known is None:
            before = self._silent.pop(agent, None)
            if before is None:
                self.born += 1
            else:
                self._over -= 1
            made = (before or 0) + calls
        else:
            made = known[0] + calls
        self._alive[agent] = (made, now)
        self._alive.move_to_end(agent)
        if known is None:
            if len(self._alive) > _MOST_ALIVE:
                oldest = next(iter(self._alive))
                self._fell_silent(oldest, self._alive[oldest][0])
            self.most_alive = max(self.most_alive, self.alive(now))
        return made

    def _fell_silent(self, agent: str, calls: int) -> None:
        del self._alive[agent]
        self._over += 1
        self._silent[agent] = calls
        if len(self._silent) > _MOST_SILENT:
            self._silent.popitem(last=False)


class PastTrees:
    """Both signals of the last `kept` finished tasks of one workload, and the thresholds that they teach.

    Memory: 24 bytes a task. Thresholds are learned anew when a fiftieth of the tasks is new.
    """

    __slots__ = ("_agents", "_calls", "_kept", "_lives", "_new", "_next", "_thresholds")

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._calls = array("L")
        self._lives = array("d")
        self._agents = array("L")
        self._next = 0
        self._new = 0
        self._thresholds = SHIPPED

    def __len__(self) -> int:
        return len(self._calls)

    def finished(self, tree: TaskTree) -> None:
        """A task has ended, of itself or because it was stopped; one without a call teaches nothing."""
        if not tree.calls:
            return
        if len(self._calls) < self._kept:
            self._calls.append(tree.most_calls)
            self._lives.append(tree.most_lives)
            self._agents.append(tree.most_alive)
        else:
            place = self._next
            self._calls[place], self._lives[place] = tree.most_calls, tree.most_lives
            self._agents[place] = tree.most_alive
            self._next = (place + 1) % self._kept
        self._new += 1

    def thresholds(self) -> Thresholds:
        """The thresholds as of now, which normal tasks pass about once in 250.

        Tasks beyond four times what nine in ten stay within, by the calls of one agent or by agents alive, are set
        aside as runaways. Of the others one in 250 is above the thresholds, as many by calls as by agents, and none
        that is below 1.5 times what nine in ten stay within. Of less than 200 tasks, the thresholds are those four
        times, or the shipped ones where these are higher.
        """
        if self._new and self._new >= len(self) // 50:
            self._thresholds = _learned(self._calls, self._lives, self._agents)
            self._new = 0
        return self._thresholds

    def state(self) -> dict[str, Any]:
        """What was learned, as plain JSON values."""
        known = self._thresholds
        return {
            "version": _VERSION,
            "calls": list(self._calls),
            "lives": list(self._lives),
            "agents": list(self._agents),
            "next": self._next,
            "new": self._new,
            "thresholds": [known.calls, known.lives, known.agents, known.learned_from],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave. Raises ValueError where it is of another version, or holds more than is kept."""
        _check(state)
        if len(state["calls"]) > self._kept:
            raise ValueError(
                f"a state of {len(state['calls'])} tasks cannot be restored where {self._kept} are kept"
            )
        self._calls, self._lives = array("L", state["calls"]), array("d", state["lives"])
        self._agents = array("L", state["agents"])
        self._next, self._new = int(state["next"]), int(state["new"])
        self._thresholds = Thresholds(*state["thresholds"])


def _learned(calls: Sequence[int], lives: Sequence[float], agents: Sequence[int]) -> Thresholds:
    count = len(calls)
    usual_calls, usual_agents = _within(calls), _within(agents)
    most_calls, most_agents = round(_OBVIOUS * usual_calls), round(_OBVIOUS * usual_agents)
    if count < _ENOUGH:
        return Thresholds(
            max(SHIPPED.calls, most_calls), SHIPPED.lives, max(SHIPPED.agents, most_agents), count
        )
    least_calls = max(_LEAST_CALLS, round(_NEAREST * usual_calls))
    # Of the ordinary tasks: lives, where there are the calls for them to count, and agents.
    ordinary = [
        (life if made > least_calls else 0.0, alive)
        for made, life, alive in zip(calls, lives, agents, strict=True)
        if made <= most_calls and alive <= most_agents
    ]
    by_lives = sorted(life for life, _ in ordinary)
    by_agents = sorted(alive for _, alive in ordinary)
    allowed = int(_SHARE_ABOVE * len(ordinary))
    for above in range(allowed, -1, -1):
        most_lives, most_agents = by_lives[-1 - above], by_agents[-1 - above]
        if sum(life > most_lives or alive > most_agents for life, alive in ordinary) <= allowed:
            break
    return Thresholds(
        least_calls,
        max(_LEAST_LIVES, most_lives),
        max(_LEAST_AGENTS, most_agents, round(_NEAREST * usual_agents)),
        count,
    )


def _within(values: Sequence[int]) -> int:
    """What nine in ten stay within; of fewer than ten, half."""
    share = _USUAL if len(values) >= 10 else 0.5
    return sorted(values)[int(share * (len(values) - 1))]


def _check(state: dict[str, Any]) -> None:
    if state.get("version") != _VERSION:
        raise ValueError(
            f"a state of version {state.get('version')!r} cannot be restored; this is version {_VERSION}"
        )
