"""The agents of one tenant, with a folder of answers that all share: `python -m cli.demo.cached.agents ...`."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import switchgear as sg
from switchgear.cache.bound import JudgeError
from switchgear.cache.cache import open_cache
from switchgear.cache.judge import ModelJudge
from switchgear.cache.model import Mode, Namespace, Terms
from switchgear.cache.model import Question as Asked

from ..parent import report_ready, stop_with_parent
from .questions import BOUND, MODEL, TENANTS, WORKLOAD, Question, asked, truth

__all__ = ["ask", "judged"]

_AUDITS = Decimal("0.1")
# An answer that is cut is not kept.
_MOST_TOKENS = 2500
_OF_A_TASK = 10
_PAIRS = 400


def same(_: str, kept: str, fresh: str) -> bool:
    """The judge of this demo: what the desk says are facts, alike only where they are equal."""
    return kept == fresh


def judged(seed: int) -> JudgeError:
    """What a labelled sample of the desk's answers says of that judge."""
    labelled = [each for tenant in TENANTS for each in asked(tenant, seed=seed)][:_PAIRS]
    facts = [truth(TENANTS[0], each.prompt) or "" for each in labelled]
    pairs = list(zip(facts, facts[1:] + facts[:1], strict=True))
    different = [pair for pair in pairs if pair[0] != pair[1]]
    return JudgeError(
        different=len(different),
        missed=sum(same("", *pair) for pair in different),
        same=len(facts),
        false_alarms=sum(not same("", fact, fact) for fact in facts),
    )


def ask(client: Any, question: Question) -> dict[str, Any]:
    """One question: what was said to it, where that came from, and what it used."""
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": question.prompt}],
        max_tokens=_MOST_TOKENS,
        temperature=0,
    )
    answer = raw.parse()
    return {
        "prompt": question.prompt,
        "said": answer.choices[0].message.content,
        "served": raw.headers.get("x-switchgear-cache"),
        "tokens": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
    }


def main() -> None:
    """Ask all that the tenant's agents want to know, and write what they were told to `--out`."""
    import openai

    parser = argparse.ArgumentParser(description="The agents of one tenant in the demo of the answer cache.")
    for name in ("--tenant", "--provider", "--collector", "--policies"):
        parser.add_argument(name, required=True)
    for name in ("--answers", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    cache = open_cache(given.answers, judge=ModelJudge("equal-facts-1", same, judged(given.seed)))
    # The model is read from disk at the first look: no call has to wait for that.
    nobody, nothing = Namespace("", WORKLOAD), Asked(b"", b"", "What is asked first?")
    cache.look(nobody, nothing, Terms(mode=Mode.SHADOW), datetime.now(UTC))
    sg.configure(collector=given.collector, policies=given.policies, cache=cache)
    # One account for all tenants, as shared platforms have it: the header is for the provider's answers and log only.
    plain = openai.OpenAI(
        base_url=f"{given.provider}/v1",
        api_key="sk-demo-shared",
        default_headers={"x-demo-tenant": given.tenant},
    )
    client = sg.wrap(plain, cache=Terms(mode=Mode.ON, bound=BOUND, audits=_AUDITS))
    questions = list(asked(given.tenant, seed=given.seed, scale=given.scale))
    report_ready()
    stop_with_parent()
    told = []
    for first in range(0, len(questions), _OF_A_TASK):
        with sg.task(WORKLOAD, tenant=given.tenant, tier="interactive"):
            told += [ask(client, question) for question in questions[first : first + _OF_A_TASK]]
    sg.flush(30.0)
    sg.shutdown()
    cache.close()
    given.out.write_text(json.dumps(told))


if __name__ == "__main__":
    main()
