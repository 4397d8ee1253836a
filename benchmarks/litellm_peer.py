"""LiteLLM's calculator, in the virtual environment that `apart.py` made: JSON on stdin, JSON on stdout.

It is run by that environment's Python and imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def _usage(case: dict[str, Any]) -> Any:
    from litellm.types.utils import CacheCreationTokenDetails, PromptTokensDetailsWrapper, Usage

    details = PromptTokensDetailsWrapper(
        cached_tokens=case["cache_read"],
        cache_creation_token_details=CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=case["cache_write"], ephemeral_1h_input_tokens=case["cache_write_1h"]
        ),
    )
    return Usage(
        prompt_tokens=case["input_tokens"],
        completion_tokens=case["output_tokens"],
        total_tokens=case["input_tokens"] + case["output_tokens"],
        prompt_tokens_details=details,
        completion_tokens_details={"reasoning_tokens": case["reasoning"]},
        cache_creation_input_tokens=case["cache_write"] + case["cache_write_1h"],
        cache_read_input_tokens=case["cache_read"],
    )


def _parts(case: dict[str, Any]) -> tuple[float, float]:
    from litellm.cost_calculator import batch_cost_calculator, cost_per_token

    model, provider = case["litellm"]
    usage = _usage(case)
    if case["batch"]:
        return batch_cost_calculator(usage, model.removeprefix(f"{provider}/"), provider)
    return cost_per_token(
        model=model,
        custom_llm_provider=provider,
        prompt_tokens=case["input_tokens"],
        completion_tokens=case["output_tokens"],
        cache_read_input_tokens=case["cache_read"],
        cache_creation_input_tokens=case["cache_write"] + case["cache_write_1h"],
        usage_object=usage,
        service_tier=case["tier"],
    )


def _cost(case: dict[str, Any]) -> str:
    try:
        return format(sum(_parts(case)), ".12f")
    # Its exceptions have no common base that it documents.
    except Exception as problem:  # noqa: BLE001
        return type(problem).__name__


def main() -> None:
    """Answer every case, and time the first again and again."""
    asked = json.load(sys.stdin)
    answers = [_cost(case) for case in asked["cases"]]
    best = float("inf")
    for _ in range(asked["rounds"]):
        begun = time.perf_counter()
        for _ in range(100):
            _cost(asked["timed"])
        best = min(best, (time.perf_counter() - begun) / 100)
    json.dump({"costs": answers, "seconds": best}, sys.stdout)


if __name__ == "__main__":
    main()
