"""What the evidence on retries says, in words, and which setting to change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .herds_scan import Moment

__all__ = ["Advice", "of_herd", "of_line"]

# A line is found fault with from so many calls and such a share of them on.
_LEAST_CALLS = 20
_SHARE = 0.05
# Attempts a retried call: from here on they are the answer to a limit that does not go away.
_MANY_ATTEMPTS = 3.0
# Incomplete calls that end within such a part of the same age were cut off.
_SAME_AGE = 0.1

_GUARD = (
    "let the guard retry: sg.wrap(client), which switches the client's own retries off; after a 429 the policy engine "
    "gives each call a moment of its own (docs/agents.md)"
)
_CAPACITY = (
    "declare the provider's limit under `capacity` in the policy file (requests_per_minute, tokens_per_minute), so "
    "that calls take turns before they are refused (docs/shares.md)"
)
_SPREAD = (
    "they began together: let them wait for each other, by `capacity` in the policy file (docs/shares.md) and by "
    "SWITCHGEAR_CONCURRENCY in each process"
)
_FEWER = "lower SWITCHGEAR_MAX_RETRIES (2) or SWITCHGEAR_RETRY_RATIO (0.15) where an answer may fail"
_LONGER = (
    "they end at the same age, as at a time-out: raise the client's own `timeout`, which the guard keeps, or ask for "
    "fewer output tokens"
)
_USAGE = (
    'have streams tell their usage (stream_options={"include_usage": True}), and read them to their end '
    "(docs/agents.md)"
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What was found, and what to do about it."""

    finding: str
    changes: tuple[str, ...]

    @property
    def advice(self) -> str:
        """The changes in one line."""
        return "; ".join(self.changes)


def of_herd(herd: Mapping[str, Any]) -> Advice:
    """The advice on one herd, a row of `audit_herds`."""
    calls, guarded = herd["calls"], herd["guarded_calls"]
    waves = f", {herd['waves']} times" if herd["waves"] > 1 else ""
    finding = (
        f"retried calls of {herd['tasks']} tasks {herd['moment']} within {herd['lasted_s']:.1f} s{waves}, where "
        f"{herd['expected']:.1f} are expected by the rate beside"
    )
    changes = [_GUARD] if 2 * guarded < calls else []
    if herd["moment"] != Moment.CAME_BACK.value:
        changes.append(_SPREAD)
    return Advice(finding, tuple(changes or [_CAPACITY]))


def of_line(line: Mapping[str, Any]) -> Advice | None:
    """The advice on one tenant's workload at one model, a row of `audit_retries`; None where nothing is wrong."""
    found = [each for each in (_herds(line), _attempts(line), _incomplete(line)) if each is not None]
    if not found:
        return None
    # What several findings ask for is said once.
    changes = dict.fromkeys(change for each in found for change in each.changes)
    return Advice("; ".join(each.finding for each in found), tuple(changes))


def _herds(line: Mapping[str, Any]) -> Advice | None:
    if not line["herds"]:
        return None
    herds = f"{line['herds']} herd{'' if line['herds'] == 1 else 's'}"
    return Advice(
        f"{line['synchronous_calls']} of {line['retried_calls']} retried calls fell together with other tasks' "
        f"in {herds} (p {_chance(line['p_value'])})",
        (_CAPACITY if _mostly_guarded(line) else _GUARD,),
    )


def _attempts(line: Mapping[str, Any]) -> Advice | None:
    retried, calls = line["retried_calls"], line["calls"]
    # Those in herds are told of already.
    apart = retried - line["synchronous_calls"]
    if apart < _LEAST_CALLS or apart < _SHARE * calls:
        return None
    a_retried_call = (line["attempts"] - (calls - retried)) / retried
    finding = f"{100 * retried / calls:.0f} % of the calls were retried, {a_retried_call:.1f} attempts each"
    if not _mostly_guarded(line):
        return Advice(finding, (_GUARD, _CAPACITY))
    return Advice(finding, (_CAPACITY, _FEWER) if a_retried_call >= _MANY_ATTEMPTS else (_CAPACITY,))


def _incomplete(line: Mapping[str, Any]) -> Advice | None:
    incomplete, calls = line["incomplete_calls"], line["calls"]
    if incomplete < _LEAST_CALLS or incomplete < _SHARE * calls:
        return None
    after: Sequence[float] = line["incomplete_after_s"] or ()
    ages = f", half of them within {after[1]:.1f} s" if after else ""
    cut_off = bool(after) and after[1] > 0 and after[2] - after[0] <= _SAME_AGE * after[1]
    return Advice(
        f"{100 * incomplete / calls:.0f} % of the calls told no whole usage{ages}",
        (_LONGER if cut_off else _USAGE,),
    )


def _mostly_guarded(line: Mapping[str, Any]) -> bool:
    return 2 * int(line["guarded_calls"]) >= int(line["retried_calls"])


def _chance(p_value: float) -> str:
    return "< 0.0001" if p_value < 0.0001 else f"= {p_value:.4f}"
