"""How large a call may get: its hold is an upper bound, learned where the request does not say.

Tokens are not known before the provider counts them. The bound takes the request's bytes at the highest ratio of
tokens to bytes seen for such calls, and the request's own output limit where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from switchgear.usage import MAX_TOKENS_PER_CALL, Usage

__all__ = ["CallSizes", "Request"]

# Before anything is known: dense JSON and non-Latin text reach about one token in two bytes.
_FIRST_RATIO = 0.5
_FIRST_OUTPUT = 4096
_MARGIN = 1.1
# What was seen once must not bound such calls for ever: a maximum fades by a hundredth with each call.
_FADE = 0.99


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a call before it is made. `max_output_tokens` is None where the request sets no limit."""

    provider: str
    model: str
    input_bytes: int
    max_output_tokens: int | None
    writes_cache: bool = False


@dataclass(slots=True)
class _Seen:
    calls: int = 0
    ratio: float = 0.0
    output: int = 0
    mean_tokens: float = 0.0
    mean_share: float = 0.5


@dataclass(slots=True)
class CallSizes:
    """What calls of a workload to a model have been like. One instance learns for one engine."""

    _seen: dict[tuple[str, str, str], _Seen] = field(default_factory=dict)

    def bound(self, workload: tuple[str, str], request: Request) -> Usage:
        """Usage that the call will hardly pass: exact for the output where the request limits it."""
        seen = self._seen.get((*workload, request.model))
        ratio = seen.ratio * _MARGIN if seen and seen.ratio else _FIRST_RATIO
        tokens = min(int(request.input_bytes * ratio) + 16, MAX_TOKENS_PER_CALL)
        output = request.max_output_tokens
        if output is None:
            output = int(seen.output * 2 * _MARGIN) if seen and seen.output else _FIRST_OUTPUT
            output = min(output, MAX_TOKENS_PER_CALL)
        if request.writes_cache:
            return Usage(cache_write_1h=tokens, output=output)
        return Usage(input_uncached=tokens, output=output)

    def expected_tokens(self, workload: tuple[str, str], request: Request) -> int:
        """Mean tokens of such calls, for pacing against tokens per minute; half the bound before any is known."""
        seen = self._seen.get((*workload, request.model))
        return int(seen.mean_tokens) if seen and seen.calls else self.bound(workload, request).total // 2

    def expected_share(self, workload: tuple[str, str], model: str) -> float:
        """How much of its bound such a call has cost on average; a half before any is known."""
        seen = self._seen.get((*workload, model))
        return seen.mean_share if seen else 0.5

    def learn(self, workload: tuple[str, str], request: Request, usage: Usage, share: float) -> None:
        """Take in a finished call: its usage and the share of its bound that it cost."""
        seen = self._seen.setdefault((*workload, request.model), _Seen())
        seen.calls += 1
        if request.input_bytes > 0:
            seen.ratio = max(seen.ratio * _FADE, usage.input_total / request.input_bytes)
        seen.output = max(int(seen.output * _FADE), usage.output)
        step = max(0.05, 1 / seen.calls)
        seen.mean_tokens += step * (usage.total - seen.mean_tokens)
        seen.mean_share += step * (min(share, 1.0) - seen.mean_share)
