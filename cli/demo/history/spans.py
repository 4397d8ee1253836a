"""Spans: the calls and the ends of tasks of a week as the SDK's own records, encoded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from switchgear import attributes
from switchgear.usage import COUNTS

from .archetypes import MODELS
from .company import TASK_BYTES, Workload
from .draws import OUTCOMES, Ints, Week
from .template import VARINT_BYTES, Part, Place, Template, attribute, digits, hexed, message, varints

__all__ = ["SERVICE_TIERS", "Encoded", "encoded", "request"]

# Which providers serve which tier apart from the standard one.
SERVICE_TIERS = {
    "batch": frozenset({"openai", "anthropic", "google"}),
    "flex": frozenset({"gpt-5", "gpt-5-mini"}),
}

Encoded = tuple[Ints, list[bytes], bool]
"""When each span began, the spans, and whether they are calls."""

_TASK_DIGITS, _BRANCH_DIGITS, _USER_DIGITS = 2 * TASK_BYTES, 3, 5
_RESPONSE_IDS = {"openai": b"chatcmpl-", "anthropic": b"msg_", "google": b"gen-"}
_CLIENT, _INTERNAL = 3, 1
_ROOT, _CHILD, _DEEPER = range(3)


def encoded(workload: Workload, drawn: Week) -> Iterator[Encoded]:
    """The spans of `drawn`, those together that are alike."""
    calls = len(drawn.task)
    traces = drawn.trace_ids[drawn.task]
    values = {
        "trace": traces,
        "span": drawn.span_ids[:calls],
        "response": hexed(np.concatenate((drawn.span_ids[:calls], traces[:, :4]), axis=1)),
        "task": hexed(traces[:, :TASK_BYTES]),
        "branch": digits(drawn.branch, _BRANCH_DIGITS),
        "parent": digits(drawn.parent, _BRANCH_DIGITS),
        "user": digits(drawn.user, _USER_DIGITS),
        "starts": _fixed(drawn.starts_ns),
        "ends": _fixed(drawn.ends_ns),
        "attempts": varints(drawn.attempts),
        **{name: varints(drawn.counts[:, place]) for place, name in enumerate(COUNTS)},
    }
    relation = np.where(drawn.branch == 0, _ROOT, np.where(drawn.parent == 0, _CHILD, _DEEPER))
    in_tier = drawn.in_tier & served(workload)[drawn.model]
    alike = ((drawn.model * 3 + relation) * 2 + in_tier) * 2 + drawn.untold
    for group in np.unique(alike):
        rows = np.flatnonzero(alike == group)
        rest, untold = divmod(int(group), 2)
        rest, tier = divmod(rest, 2)
        model, related = divmod(rest, 3)
        template = _call(workload, model, related, service=bool(tier), told=not untold)
        copies = template.filled({name: each[rows] for name, each in values.items()})
        yield drawn.starts_ns[rows], copies, True
    yield from _ends(workload, drawn)


def served(workload: Workload) -> NDArray[np.bool_]:
    """Of each of the workload's models, whether the archetype's service tier is there for it."""
    where = SERVICE_TIERS.get(workload.kind.service[0], frozenset())
    return np.array([bool(where & {name, MODELS[name].provider}) for name, _, _ in workload.models])


def _ends(workload: Workload, drawn: Week) -> Iterator[Encoded]:
    calls = len(drawn.task)
    values = {
        "trace": drawn.trace_ids,
        "span": drawn.span_ids[calls:],
        "task": hexed(drawn.trace_ids[:, :TASK_BYTES]),
        "starts": _fixed(drawn.task_starts_ns),
        "ends": _fixed(drawn.task_ends_ns),
    }
    for place, outcome in enumerate(OUTCOMES):
        rows = np.flatnonzero(drawn.outcome == place)
        if len(rows):
            template = _end(workload, outcome)
            copies = template.filled({name: each[rows] for name, each in values.items()})
            yield drawn.task_ends_ns[rows], copies, False


def request(spans: list[bytes]) -> bytes:
    """Spans as the body of one OTLP request, as one exporter sends them."""
    return _join(message(1, *_RESOURCE, *message(2, *_SCOPE, b"".join(spans))))


def _fixed(values: Ints) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values, "<u8").view(np.uint8).reshape(-1, 8)


@lru_cache(maxsize=4096)
def _call(workload: Workload, model: int, related: int, *, service: bool, told: bool) -> Template:
    """The record of a call, as `switchgear.export.recorder` makes it."""
    asked = MODELS[workload.models[model][0]]
    parts: list[Part] = []
    for name, value in (
        (attributes.RECORD, "call"),
        ("gen_ai.provider.name", asked.provider),
        ("gen_ai.request.model", asked.asked),
        ("gen_ai.response.model", asked.answers),
        *(((attributes.SERVICE_TIER, workload.kind.service[0]),) if service else ()),
    ):
        parts += attribute(name, value.encode())
    parts += attribute("gen_ai.response.id", _RESPONSE_IDS[asked.provider], Place("response", 24))
    parts += attribute(attributes.ATTEMPT, Place("attempts", VARINT_BYTES), counts=True)
    if told:
        for name in COUNTS:
            parts += attribute(attributes.USAGE + name, Place(name, VARINT_BYTES), counts=True)
    if workload.kind.users:
        parts += attribute(attributes.USER, b"user-", Place("user", _USER_DIGITS))
    return Template(_span(b"call", _CLIENT, *_tags(workload, related), *parts))


@lru_cache(maxsize=1024)
def _end(workload: Workload, outcome: str) -> Template:
    told = attribute(attributes.TASK_OUTCOME, outcome.encode())
    return Template(_span(b"task", _INTERNAL, *_tags(workload, _ROOT), *told))


def _tags(workload: Workload, related: int) -> list[Part]:
    """What every span of a task has."""
    tags: list[Part] = []
    for name, value in (
        (attributes.TENANT, workload.tenant),
        (attributes.WORKLOAD, workload.name),
        (attributes.TIER, workload.kind.tier),
    ):
        tags += attribute(name, value.encode())
    if workload.kind.in_task:
        root: tuple[Part, ...] = (workload.name.encode() + b"-", Place("task", _TASK_DIGITS))
        own = root if related == _ROOT else (*root, b".", Place("branch", _BRANCH_DIGITS))
        above = root if related == _CHILD else (*root, b".", Place("parent", _BRANCH_DIGITS))
        tags += attribute(attributes.TASK_ID, *own)
        tags += attribute(attributes.TASK_ROOT_ID, *root)
        tags += attribute(attributes.TASK_PARENT_ID, *above) if related != _ROOT else ()
    return tags


def _span(name: bytes, kind: int, *parts: Part) -> tuple[Part, ...]:
    """A span as a field of its scope."""
    return message(
        2,
        *message(1, Place("trace", 16)),
        *message(2, Place("span", 8)),
        *message(5, name),
        bytes((6 << 3, kind)),
        *(bytes((7 << 3 | 1,)), Place("starts", 8)),
        *(bytes((8 << 3 | 1,)), Place("ends", 8)),
        *parts,
    )


def _join(parts: tuple[Part, ...]) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


_RESOURCE = message(1, *message(1, *message(1, b"service.name"), *message(2, *message(1, b"agents"))))
_SCOPE = message(1, *message(1, b"switchgear"), *message(2, version("switchgear").encode()))
